//! Rate limits: of each credential, of each tenant as a whole, and of failed authentications.

mod client;
mod failures;
mod limiter;
mod ticks;

pub use client::client_key;
pub use ticks::Ticks;

use std::{collections::HashMap, hash::Hash, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use failures::Failures;
use governor::state::{InMemoryState, NotKeyed, keyed::DashMapStateStore};
use limiter::Limiter;

use crate::{
    config::{Config, Quota},
    domain::{TenantId, UserId},
};

/// What a limit says to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitStatus {
    /// Which limit it is: `key`, `user`, `tenant` or `auth`.
    pub quota: &'static str,
    /// Requests at once.
    pub limit: u32,
    /// Requests a second.
    pub per_second: u32,
    /// Requests that would pass now.
    pub remaining: u32,
    /// Seconds until `limit` requests would pass again.
    pub reset: u64,
    /// Set when the request is denied: when to try again, in whole seconds, at least one.
    pub retry_after: Option<Duration>,
}

impl LimitStatus {
    /// Whether it lets the request pass.
    pub fn passes(&self) -> bool {
        self.retry_after.is_none()
    }

    /// Seconds in which a wholly spent limit fills up.
    pub fn window(&self) -> u64 {
        u64::from(self.limit).div_ceil(u64::from(self.per_second.max(1)))
    }
}

/// Whose own limit a request spends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spender {
    /// The API key at that place of the configuration.
    Key(usize),
    /// The hook at that place of the configuration.
    Hook(usize),
    /// A user of the tenant.
    User(UserId),
}

type Single = Limiter<NotKeyed, InMemoryState>;
type PerUser = Limiter<UserId, DashMapStateStore<UserId>>;

/// Every limiter of a snapshot. Those of an earlier snapshot whose credential and quota are the same
/// live on in the next, with what they have counted.
pub struct Limiters {
    ticks: Ticks,
    keys: Vec<([u8; 32], Arc<Single>)>,
    hooks: Vec<((TenantId, String), Arc<Single>)>,
    tenants: Vec<TenantLimiters>,
    failures: Arc<Failures>,
}

struct TenantLimiters {
    id: TenantId,
    ceiling: Option<Arc<Single>>,
    /// Grows only with users who hold a valid token, and [`Limiters::tidy`] shrinks it again.
    users: Arc<PerUser>,
}

impl Limiters {
    /// Makes the limiters of the configured keys and tenants. `ticks` counts only when there is no
    /// previous set, whose time goes on.
    pub fn build(config: &Config, previous: Option<&Self>, ticks: Ticks) -> Self {
        let ticks = previous.map_or(ticks, |p| p.ticks.clone());
        let old = previous.map(Earlier::of).unwrap_or_default();
        let keys = config.keys.iter().map(|key| {
            let kept = keep(&old.keys, key.hash, key.quota);
            (key.hash, kept.unwrap_or_else(|| Arc::new(Limiter::new("key", key.quota, &ticks))))
        });
        let hooks = config.hooks().map(|(_, tenant, id, hook)| {
            let whose = (tenant.clone(), id.to_owned());
            let kept = keep(&old.hooks, &whose, hook.quota);
            (whose, kept.unwrap_or_else(|| Arc::new(Limiter::new("key", hook.quota, &ticks))))
        });
        let tenants = config.tenants.iter().map(|(id, tenant)| TenantLimiters {
            id: id.clone(),
            ceiling: tenant.ceiling.map(|quota| {
                let kept = keep(&old.ceilings, id, quota);
                kept.unwrap_or_else(|| Arc::new(Limiter::new("tenant", quota, &ticks)))
            }),
            users: keep(&old.users, id, tenant.user_quota)
                .unwrap_or_else(|| Arc::new(Limiter::new("user", tenant.user_quota, &ticks))),
        });
        let (keys, hooks, tenants) = (keys.collect(), hooks.collect(), tenants.collect());
        let failures = previous
            .map(|p| &p.failures)
            .filter(|failures| failures.quota() == config.failed_auth)
            .cloned()
            .unwrap_or_else(|| Arc::new(failures::new(config.failed_auth, &ticks)));
        Self { ticks, keys, hooks, tenants, failures }
    }

    /// Spends one request of the spender's own limit and then of its tenant's ceiling, and tells the
    /// one with the least left.
    ///
    /// The spender's limit comes first: what it denies never reaches the ceiling, so a noisy key takes
    /// no more of it than its own rate. The price is that a request that the ceiling denies has spent
    /// one of its spender's own, which harms nobody else.
    pub fn check(&self, tenant: usize, spender: Spender) -> LimitStatus {
        // Places come from the same snapshot; one out of range is denied rather than let through.
        let Some(own) = self.own(tenant, spender) else { return NO_SUCH_PLACE };
        let status = own.check();
        match self.ceiling(tenant).filter(|_| status.passes()) {
            Some(ceiling) => tighter(status, ceiling.check()),
            None => status,
        }
    }

    /// The most requests that pass at once: of the spender's own limit, and of its tenant's ceiling.
    pub fn burst(&self, tenant: usize, spender: Spender) -> u32 {
        let own = self.own(tenant, spender).map_or(0, |own| own.quota().burst);
        self.ceiling(tenant).map_or(own, |ceiling| own.min(ceiling.quota().burst))
    }

    /// Spends further requests of what has spent one already: all of them or none, as what the ceiling denies is given
    /// back here. (It tries the ceiling no more often for that: each try has cost the one before.) They must be fewer than
    /// [`Limiters::burst`].
    pub fn check_more(&self, tenant: usize, spender: Spender, more: NonZeroU32) -> LimitStatus {
        let Some(own) = self.own(tenant, spender) else { return NO_SUCH_PLACE };
        let status = own.check_n(more).unwrap_or(NO_SUCH_PLACE);
        let Some(ceiling) = self.ceiling(tenant).filter(|_| status.passes()) else { return status };
        let ceiling = ceiling.check_n(more).unwrap_or(NO_SUCH_PLACE);
        if !ceiling.passes() {
            own.give_back(more);
        }
        tighter(status, ceiling)
    }

    fn own(&self, tenant: usize, spender: Spender) -> Option<Own<'_>> {
        match spender {
            Spender::Key(index) => self.keys.get(index).map(|(_, limiter)| Own::Single(limiter)),
            Spender::Hook(index) => self.hooks.get(index).map(|(_, limiter)| Own::Single(limiter)),
            Spender::User(user) => self.tenants.get(tenant).map(|tenant| Own::User(&tenant.users, user)),
        }
    }

    fn ceiling(&self, tenant: usize) -> Option<&Single> {
        self.tenants.get(tenant)?.ceiling.as_deref()
    }

    /// Counts a failed authentication from an address; denied when there were too many. It is never
    /// asked for a valid credential, so nobody is locked out by others behind the same address.
    pub fn check_failure(&self, client: IpAddr) -> LimitStatus {
        self.failures.check_key(&client_key(client))
    }

    /// Counts a failure that nobody waits for an answer to.
    pub fn count_failure(&self, client: IpAddr) {
        self.check_failure(client);
    }

    /// Whether an address is over the limit of failed authentications. It counts none.
    pub fn is_suspect(&self, client: IpAddr) -> bool {
        let client = client_key(client);
        let passes = self.failures.check_key(&client).passes();
        if passes {
            self.failures.give_back(&client, NonZeroU32::MIN);
        }
        !passes
    }

    /// Forgets users who have been quiet for so long that their limits are full again. To be called
    /// about once a minute.
    pub fn tidy(&self) {
        for tenant in &self.tenants {
            tenant.users.tidy();
        }
    }
}

/// What to tell of a request that a spender's own limit lets pass.
fn tighter(own: LimitStatus, ceiling: LimitStatus) -> LimitStatus {
    if !ceiling.passes() || ceiling.remaining < own.remaining { ceiling } else { own }
}

/// A spender's own limit.
enum Own<'a> {
    Single(&'a Single),
    User(&'a PerUser, UserId),
}

impl Own<'_> {
    fn quota(&self) -> Quota {
        match self {
            Self::Single(limiter) => limiter.quota(),
            Self::User(limiter, _) => limiter.quota(),
        }
    }

    fn check(&self) -> LimitStatus {
        match self {
            Self::Single(limiter) => limiter.check(),
            Self::User(limiter, user) => limiter.check_key(user),
        }
    }

    fn check_n(&self, requests: NonZeroU32) -> Option<LimitStatus> {
        match self {
            Self::Single(limiter) => limiter.check_n(requests),
            Self::User(limiter, user) => limiter.check_key_n(user, requests),
        }
    }

    fn give_back(&self, requests: NonZeroU32) {
        match self {
            Self::Single(limiter) => limiter.give_back(&NotKeyed::NonKey, requests),
            Self::User(limiter, user) => limiter.give_back(user, requests),
        }
    }
}

const NO_SUCH_PLACE: LimitStatus = LimitStatus {
    quota: "key",
    limit: 0,
    per_second: 0,
    remaining: 0,
    reset: 1,
    retry_after: Some(Duration::from_secs(1)),
};

/// The limiters of the previous snapshot by whom they limit.
#[derive(Default)]
struct Earlier<'a> {
    keys: HashMap<[u8; 32], &'a Arc<Single>>,
    hooks: HashMap<&'a (TenantId, String), &'a Arc<Single>>,
    ceilings: HashMap<&'a TenantId, &'a Arc<Single>>,
    users: HashMap<&'a TenantId, &'a Arc<PerUser>>,
}

impl<'a> Earlier<'a> {
    fn of(limiters: &'a Limiters) -> Self {
        Self {
            keys: limiters.keys.iter().map(|(hash, limiter)| (*hash, limiter)).collect(),
            hooks: limiters.hooks.iter().map(|(whose, limiter)| (whose, limiter)).collect(),
            ceilings: limiters.tenants.iter().filter_map(|t| Some((&t.id, t.ceiling.as_ref()?))).collect(),
            users: limiters.tenants.iter().map(|t| (&t.id, &t.users)).collect(),
        }
    }
}

fn keep<I: Eq + Hash, K, S: governor::state::StateStore<Key = K>>(
    earlier: &HashMap<I, &Arc<Limiter<K, S>>>,
    whom: I,
    quota: Quota,
) -> Option<Arc<Limiter<K, S>>> {
    earlier.get(&whom).filter(|limiter| limiter.quota() == quota).map(|limiter| Arc::clone(limiter))
}

#[cfg(test)]
mod tests;
