//! The hooks in force: who each sender is, how it is proved, and what becomes of what it brings.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::config::Sort;
use crate::{
    auth::{SenderProof, Usage, globs},
    config::{self, Config, Overload},
    domain::{Principal, PrincipalKind, TenantId},
    registry::{Mapping, Reception, Registry},
};

/// Every hook of every tenant, by id.
#[derive(Default)]
pub struct Hooks(HashMap<String, Arc<Hook>>);

/// One hook.
pub struct Hook {
    /// Its id.
    pub id: String,
    /// Who its sender is.
    pub principal: Arc<Principal>,
    /// The place of its tenant among the configured tenants.
    pub tenant: usize,
    /// Its place among all hooks; its limiter has the same.
    pub index: usize,
    /// How many bytes a body may have, where the hook says so.
    pub body_bytes: Option<usize>,
    /// How long an event is known.
    pub replay_memory: Duration,
    /// What came of the requests.
    pub usage: Arc<Usage>,
    /// What came of the events in them.
    pub tally: Arc<Tally>,
    /// How it works; nothing while its mapping is broken and never was good.
    pub works: Option<Works>,
}

/// How a hook works.
pub struct Works {
    /// What proves its sender.
    pub proof: SenderProof,
    /// What it answers a sender that comes too often.
    pub overload: Overload,
    /// How what is brought is mapped.
    pub mapping: Arc<Mapping>,
    /// What the mapping needs to know of the hook.
    pub reception: Reception,
}

/// Counts since the gateway's start. Snapshots hand it on while the hook stays configured.
#[derive(Debug, Default)]
pub struct Tally([AtomicU64; 6]);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Notifications that were stored.
    Stored,
    /// Those that had been stored before.
    Repeated,
    /// Events that no rule is for.
    Ignored,
    /// Those that could not be mapped, or that were refused.
    Refused,
    /// Those that were not stored for now; the sender is to try again.
    Failed,
    /// Those that named nobody that is known.
    Unknown,
}

impl Count {
    /// What may become of an event, with its name in metrics.
    pub const OUTCOMES: [(Self, &'static str); 5] = [
        (Self::Stored, "stored"),
        (Self::Repeated, "repeated"),
        (Self::Ignored, "ignored"),
        (Self::Refused, "refused"),
        (Self::Failed, "failed"),
    ];
}

impl Tally {
    /// Adds to a count.
    pub fn add(&self, what: Count, many: u64) {
        self.0[what as usize].fetch_add(many, Relaxed);
    }

    /// A count.
    pub fn get(&self, what: Count) -> u64 {
        self.0[what as usize].load(Relaxed)
    }
}

impl Hooks {
    /// Makes the configured hooks, and takes over from the previous ones what they have counted. The error names the
    /// hook that cannot be used, by its place in the files.
    pub(super) fn build(
        config: &Config,
        registry: &Registry,
        previous: Option<&Self>,
    ) -> Result<Self, String> {
        let mut hooks = HashMap::new();
        for (index, (tenant, name, id, settings)) in config.hooks().enumerate() {
            let before = previous.and_then(|p| p.0.get(id)).filter(|p| p.principal.tenant == *name);
            hooks.insert(
                id.to_owned(),
                Arc::new(Hook {
                    id: id.to_owned(),
                    principal: Arc::new(principal(name, id, settings)?),
                    tenant,
                    index,
                    body_bytes: settings.body_bytes,
                    replay_memory: settings.replay_memory,
                    usage: before.map(|p| Arc::clone(&p.usage)).unwrap_or_default(),
                    tally: before.map(|p| Arc::clone(&p.tally)).unwrap_or_default(),
                    works: works(settings, registry)?,
                }),
            );
        }
        Ok(Self(hooks))
    }

    /// The hook of an id.
    pub fn find(&self, id: &str) -> Option<&Arc<Hook>> {
        self.0.get(id)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Hook> {
        self.0.values().map(AsRef::as_ref)
    }
}

fn principal(tenant: &TenantId, id: &str, settings: &config::Hook) -> Result<Principal, String> {
    let name: Arc<str> = format!("hook:{id}").into();
    let allowed_types = globs(&settings.types).map_err(|e| format!("{}: {e}", settings.place))?;
    Ok(Principal {
        tenant: tenant.clone(),
        kind: PrincipalKind::Key { allowed_types: allowed_types.map(Arc::new) },
        permissions: settings.permissions,
        origin: Arc::clone(&name),
        name,
    })
}

fn works(hook: &config::Hook, registry: &Registry) -> Result<Option<Works>, String> {
    let config::Hook { mapping: name, place, .. } = hook;
    let Some(mapping) = registry.mapping(name) else {
        // What is broken is told by itself, and does not hold up the rest.
        if registry.quarantined(Sort::Mapping).contains(&name.as_str()) {
            return Ok(None);
        }
        let known: Vec<_> = registry.served(Sort::Mapping).into_iter().map(|(name, _)| name).collect();
        return Err(format!("{place}: there is no mapping {name}; known: {}", known.join(", ")));
    };
    let settings = mapping.settings(&hook.settings).map_err(|fault| format!("{place}: {fault}"))?;
    Ok(Some(Works {
        proof: SenderProof::new(
            hook.authentication.unwrap_or(mapping.authentication),
            &hook.secrets,
            hook.replay_window,
        ),
        overload: hook.overload.unwrap_or(mapping.overload),
        mapping: Arc::clone(mapping),
        reception: Reception {
            settings,
            recipients: hook.recipients.clone(),
            fallback: hook.fallback.clone(),
        },
    }))
}
