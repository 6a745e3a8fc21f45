//! One limiter: its name, its quota and what it has counted.

use std::{hash::Hash, num::NonZeroU32, time::Duration};

use governor::{
    NotUntil, RateLimiter,
    clock::Clock,
    middleware::{StateInformationMiddleware, StateSnapshot},
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore, keyed::ShrinkableKeyedStateStore},
};

use super::{LimitStatus, Ticks};
use crate::config::Quota;

pub(super) struct Limiter<K, S: StateStore<Key = K>> {
    name: &'static str,
    quota: Quota,
    inner: RateLimiter<K, S, Ticks, StateInformationMiddleware>,
}

impl<K, S: StateStore<Key = K>> Limiter<K, S> {
    pub(super) fn with_state(name: &'static str, quota: Quota, ticks: &Ticks, state: S) -> Self {
        let per_second = NonZeroU32::new(quota.per_second).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(quota.burst).unwrap_or(NonZeroU32::MIN);
        let rate = governor::Quota::per_second(per_second).allow_burst(burst);
        Self { name, quota, inner: RateLimiter::new(rate, state, ticks.clone()) }
    }

    pub(super) fn new(name: &'static str, quota: Quota, ticks: &Ticks) -> Self
    where
        S: Default,
    {
        Self::with_state(name, quota, ticks, S::default())
    }

    pub(super) fn quota(&self) -> Quota {
        self.quota
    }

    fn status(&self, outcome: Result<StateSnapshot, NotUntil<Nanos>>) -> LimitStatus {
        let (remaining, retry_after) = match outcome {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => (0, Some(whole_seconds(until.wait_time_from(self.inner.clock().now())))),
        };
        let Quota { per_second, burst: limit } = self.quota;
        let spent = u64::from(limit.saturating_sub(remaining));
        let reset = spent.div_ceil(u64::from(per_second.max(1)));
        LimitStatus { quota: self.name, limit, per_second, remaining, reset, retry_after }
    }
}

impl Limiter<NotKeyed, InMemoryState> {
    pub(super) fn check(&self) -> LimitStatus {
        self.status(self.inner.check())
    }
}

impl<K: Hash + Eq + Clone, S: StateStore<Key = K>> Limiter<K, S> {
    pub(super) fn check_key(&self, key: &K) -> LimitStatus {
        self.status(self.inner.check_key(key))
    }
}

impl<K: Hash + Eq + Clone, S: ShrinkableKeyedStateStore<K>> Limiter<K, S> {
    pub(super) fn tidy(&self) {
        self.inner.retain_recent();
        self.inner.shrink_to_fit();
    }

    /// What it has counted, to look at.
    #[cfg(test)]
    pub(super) fn into_state(self) -> S {
        self.inner.into_state_store()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.inner.len()
    }
}

/// Rounded up, as `Retry-After` counts whole seconds and zero would invite a client to spin.
fn whole_seconds(wait: Duration) -> Duration {
    let up = u64::from(wait.subsec_nanos() > 0);
    Duration::from_secs((wait.as_secs() + up).max(1))
}
