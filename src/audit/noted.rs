//! What was noted already, in bounded memory: keys used today, and how many refusals are recorded.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::domain::{TenantId, Timestamp};

const DAY: i64 = 86_400 * 1_000_000;
/// How many keys are remembered; the use of more is not recorded that day.
const MOST_KEYS: usize = 100_000;
/// Refusals recorded at once, and then each minute: at most some 90 MB in 400 days.
const REFUSALS_AT_ONCE: u32 = 20;

/// The start of the day in UTC.
pub(super) fn day_start(now: Timestamp) -> Timestamp {
    Timestamp(now.0.div_euclid(DAY) * DAY)
}

/// The keys used on one day.
#[derive(Default)]
pub(super) struct UsedKeys(RwLock<Day>);

#[derive(Default)]
struct Day {
    start: i64,
    /// By the principal's name, which says all but which tenant a key belonged to.
    keys: HashMap<Arc<str>, TenantId>,
}

impl Day {
    fn knows(&self, tenant: &TenantId, name: &str, start: i64) -> bool {
        self.start == start && self.keys.get(name) == Some(tenant)
    }
}

impl UsedKeys {
    /// Whether this is the key's first use of the day.
    pub fn is_new(&self, tenant: &TenantId, name: &str, now: Timestamp) -> bool {
        let start = day_start(now).0;
        if self.0.read().unwrap_or_else(PoisonError::into_inner).knows(tenant, name, start) {
            return false;
        }
        let mut day = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // A request that began before midnight may come after one that began later.
        if start < day.start || day.knows(tenant, name, start) {
            return false;
        }
        if start > day.start {
            *day = Day { start, keys: HashMap::new() };
        }
        if day.keys.len() >= MOST_KEYS {
            return false;
        }
        day.keys.insert(name.into(), tenant.clone());
        true
    }

    /// Takes a key's use back.
    pub fn forget(&self, tenant: &TenantId, name: &str) {
        let mut day = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if day.keys.get(name) == Some(tenant) {
            day.keys.remove(name);
        }
    }
}

/// Decides which refusals are recorded, so that nobody can fill the disk with them.
pub(super) struct Refusals {
    rate: DefaultDirectRateLimiter,
    unrecorded: AtomicU64,
}

impl Default for Refusals {
    fn default() -> Self {
        let burst = NonZeroU32::new(REFUSALS_AT_ONCE).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(NonZeroU32::MIN).allow_burst(burst);
        Self { rate: RateLimiter::direct(quota), unrecorded: AtomicU64::new(0) }
    }
}

impl Refusals {
    /// Whether to record one: then how many since the last recorded one were not.
    pub fn admit(&self) -> Option<u64> {
        if self.rate.check().is_ok() {
            return Some(self.unrecorded.swap(0, Ordering::Relaxed));
        }
        self.unrecorded.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_once_a_day_in_each_tenant() {
        let used = UsedKeys::default();
        let (home, other) = (TenantId::default(), TenantId::new("other").unwrap());
        let noon = Timestamp(DAY * 100 + DAY / 2);
        let next = Timestamp(noon.0 + DAY);
        assert!(used.is_new(&home, "key:a", noon) && !used.is_new(&home, "key:a", noon));
        assert!(used.is_new(&home, "key:b", noon));
        assert!(used.is_new(&home, "key:a", next) && !used.is_new(&home, "key:a", noon), "a late one is old");
        used.forget(&home, "key:a");
        assert!(used.is_new(&home, "key:a", next));
        assert!(used.is_new(&other, "key:a", next), "the key moved");
    }

    #[test]
    fn refusals_beyond_the_rate_are_counted_instead() {
        let refusals = Refusals::default();
        let recorded = (0..1_000).filter(|_| refusals.admit().is_some()).count();
        assert_eq!(recorded, REFUSALS_AT_ONCE as usize);
        assert_eq!(refusals.unrecorded.load(Ordering::Relaxed), 980);
    }
}
