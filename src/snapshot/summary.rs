//! What is in force, in names and values that people may see: two of these tell what differs.
//!
//! Every struct of the settings is taken apart field by field, so that a new field does not compile until it
//! is told here or left out on purpose.

mod senders;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    time::Duration,
};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    config::{
        Config, Cors, Issuer, Log, Quota, Retention, Revoked, Secret, Server, Sort, StoreConfig, Streams,
        Tenant,
    },
    domain::{Limits, Permission, Permissions, TenantId},
    registry::Registry,
};

/// Stands before a value that only tells whether it is the same.
pub(super) const VEILED: char = '#';
/// The fields that a type has here, and what the second says of a good one.
pub(super) const STATE: &str = "state";
pub(super) const GOOD: &str = "good";

/// A snapshot without its secrets. Of a secret it holds a short hash with a salt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// SHA-256 of what a reload swaps, as 16 hexadecimal digits: equal where the same is in force, on every
    /// node. Secrets are in it with all that is secret at once, the whole hashes of the API keys among it: so
    /// nobody can try guesses at one of them on it who has not the others.
    pub hash: String,
    /// What secrets are hashed with for `items` and `fixed`: random for each process, so that nothing can be
    /// looked up that was hashed beforehand, and nothing compared but by who has the settings to hash. What
    /// stays is trying guesses one by one, for those whom the admin listener lets in; secrets of at least 32
    /// bytes are not guessed that way.
    pub salt: String,
    /// What a reload swaps, by a name that never changes.
    pub items: BTreeMap<String, Item>,
    /// The fields that count only after a restart, as hashes. What the command line sets is left out.
    pub fixed: BTreeMap<String, String>,
}

/// One thing that comes, goes or changes as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is, for people.
    pub label: String,
    /// The tenant that it belongs to; none where it belongs to the site.
    #[serde(default)]
    pub tenant: Option<TenantId>,
    /// Its values by field; the field of a plain setting has no name.
    pub fields: BTreeMap<String, String>,
}

impl Summary {
    /// Sums up settings and types. Two summaries can be compared where they have the same salt.
    pub fn of(config: &Config, registry: &Registry, salt: &str) -> Self {
        let hash = digest(&Self::made(config, registry, String::new()).items)[..16].to_owned();
        Self { hash, ..Self::made(config, registry, salt.to_owned()) }
    }

    /// A salt that nobody else has.
    pub fn new_salt() -> String {
        let mut bytes = [0_u8; 16];
        // Without randomness a summary is still needed; the salt only makes guessing harder.
        let _ = getrandom::fill(&mut bytes);
        hex(&bytes)
    }

    /// Without a hash. Without a salt it is whole, and to be hashed alone: never to be shown.
    fn made(config: &Config, registry: &Registry, salt: String) -> Self {
        let Config {
            server,
            store,
            log,
            plugins: _,
            limits,
            failed_auth,
            streams,
            audit_retention,
            restore_time,
            tenants,
            keys,
            origin,
        } = config;
        let mut made = Self { salt, ..Self::default() };
        made.limits(limits);
        made.add("rate_limits.failed_auth", String::new(), [("", quota(*failed_auth))]);
        made.streams(*streams);
        made.add("audit.retention", String::new(), [("", span(Some(*audit_retention)))]);
        made.add("inbox.restore_time", String::new(), [("", span(Some(*restore_time)))]);
        made.fixed(server, store, log);
        made.fixed.retain(|name, _| !origin.overridden.contains(&name.as_str()));
        for (id, tenant) in tenants {
            made.tenant(id, tenant);
        }
        made.roles(tenants);
        keys.iter().for_each(|key| made.key(key));
        Sort::ALL.into_iter().for_each(|sort| made.plugins(registry, sort));
        made
    }

    /// An item without a label of its own is called by its name.
    fn add<const N: usize>(&mut self, name: impl Into<String>, label: String, fields: [(&str, String); N]) {
        self.add_of(None, name, label, fields);
    }

    /// The same, of a tenant.
    fn add_of<const N: usize>(
        &mut self,
        tenant: Option<&TenantId>,
        name: impl Into<String>,
        label: String,
        fields: [(&str, String); N],
    ) {
        let name = name.into();
        let label = if label.is_empty() { name.clone() } else { label };
        let fields = fields.map(|(field, value)| (field.to_owned(), value)).into();
        self.items.insert(name, Item { label, tenant: tenant.cloned(), fields });
    }

    fn limits(&mut self, limits: &Limits) {
        let Limits {
            title,
            message,
            link,
            metadata_bytes,
            metadata_depth,
            body_bytes,
            batch_bytes,
            batch_items,
        } = limits;
        for (name, value) in [
            ("limits.title", title),
            ("limits.message", message),
            ("limits.link", link),
            ("limits.metadata_bytes", metadata_bytes),
            ("limits.metadata_depth", metadata_depth),
            ("limits.body_bytes", body_bytes),
            ("limits.batch_bytes", batch_bytes),
            ("limits.batch_items", batch_items),
        ] {
            self.add(name, String::new(), [("", value.to_string())]);
        }
    }

    fn streams(&mut self, Streams { per_user, per_tenant, most, heartbeat, slow }: Streams) {
        let number = |n: Option<usize>| n.map_or("none".into(), |n| n.to_string());
        for (name, value) in [
            ("streams.per_user", per_user.to_string()),
            ("streams.per_tenant", number(per_tenant)),
            ("streams.most", number(most)),
            ("streams.heartbeat", span(Some(heartbeat))),
            ("streams.slow", span(Some(slow))),
        ] {
            self.add(name, String::new(), [("", value)]);
        }
    }

    fn fixed(&mut self, server: &Server, store: &StoreConfig, log: &Log) {
        let Server {
            listen,
            admin_listen,
            admin_token,
            admin_token_next,
            admin_networks,
            allowed_hosts,
            trusted_proxies,
            request_timeout,
            drain_time,
            shutdown_timeout,
            idle_timeout,
            max_connections,
            max_connections_per_client,
            max_body_memory,
        } = server;
        self.add("server.trusted_proxies", String::new(), [("", list(trusted_proxies))]);
        self.add("server.allowed_hosts", String::new(), [("", list(allowed_hosts))]);
        let [token, next] =
            [admin_token, admin_token_next].map(|token| token.as_ref().map(|Secret(token)| token));
        self.fixed = [
            ("server.listen", self.veiled(listen)),
            ("server.admin_listen", self.veiled(admin_listen)),
            ("server.admin_token", self.veiled(&token)),
            ("server.admin_token_next", self.veiled(&next)),
            ("server.admin_networks", self.veiled(admin_networks)),
            ("server.request_timeout", self.veiled(request_timeout)),
            ("server.drain_time", self.veiled(drain_time)),
            ("server.shutdown_timeout", self.veiled(shutdown_timeout)),
            ("server.idle_timeout", self.veiled(idle_timeout)),
            ("server.max_connections", self.veiled(max_connections)),
            ("server.max_connections_per_client", self.veiled(max_connections_per_client)),
            ("server.max_body_memory", self.veiled(max_body_memory)),
            ("store.url", self.veiled(&store.url)),
            ("store.min_free_space", self.veiled(&store.min_free_space)),
            ("store.readers", self.veiled(&store.readers)),
            ("store.lanes", self.veiled(&store.lanes)),
            ("store.connect_timeout", self.veiled(&store.connect_timeout)),
            ("store.statement_timeout", self.veiled(&store.statement_timeout)),
            ("store.lock_timeout", self.veiled(&store.lock_timeout)),
            ("store.commit_timeout", self.veiled(&store.commit_timeout)),
            ("store.clock_leeway", self.veiled(&store.clock_leeway)),
            ("log.format", self.veiled(&log.json)),
            ("log.level", self.veiled(&log.level)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    }

    fn tenant(&mut self, id: &TenantId, tenant: &Tenant) {
        let Tenant {
            users,
            seed_users,
            issuers,
            revoked,
            roles: _,
            ceiling,
            // Each key tells its own.
            key_quota: _,
            user_quota,
            strict_types,
            unknown_fields,
            retention,
            cors: Cors { allowed_origins, max_age },
            hooks,
        } = tenant;
        let Retention { read, unread, newest } = retention;
        let seed = match seed_users.as_slice() {
            [] => "none".to_owned(),
            // Profiles are people's data.
            some => format!("{} users ({})", some.len(), self.keyed(some, 6)),
        };
        let fields = [
            ("users", format!("{users:?}").to_lowercase()),
            ("seed", seed),
            ("revoked", self.revocations(revoked)),
            ("rate_limits.tenant", ceiling.map_or("none".to_owned(), quota)),
            ("rate_limits.per_user", quota(*user_quota)),
            ("strict_types", list(strict_types)),
            ("unknown_fields", unknown_fields.as_str().to_owned()),
            ("retention.read", span(*read)),
            ("retention.unread", span(*unread)),
            ("cors.allowed_origins", list(allowed_origins)),
            ("cors.max_age", span(Some(*max_age))),
            ("retention.newest", newest.map_or("all".to_owned(), |n| n.to_string())),
        ];
        self.add_of(Some(id), format!("tenant {id}"), String::new(), fields);
        issuers.iter().for_each(|issuer| self.issuer(id, issuer));
        hooks.iter().for_each(|(hook_id, hook)| self.hook(id, hook_id, hook));
    }

    fn issuer(&mut self, tenant: &TenantId, issuer: &Issuer) {
        let Issuer {
            issuer: iss,
            audience,
            audience_claim,
            algorithm,
            key: Secret(key),
            jwks,
            leeway,
            user_claims,
            roles_claim,
            roles,
            development: _,
        } = issuer;
        let of = match iss {
            Some(iss) => format!("issuer {} of {tenant}", quoted(iss)),
            None => format!("issuer of {tenant}"),
        };
        // Those of one name are told apart by their order, in which they are tried.
        let mut name = of.clone();
        let mut number = 1;
        while self.items.contains_key(&name) {
            number += 1;
            name = format!("{of} #{number}");
        }
        let fields = [
            ("audience", audience.as_deref().map_or("none".to_owned(), quoted)),
            ("audience_claim", quoted(audience_claim)),
            ("algorithm", format!("{algorithm:?}")),
            ("key", self.veiled(key)),
            // An address may hold a credential.
            ("jwks", jwks.as_ref().map_or("none".to_owned(), |jwks| self.veiled(jwks))),
            ("leeway", span(Some(*leeway))),
            ("user_claims", list(user_claims)),
            ("roles_claim", quoted(roles_claim)),
            ("roles", roles.as_ref().map_or("all".to_owned(), |roles| list(roles))),
        ];
        self.add_of(Some(tenant), name, String::new(), fields);
    }

    /// A role is told once, and again for a tenant where it allows something else.
    fn roles(&mut self, tenants: &IndexMap<TenantId, Tenant>) {
        let mut seen: BTreeMap<&str, Permissions> = BTreeMap::new();
        for (id, tenant) in tenants {
            for (role, permissions) in &tenant.roles {
                let common = *seen.entry(role).or_insert_with(|| {
                    self.add(format!("role {}", plain(role)), String::new(), allowed(*permissions));
                    *permissions
                });
                if common != *permissions {
                    let name = format!("role {} of {id}", plain(role));
                    self.add_of(Some(id), name, String::new(), allowed(*permissions));
                }
            }
        }
    }

    fn revocations(&self, revoked: &Revoked) -> String {
        let Revoked { jtis, users } = revoked;
        if jtis.is_empty() && users.is_empty() {
            return "none".to_owned();
        }
        let (jtis, users): (BTreeSet<_>, BTreeMap<_, _>) = (jtis.iter().collect(), users.iter().collect());
        let which = self.keyed(&(&jtis, &users), 6);
        format!("{} tokens, {} users ({which})", jtis.len(), users.len())
    }

    /// Enough to tell whether it is the same.
    fn veiled<T: Debug + ?Sized>(&self, value: &T) -> String {
        format!("{VEILED}{}", self.keyed(value, 12))
    }

    /// So many digits of a hash with the salt; all of them where there is none.
    fn keyed<T: Debug + ?Sized>(&self, value: &T, digits: usize) -> String {
        let mut hash = digest(&(&self.salt, digest(&(&self.salt, value))));
        if !self.salt.is_empty() {
            hash.truncate(digits);
        }
        hash
    }

    fn plugins(&mut self, registry: &Registry, sort: Sort) {
        let (word, kept) = (sort.word(), registry.kept(sort));
        for (name, versions) in registry.served(sort) {
            let state = if kept.contains(&name) { "broken, its last good version is served" } else { GOOD };
            let content = versions.iter().map(|source| source.fingerprint).collect::<Vec<_>>();
            let fields = [("content", self.veiled(&content)), (STATE, state.to_owned())];
            self.add(format!("{word} {}", plain(name)), String::new(), fields);
        }
        for name in registry.quarantined(sort) {
            let fields = [(STATE, "broken, not served".to_owned())];
            self.add(format!("{word} {}", plain(name)), String::new(), fields);
        }
    }
}

fn digest<T: Debug + ?Sized>(value: &T) -> String {
    hex(&Sha256::digest(format!("bellboard summary {value:?}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Text of a file in one line of a log.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", plain(text))
}

fn list<T: ToString>(values: &[T]) -> String {
    let values: Vec<_> = values.iter().map(|value| plain(&value.to_string())).collect();
    if values.is_empty() { "none".to_owned() } else { values.join(", ") }
}

fn quota(quota: Quota) -> String {
    format!("{}/s (burst {})", quota.per_second, quota.burst)
}

fn span(time: Option<Duration>) -> String {
    time.map_or("for ever".to_owned(), |time| format!("{time:?}"))
}

fn names(permissions: Permissions) -> String {
    let has: Vec<_> = Permission::ALL.iter().filter(|p| permissions.has(**p)).map(|p| p.as_str()).collect();
    list(&has)
}

fn allowed(permissions: Permissions) -> [(&'static str, String); 1] {
    [("permissions", names(permissions))]
}
