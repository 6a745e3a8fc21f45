//! Tenants: their users, issuers, rate limits, retention and other origins.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use indexmap::IndexMap;

use super::{
    Quota, Retention, Tenant, UnknownFields, UserMode, cors,
    decode::{Decoder, rate_limit},
    field::{Field, Section},
    hooks::{self, HOOKS},
    issuers, revoked,
    roles::Roles,
    value,
};
use crate::domain::{Profile, TenantId, UserId};

/// The lists of a tenant that let no credential in or keep some out: none is lost by accident.
pub(super) const ISSUERS: &str = "issuers";
pub(super) const REVOKED: &str = "revoked_tokens";
const TENANT: &[&str] = &[
    "users",
    "seed",
    ISSUERS,
    REVOKED,
    "rate_limits",
    "strict_types",
    "unknown_fields",
    "retention",
    "cors",
    HOOKS,
];
const SEED: &[&str] = &["id", "display_name", "locale", "time_zone"];
const DAY: Duration = Duration::from_secs(86_400);
const HUNDRED_YEARS: Duration = Duration::from_secs(86_400 * 36_525);

/// The rate limits of a tenant that sets none itself.
#[derive(Clone, Copy)]
pub(super) struct Quotas {
    pub per_key: Quota,
    pub per_user: Quota,
    pub ceiling: Option<Quota>,
}

/// The tenants, what each grants a key that has no rate limit of its own, and what each writes out empty.
#[derive(Default)]
pub(super) struct Tenants {
    pub tenants: IndexMap<TenantId, Tenant>,
    pub per_key: IndexMap<TenantId, Quota>,
    pub emptied: Vec<(TenantId, &'static str)>,
}

impl Decoder<'_> {
    /// The tenants of all files; `default` is always among them.
    pub fn tenants(&self, sections: &[Section<'_>], roles: &Roles, quotas: Quotas) -> Tenants {
        let mut all = Tenants::default();
        let mut places: HashMap<&str, String> = HashMap::new();
        let mut hooks = HashMap::new();
        for (name, field) in sections.iter().filter_map(|s| s.get("tenants")).flat_map(|f| f.entries()) {
            let id = TenantId::new(name).map_err(|e| field.fail(format!("is no tenant's name: it {e}"))).ok();
            if let Some(first) = places.insert(name, field.place()) {
                field.fail(format!("is defined at {first} already"));
            }
            let (tenant, emptied) = self.tenant(&field, roles, quotas, &mut hooks);
            if let Some(id) = id {
                all.emptied.extend(emptied.into_iter().map(|name| (id.clone(), name)));
                all.per_key.insert(id.clone(), tenant.key_quota);
                all.tenants.insert(id, tenant);
            }
        }
        let bare = || Tenant {
            roles: roles.of_bearers(),
            ceiling: quotas.ceiling,
            key_quota: quotas.per_key,
            user_quota: quotas.per_user,
            ..Tenant::default()
        };
        all.tenants.entry(TenantId::default()).or_insert_with(bare);
        all.per_key.entry(TenantId::default()).or_insert(quotas.per_key);
        all
    }

    /// A tenant, and the names of its fields that are written out empty. `hooks` are the places of those there are.
    fn tenant(
        &self,
        field: &Field<'_>,
        roles: &Roles,
        quotas: Quotas,
        hooks: &mut HashMap<String, String>,
    ) -> (Tenant, Vec<&'static str>) {
        let mut tenant = Tenant { roles: roles.of_bearers(), key_quota: quotas.per_key, ..Tenant::default() };
        let Some(s) = field.section(TENANT) else { return (tenant, Vec::new()) };
        let own = s.section("rate_limits", &["per_key", "per_user", "tenant"]);
        let quota = |name| own.as_ref().and_then(|own| rate_limit(own, name));
        let modes = value::one_of(&[("managed", UserMode::Managed), ("open", UserMode::Open)]);
        tenant.users = s.read("users", modes).unwrap_or_default();
        tenant.seed_users = seeds(&s);
        tenant.issuers = s
            .get(ISSUERS)
            .iter()
            .flat_map(Field::list)
            .filter_map(|issuer| issuers::decode(self, &issuer, roles))
            .collect();
        tenant.revoked = revoked::decode(&s);
        tenant.ceiling = quota("tenant").or(quotas.ceiling);
        tenant.user_quota = quota("per_user").unwrap_or(quotas.per_user);
        tenant.strict_types = s.list("strict_types", value::glob);
        tenant.unknown_fields =
            s.read("unknown_fields", value::one_of(UnknownFields::NAMES)).unwrap_or_default();
        if let Some(retention) = s.section("retention", &["read", "unread", "newest"]) {
            let age = |name| retention.duration(name, DAY..=HUNDRED_YEARS);
            let newest = retention.integer("newest", 1..=1_000_000_000).and_then(|n| u64::try_from(n).ok());
            tenant.retention = Retention { read: age("read"), unread: age("unread"), newest };
        }
        tenant.cors = cors::decode(&s);
        tenant.key_quota = quota("per_key").unwrap_or(quotas.per_key);
        tenant.hooks = hooks::decode(self, &s, roles, tenant.key_quota, hooks);
        let is_empty =
            |name: &&'static str| s.get(name).is_some_and(|some| some.is_empty_list() || some.is_empty_map());
        (tenant, [ISSUERS, REVOKED, HOOKS].into_iter().filter(is_empty).collect())
    }
}

/// The users made at start: ids alone, or ids with a profile.
fn seeds(s: &Section<'_>) -> Vec<(UserId, Profile)> {
    let mut seen = HashSet::new();
    let mut seeds = Vec::new();
    for field in s.get("seed").iter().flat_map(Field::list) {
        let Some((id, profile)) = seed(&field) else { continue };
        if seen.insert(id) {
            seeds.push((id, profile));
        } else {
            field.fail(format!("user {id} stands in this list already"));
        }
    }
    seeds
}

fn seed(field: &Field<'_>) -> Option<(UserId, Profile)> {
    let ids = 1..=crate::domain::MAX_ID;
    if !field.is_map() {
        return Some((UserId::new(field.integer(ids)?).ok()?, Profile::default()));
    }
    let s = field.section(SEED)?;
    let checked = |check: fn(&str) -> Result<(), &'static str>| {
        move |text: &str| check(text).map(|()| text.to_owned()).map_err(Into::into)
    };
    let profile = Profile {
        display_name: s.read("display_name", checked(Profile::check_display_name)),
        locale: s.read("locale", checked(Profile::check_locale)),
        time_zone: s.read("time_zone", checked(Profile::check_time_zone)),
    };
    Some((UserId::new(s.required("id")?.integer(ids)?).ok()?, profile))
}
