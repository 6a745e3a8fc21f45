//! One limiter: its name, its quota and what it has counted.

use std::{hash::Hash, num::NonZeroU32, sync::Arc, time::Duration};

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
    /// What a request costs, in time.
    interval: Nanos,
    state: Arc<S>,
    inner: RateLimiter<K, Shared<S>, Ticks, StateInformationMiddleware>,
}

/// The state of a limiter, shared with it so that what was spent can be given back.
pub(super) struct Shared<S>(Arc<S>);

impl<S: StateStore> StateStore for Shared<S> {
    type Key = S::Key;

    fn measure_and_replace<T, F, E>(&self, key: &Self::Key, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, f)
    }
}

impl<K: Hash + Eq + Clone, S: ShrinkableKeyedStateStore<K>> ShrinkableKeyedStateStore<K> for Shared<S> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        self.0.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

type Outcome = Result<StateSnapshot, NotUntil<Nanos>>;

impl<K, S: StateStore<Key = K>> Limiter<K, S> {
    pub(super) fn with_state(name: &'static str, quota: Quota, ticks: &Ticks, state: S) -> Self {
        let per_second = NonZeroU32::new(quota.per_second).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(quota.burst).unwrap_or(NonZeroU32::MIN);
        let rate = governor::Quota::per_second(per_second).allow_burst(burst);
        let state = Arc::new(state);
        let inner = RateLimiter::new(rate, Shared(Arc::clone(&state)), ticks.clone());
        Self { name, quota, interval: rate.replenish_interval().into(), state, inner }
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

    /// Gives back so many requests that were spent.
    pub(super) fn give_back(&self, key: &K, requests: NonZeroU32) {
        let spent = self.interval * u64::from(requests.get());
        // What is forgotten since was full again.
        let _ = self
            .state
            .measure_and_replace(key, |until| until.map(|until| ((), until.saturating_sub(spent))).ok_or(()));
    }

    /// What came of asking for so many requests at once, of which a client that tries again spends `first` before.
    fn status(&self, requests: u32, first: u64, outcome: Outcome) -> LimitStatus {
        let (remaining, retry_after) = match outcome {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => {
                let wait = until.wait_time_from(self.inner.clock().now());
                let missing = Nanos::from(wait).as_u64().div_ceil(self.interval.as_u64().max(1)).max(1);
                let remaining = u64::from(requests).saturating_sub(missing);
                (
                    u32::try_from(remaining).unwrap_or(0),
                    Some(whole_seconds(wait + Duration::from(self.interval * first))),
                )
            }
        };
        let Quota { per_second, burst: limit } = self.quota;
        let spent = u64::from(limit.saturating_sub(remaining));
        let reset = spent.div_ceil(u64::from(per_second.max(1)));
        LimitStatus { quota: self.name, limit, per_second, remaining, reset, retry_after }
    }
}

impl Limiter<NotKeyed, InMemoryState> {
    pub(super) fn check(&self) -> LimitStatus {
        self.status(1, 0, self.inner.check())
    }

    /// Spends so many further requests or none; `None` where so many never pass at once.
    pub(super) fn check_n(&self, requests: NonZeroU32) -> Option<LimitStatus> {
        let outcome = self.inner.check_n(requests).ok()?;
        Some(self.status(requests.get(), 1, outcome))
    }
}

impl<K: Hash + Eq + Clone, S: StateStore<Key = K>> Limiter<K, S> {
    pub(super) fn check_key(&self, key: &K) -> LimitStatus {
        self.status(1, 0, self.inner.check_key(key))
    }

    /// Spends so many further requests or none; `None` where so many never pass at once.
    pub(super) fn check_key_n(&self, key: &K, requests: NonZeroU32) -> Option<LimitStatus> {
        let outcome = self.inner.check_key_n(key, requests).ok()?;
        Some(self.status(requests.get(), 1, outcome))
    }
}

impl<K: Hash + Eq + Clone, S: ShrinkableKeyedStateStore<K>> Limiter<K, S> {
    pub(super) fn tidy(&self) {
        self.inner.retain_recent();
        self.inner.shrink_to_fit();
    }

    /// What it has counted, to look at.
    #[cfg(test)]
    pub(super) fn state(&self) -> &S {
        &self.state
    }
}

/// Rounded up, as `Retry-After` counts whole seconds and zero would invite a client to spin.
fn whole_seconds(wait: Duration) -> Duration {
    let up = u64::from(wait.subsec_nanos() > 0);
    Duration::from_secs((wait.as_secs() + up).max(1))
}
