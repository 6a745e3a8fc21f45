//! All that hot reload swaps, in one immutable value that a request holds from its first line to its
//! last.

mod diff;
mod hooks;
mod summary;

use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::{ArcSwap, ArcSwapOption};
use globset::{Glob, GlobSet, GlobSetBuilder};
use indexmap::IndexMap;
use ipnet::IpNet;
use tokio::sync::watch;

use crate::{
    auth::{Keys, Tokens},
    config::{Config, Retention, Revoked, Streams, Tenant, UnknownFields, UserMode},
    domain::{Error, Limits, Result, TenantId},
    limit::{Limiters, Ticks},
    registry::Registry,
};

pub use diff::{Difference, differences, line};
pub use hooks::{Count, Hook, Hooks, Tally, Works};
pub use summary::{Item, Summary};

/// The gateway's settings at work.
pub struct Snapshot {
    /// 1 at start, one more with each reload.
    pub generation: u64,
    /// How large things may be.
    pub limits: Limits,
    /// The API keys.
    pub keys: Keys,
    /// What receives from senders that cannot speak the API.
    pub hooks: Hooks,
    /// What verifies bearer tokens.
    pub tokens: Arc<Tokens>,
    /// The rate limits, with what they have counted.
    pub limiters: Limiters,
    /// The notification types.
    pub registry: Arc<Registry>,
    /// The tenants, in the order of the configuration.
    pub tenants: IndexMap<TenantId, TenantSettings>,
    /// The live streams.
    pub streams: Streams,
    /// How long the audit record is kept.
    pub audit_retention: Duration,
    /// How long a user may restore what they deleted.
    pub restore_time: Duration,
    /// The origins that some tenant allows, and how long a browser may remember it.
    pub origins: HashMap<String, Duration>,
    /// The proxies whose forwarding headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// The hosts, in lower case, under which who is trusted by address alone may ask.
    pub allowed_hosts: Vec<String>,
    /// Some credential stands in the published documentation.
    pub has_published: bool,
    /// All of it for people, and its hash.
    pub summary: Summary,
    /// It was made from what was kept, as the files were broken at the start.
    pub last_good: bool,
    /// What the reload that made it changed, a line each.
    pub changes: Vec<String>,
}

/// What a tenant has of its own, besides credentials and limits.
#[derive(Debug, Clone)]
pub struct TenantSettings {
    /// Whether a send to an unknown user creates the user.
    pub users: UserMode,
    /// How long notifications stay.
    pub retention: Retention,
    /// The origins whose pages may ask as its users do.
    pub origins: Vec<String>,
    /// Bearer tokens that are refused though they are still valid. Apart from what verifies tokens, so
    /// that a change of it leaves their memory alone.
    pub revoked: Arc<Revoked>,
    strict_types: GlobSet,
    /// What becomes of a send with fields that are unknown.
    pub unknown_fields: UnknownFields,
}

impl Snapshot {
    /// Builds all of it, or nothing: the error says which key or issuer is unusable and why, and
    /// shows no secret. Limiters and remembered tokens live on from the previous snapshot where what
    /// they stand for did not change.
    pub fn build(config: &Config, registry: Arc<Registry>, previous: Option<&Self>) -> Result<Self, String> {
        Self::build_with(config, registry, previous, Ticks::default())
    }

    /// The same, with the time that limiters count in when there is no previous snapshot.
    pub fn build_with(
        config: &Config,
        registry: Arc<Registry>,
        previous: Option<&Self>,
        ticks: Ticks,
    ) -> Result<Self, String> {
        let mut tenants = IndexMap::with_capacity(config.tenants.len());
        for (id, tenant) in &config.tenants {
            let settings = TenantSettings::build(tenant).map_err(|e| format!("tenant {id}: {e}"))?;
            tenants.insert(id.clone(), settings);
        }
        let salt = previous.map_or_else(Summary::new_salt, |p| p.summary.salt.clone());
        let summary = Summary::of(config, &registry, &salt);
        Ok(Self {
            generation: previous.map_or(1, |p| p.generation + 1),
            limits: config.limits,
            hooks: Hooks::build(config, &registry, previous.map(|p| &p.hooks))?,
            keys: Keys::build(config, previous.map(|p| &p.keys))?,
            tokens: Tokens::build(config, previous.map(|p| &p.tokens))?,
            limiters: Limiters::build(config, previous.map(|p| &p.limiters), ticks),
            registry,
            tenants,
            streams: Streams {
                // A silent connection ends.
                heartbeat: config.streams.heartbeat.min(config.server.idle_timeout / 2),
                ..config.streams
            },
            audit_retention: config.audit_retention,
            restore_time: config.restore_time,
            origins: all_origins(config),
            trusted_proxies: config.server.trusted_proxies.clone(),
            allowed_hosts: config.server.allowed_hosts.clone(),
            has_published: !config.development_credentials().is_empty(),
            summary,
            last_good: false,
            changes: Vec::new(),
        })
    }

    /// The same, with no types of its own.
    #[cfg(test)]
    pub(crate) fn fixture(config: &Config, previous: Option<&Self>, ticks: Ticks) -> Result<Self, String> {
        Self::build_with(config, Arc::default(), previous, ticks)
    }

    /// A tenant's settings. Every principal's tenant has some: keys and issuers are built from them.
    pub fn tenant(&self, id: &TenantId) -> Result<&TenantSettings> {
        self.tenants.get(id).ok_or_else(|| Error::Internal(format!("a principal of the unknown tenant {id}")))
    }
}

/// Nobody says whose a preflight is: it may be remembered for the shortest time that any tenant sets.
fn all_origins(config: &Config) -> HashMap<String, Duration> {
    let mut all = HashMap::new();
    for tenant in config.tenants.values() {
        for origin in &tenant.cors.allowed_origins {
            let age = all.entry(origin.clone()).or_insert(tenant.cors.max_age);
            *age = tenant.cors.max_age.min(*age);
        }
    }
    all
}

impl TenantSettings {
    fn build(tenant: &Tenant) -> Result<Self, globset::Error> {
        let mut strict = GlobSetBuilder::new();
        for pattern in &tenant.strict_types {
            strict.add(Glob::new(pattern)?);
        }
        Ok(Self {
            users: tenant.users,
            retention: tenant.retention,
            origins: tenant.cors.allowed_origins.clone(),
            revoked: Arc::new(tenant.revoked.clone()),
            strict_types: strict.build()?,
            unknown_fields: tenant.unknown_fields,
        })
    }

    /// Whether a type's advisory problems refuse a notification here.
    pub fn is_strict(&self, type_name: &str) -> bool {
        self.strict_types.is_match(type_name)
    }
}

/// Where the snapshot that serves is found, and swapped. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Shared(Arc<Serving>);

struct Serving {
    snapshot: ArcSwap<Snapshot>,
    swapped: watch::Sender<()>,
    /// Why what the files say now is not in force.
    refused: ArcSwapOption<String>,
}

impl Shared {
    /// Starts with a snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        let (swapped, _) = watch::channel(());
        Self(Arc::new(Serving {
            snapshot: ArcSwap::from_pointee(snapshot),
            swapped,
            refused: ArcSwapOption::empty(),
        }))
    }

    /// The snapshot that serves now, to be held for a whole request.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// Makes that snapshot serve from the next request on.
    pub fn store(&self, snapshot: Snapshot) {
        self.0.snapshot.store(Arc::new(snapshot));
        self.0.swapped.send_replace(());
    }

    /// Notes why what the files say is refused; `None` once it is in force.
    pub fn note_refused(&self, why: Option<String>) {
        self.0.refused.store(why.map(Arc::new));
    }

    /// Why what the files say is refused.
    pub fn refused(&self) -> Option<Arc<String>> {
        self.0.refused.load_full()
    }

    /// Says that what the snapshot verified may not hold any more, though no other one serves.
    pub fn credentials_changed(&self) {
        self.0.swapped.send_replace(());
    }

    /// Changes whenever another snapshot serves, or the keys of an issuer, for those who stay longer than a request.
    pub fn swaps(&self) -> watch::Receiver<()> {
        self.0.swapped.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fixture::{config, issuer, key, tenant};

    fn build(config: &Config, previous: Option<&Snapshot>) -> Result<Snapshot, String> {
        Snapshot::fixture(config, previous, Ticks::fixed())
    }

    #[test]
    fn a_reload_counts_up_and_keeps_remembered_tokens_only_for_the_same_issuers() {
        let mut config = config();
        config.tenants[0].issuers.push(issuer());
        config.tenants[0].strict_types.push("billing_*".into());
        let first = build(&config, None).unwrap();
        config.keys.push(key("one"));
        let second = build(&config, Some(&first)).unwrap();
        assert_eq!((first.generation, second.generation), (1, 2));
        assert!(Arc::ptr_eq(&first.tokens, &second.tokens));
        assert!(second.tenant(&TenantId::default()).unwrap().is_strict("billing_invoice"));
        assert!(!second.tenant(&TenantId::default()).unwrap().is_strict("ticket_reply"));

        config.tenants[0].roles.shift_remove("admin");
        let third = build(&config, Some(&second)).unwrap();
        assert!(!Arc::ptr_eq(&second.tokens, &third.tokens));
        let shared = Shared::new(third);
        shared.store(build(&config, Some(&shared.load())).unwrap());
        assert_eq!(shared.load().generation, 4);
    }

    #[test]
    fn what_cannot_be_built_is_named() {
        let mut config = config();
        config.tenants[0].strict_types.push("[".into());
        assert!(build(&config, None).err().unwrap().contains("tenant default"));
        config.tenants[0].strict_types.clear();
        config.keys.push(crate::config::ApiKey { tenant: tenant("nobody"), ..key("one") });
        assert!(build(&config, None).err().unwrap().contains("nobody"));
    }
}
