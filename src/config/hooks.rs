//! Hooks: what receives for a tenant from senders that cannot speak the API.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{
    Quota, Secret,
    decode::{Decoder, rate_limit},
    field::{Field, Section},
    problem::shown,
    roles::Roles,
    secret, value,
};
use crate::domain::{MAX_ID, Permissions, UserId};

/// The field of a tenant that holds them.
pub(super) const HOOKS: &str = "hooks";
const HOOK: &[&str] = &[
    "mapping",
    "description",
    "authentication",
    "secrets",
    "replay_window",
    "replay_memory",
    "body_bytes",
    "roles",
    "types",
    "rate_limit",
    "overload",
    "settings",
    "recipients",
    "fallback",
];
const SECRET: [&str; 3] = ["secret", "secret_env", "secret_file"];
const SCHEMES: &[(&str, Scheme)] =
    &[("token", Scheme::Token), ("stripe", Scheme::Stripe), ("github", Scheme::Github)];
const MOST_SECRETS: usize = 4;
const MOST_USERS: usize = 100;
const MOST_RECIPIENTS: usize = 10_000;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// One hook. Its id is unique over all tenants.
#[derive(Debug, Clone)]
pub struct Hook {
    /// The name of its mapping.
    pub mapping: String,
    /// What it is for, for people.
    pub description: Option<String>,
    /// How its sender proves itself; the mapping says unless it is given here.
    pub authentication: Option<Scheme>,
    /// What the sender proves that it knows one of: several while one takes another's place.
    pub secrets: Vec<Secret>,
    /// How old a signature may be that tells its time.
    pub replay_window: Duration,
    /// How long an event is known, so that it stores nothing when it comes again.
    pub replay_memory: Duration,
    /// How many bytes a body may have; `limits.body_bytes` where that is less.
    pub body_bytes: Option<usize>,
    /// The names of its roles, as configured.
    pub roles: Vec<String>,
    /// The union of its roles.
    pub permissions: Permissions,
    /// The types it may send, as globs; empty for all.
    pub types: Vec<String>,
    /// Its own rate limit.
    pub quota: Quota,
    /// What it answers a sender that comes too often; the mapping says unless it is given here.
    pub overload: Option<Overload>,
    /// The mapping's settings that are otherwise here.
    pub settings: Map<String, Value>,
    /// Users by the names that the mapping gives recipients.
    pub recipients: HashMap<String, Vec<UserId>>,
    /// Who gets what is for nobody that is known.
    pub fallback: Vec<UserId>,
    /// Where it stands, for problems that show later: file, line and field.
    pub place: String,
}

/// How a sender proves itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// The secret itself, in `Authorization` (`Bearer`, `ApiKey`, or the password of `Basic`) or in `X-API-KEY`.
    #[default]
    Token,
    /// `Stripe-Signature`: HMAC with SHA-256 over the time and the body.
    Stripe,
    /// `X-Hub-Signature-256`: HMAC with SHA-256 over the body.
    Github,
}

impl Scheme {
    /// Its name in the files.
    pub fn as_str(self) -> &'static str {
        SCHEMES.iter().find(|(_, scheme)| *scheme == self).map_or("", |(name, _)| name)
    }
}

/// What a sender that comes too often is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overload {
    /// 429.
    #[default]
    TooMany,
    /// 503, for senders that try again after no other status.
    Unavailable,
}

impl Overload {
    /// The status in the files.
    pub fn status(self) -> i64 {
        match self {
            Self::TooMany => 429,
            Self::Unavailable => 503,
        }
    }

    fn of(status: i64) -> Option<Self> {
        [Self::TooMany, Self::Unavailable].into_iter().find(|overload| overload.status() == status)
    }
}

impl<'de> Deserialize<'de> for Overload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let status = i64::deserialize(deserializer)?;
        Self::of(status).ok_or_else(|| serde::de::Error::custom("overload must be 429 or 503"))
    }
}

/// The hooks of a tenant by id, given where those of others stand.
pub(super) fn decode(
    decoder: &Decoder<'_>,
    tenant: &Section<'_>,
    roles: &Roles,
    quota: Quota,
    places: &mut HashMap<String, String>,
) -> indexmap::IndexMap<String, Hook> {
    let mut hooks = indexmap::IndexMap::new();
    for (id, field) in tenant.get(HOOKS).map(|hooks| hooks.entries()).unwrap_or_default() {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if id.is_empty() || id.len() > 64 || !id.bytes().all(fits) {
            field.fail("is no hook's id: it must be 1 to 64 characters of a-z, 0-9, - and _");
        }
        if let Some(first) = places.insert(id.to_owned(), field.place()) {
            field.fail(format!("is a hook at {first} already; an id belongs to one tenant alone"));
        }
        if let Some(hook) = field.section(HOOK).and_then(|s| one(decoder, &s, roles, quota)) {
            hooks.insert(id.to_owned(), hook);
        }
    }
    hooks
}

fn one(decoder: &Decoder<'_>, s: &Section<'_>, roles: &Roles, quota: Quota) -> Option<Hook> {
    let roles_given = s.get("roles").map(|roles| roles.one_or_many()).unwrap_or_default();
    let mapping = s.required("mapping");
    let place = mapping.as_ref().map(|field| format!("{}: {}", field.place(), field.path()));
    let overload = s.get("overload").and_then(|field| {
        let overload = field.integer(0..=999).map(Overload::of)?;
        overload.or_else(|| {
            field.fail("must be 429 or 503");
            None
        })
    });
    Some(Hook {
        mapping: mapping.and_then(|field| field.read(value::words(64))).unwrap_or_default(),
        description: s.read("description", value::words(255)),
        authentication: s.read("authentication", value::one_of(SCHEMES)),
        secrets: secrets(decoder, s),
        replay_window: s.duration("replay_window", SECOND..=HOUR).unwrap_or(Duration::from_secs(300)),
        replay_memory: s.duration("replay_memory", HOUR..=90 * DAY).unwrap_or(DAY),
        body_bytes: s.integer("body_bytes", 1_024..=8 << 20).and_then(|n| usize::try_from(n).ok()),
        roles: roles_given.iter().filter_map(|role| role.peek_text().map(str::to_owned)).collect(),
        permissions: roles.of_key(&roles_given),
        types: s.list("types", value::glob),
        quota: rate_limit(s, "rate_limit").unwrap_or(quota),
        overload,
        settings: s.get("settings").map(|field| settings(&field)).unwrap_or_default(),
        recipients: recipients(s),
        fallback: s.get("fallback").map(|field| users(&field)).unwrap_or_default(),
        place: place?,
    })
}

fn secrets(decoder: &Decoder<'_>, s: &Section<'_>) -> Vec<Secret> {
    let Some(field) = s.required("secrets") else { return Vec::new() };
    let items = field.list();
    if items.is_empty() || items.len() > MOST_SECRETS {
        field.fail(format!(
            "must be a list of 1 to {MOST_SECRETS} entries, each with {}",
            value::listed(SECRET)
        ));
    }
    let one = |item: &Field<'_>| {
        let section = item.section(&SECRET)?;
        if SECRET.iter().all(|name| section.get(name).is_none()) {
            item.fail(format!("must have one of {}", value::listed(SECRET)));
        }
        let (secret, field) = secret::one_of(decoder, &section, SECRET)?;
        if secret.0.len() < value::SHORTEST_KEY {
            field.fail(format!("must give at least {} bytes", value::SHORTEST_KEY));
            return None;
        }
        Some(secret)
    };
    items.iter().filter_map(one).collect()
}

fn settings(field: &Field<'_>) -> Map<String, Value> {
    match field.data() {
        Some(Value::Object(settings)) => settings,
        Some(_) => {
            field.fail("must hold named values");
            Map::new()
        }
        None => Map::new(),
    }
}

fn recipients(s: &Section<'_>) -> HashMap<String, Vec<UserId>> {
    let Some(field) = s.get("recipients") else { return HashMap::new() };
    let entries = field.entries();
    if entries.len() > MOST_RECIPIENTS {
        field.fail(format!("has more than {MOST_RECIPIENTS} names"));
        return HashMap::new();
    }
    let mut seen = HashSet::new();
    let one = |(name, field): (&str, Field<'_>)| {
        if !seen.insert(name.to_owned()) {
            field.fail(format!("{} stands here again", shown(name)));
        }
        (name.to_owned(), users(&field))
    };
    entries.into_iter().map(one).collect()
}

/// One user's id, or several.
fn users(field: &Field<'_>) -> Vec<UserId> {
    let fields = if field.is_list() { field.list() } else { vec![field.clone()] };
    if fields.len() > MOST_USERS {
        field.fail(format!("names more than {MOST_USERS} users"));
    }
    fields.iter().filter_map(|field| UserId::new(field.integer(1..=MAX_ID)?).ok()).collect()
}
