//! API keys, by the key itself or its hash. No problem shows a key: it is told by its position.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{
    ApiKey, Quota, decode::rate_limit, development, field::Field, problem::shown, roles::Roles, value,
};
use crate::domain::TenantId;

const FIELDS: &[&str] = &[
    "roles",
    "description",
    "replaces",
    "tenant",
    "expires_at",
    "disabled",
    "types",
    "networks",
    "rate_limit",
];

/// The keys of all files. The quotas are those of a key by tenant, and name the tenants there are.
pub(super) fn decode(maps: &[Field<'_>], roles: &Roles, quotas: &IndexMap<TenantId, Quota>) -> Vec<ApiKey> {
    let mut keys = Vec::new();
    let mut places: HashMap<[u8; 32], String> = HashMap::new();
    for map in maps {
        for (n, (text, field)) in map.entries().into_iter().enumerate() {
            let field = named(field, n + 1);
            if FIELDS.contains(&text) {
                field.fail(format!(
                    "{text} stands beside the keys: indent it below the key that it belongs to"
                ));
                continue;
            }
            let hash = value::key_hash(text).map_err(|message| field.fail(message)).ok();
            if let Some(hash) = hash
                && let Some(first) = places.insert(hash, field.place())
            {
                field.fail(format!("is the same key as at {first}"));
            }
            // Its fields are checked in any case: every problem at once.
            keys.extend(one(&field, hash.unwrap_or_default(), roles, quotas));
        }
    }
    keys
}

/// Names a key by its position and its description, as people know it.
fn named(field: Field<'_>, position: usize) -> Field<'_> {
    let path = match field.peek("description") {
        Some(text) => {
            let short: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
            format!("api_keys[#{position} \"{short}\"]")
        }
        None => format!("api_keys[#{position}]"),
    };
    field.named(path)
}

fn one(
    field: &Field<'_>,
    hash: [u8; 32],
    roles: &Roles,
    quotas: &IndexMap<TenantId, Quota>,
) -> Option<ApiKey> {
    let s = field.section(FIELDS)?;
    let tenant = s.read("tenant", |name| {
        let found = quotas.keys().find(|tenant| tenant.as_str() == name);
        let known = || value::listed(quotas.keys().map(|tenant| shown(tenant.as_str())));
        found.cloned().ok_or_else(|| format!("{} is no tenant; known: {}", shown(name), known()))
    });
    let tenant = tenant.unwrap_or_default();
    let roles_given = s.get("roles").map(|roles| roles.one_or_many()).unwrap_or_default();
    Some(ApiKey {
        hash,
        description: s.read("description", value::words(255)),
        replaces: s.read("replaces", value::fingerprint),
        roles: roles_given.iter().filter_map(|role| role.peek_text().map(str::to_owned)).collect(),
        permissions: roles.of_key(&roles_given),
        expires_at: s.read("expires_at", value::timestamp),
        disabled: s.flag("disabled"),
        types: s.list("types", value::glob),
        networks: s.list("networks", value::network),
        quota: rate_limit(&s, "rate_limit").or_else(|| quotas.get(&tenant).copied()).unwrap_or_default(),
        development: development::is_known(&hash),
        tenant,
    })
}
