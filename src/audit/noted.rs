//! What was noted already, in bounded memory: keys used today, and which refusals are recorded.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::domain::{TenantId, Timestamp};

const DAY: i64 = 86_400 * 1_000_000;
/// How many keys are remembered; the use of more is not recorded that day.
const MOST_KEYS: usize = 100_000;
/// Refusals recorded at once, and then one each minute: at most some 90 MB in 400 days.
const REFUSALS_AT_ONCE: u32 = 20;
/// Of one known credential, and then one each hour.
const OF_ONE_AT_ONCE: u32 = 5;
/// How many known credentials are told apart at a time.
const MOST_KNOWN: usize = 10_000;

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
        Self::at(Quota::per_minute(NonZeroU32::MIN), REFUSALS_AT_ONCE)
    }
}

impl Refusals {
    fn at(quota: Quota, burst: u32) -> Self {
        let quota = quota.allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
        Self { rate: RateLimiter::direct(quota), unrecorded: AtomicU64::new(0) }
    }

    /// Whether to record one: then how many since the last recorded one were not.
    pub fn admit(&self) -> Option<u64> {
        if self.rate.check().is_ok() {
            return Some(self.unrecorded.swap(0, Ordering::Relaxed));
        }
        self.unrecorded.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// The refusals of known credentials: one that is tried without end crowds out no other, and all together
/// are bounded too.
#[derive(Default)]
pub(super) struct KnownRefusals {
    all: Refusals,
    each: Mutex<HashMap<(TenantId, Arc<str>), Refusals>>,
}

impl KnownRefusals {
    /// Whether to record one of a principal: then how many of its own since the last recorded one were not.
    pub fn admit(&self, tenant: &TenantId, name: &Arc<str>) -> Option<u64> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let whose = (tenant.clone(), Arc::clone(name));
        if each.len() >= MOST_KNOWN && !each.contains_key(&whose) {
            each.clear();
        }
        let own = || Refusals::at(Quota::per_hour(NonZeroU32::MIN), OF_ONE_AT_ONCE);
        let own = each.entry(whose).or_insert_with(own);
        let unrecorded = own.admit()?;
        if self.all.admit().is_none() {
            own.unrecorded.fetch_add(unrecorded + 1, Ordering::Relaxed);
            return None;
        }
        Some(unrecorded)
    }
}

/// The refusals of configurations: the same one in a row is recorded once.
#[derive(Default)]
pub(super) struct RefusedReloads {
    last: Mutex<String>,
    all: Refusals,
}

impl RefusedReloads {
    /// Whether to record one.
    pub fn admit(&self, why: &str) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == why {
            return false;
        }
        why.clone_into(&mut last);
        self.all.admit().is_some()
    }

    /// A configuration was accepted: a refusal like the last one is another one.
    pub fn end(&self) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_known_credential_crowds_out_no_other_and_all_are_bounded() {
        let (refusals, tenant) = (KnownRefusals::default(), TenantId::default());
        let tried = |name: &str, times: usize| {
            let name = name.into();
            (0..times).filter_map(|_| refusals.admit(&tenant, &name)).collect::<Vec<_>>()
        };
        assert_eq!(tried("key:a", 1_000), [0; OF_ONE_AT_ONCE as usize]);
        assert_eq!(tried("key:b", 2), [0; 2]);
        let others: usize = (0..MOST_KNOWN * 2).map(|n| tried(&format!("key:{n}"), 1).len()).sum();
        assert_eq!(others, REFUSALS_AT_ONCE as usize - 7);
        assert!(refusals.each.lock().unwrap().len() <= MOST_KNOWN);
    }

    #[test]
    fn the_same_refusal_of_a_configuration_is_told_once() {
        let refused = RefusedReloads::default();
        let told = ["a", "a", "b", "a"].map(|why| refused.admit(why));
        assert_eq!(told, [true, false, true, true]);
        refused.end();
        assert!(refused.admit("a"));
        assert!((0..100).filter(|n| refused.admit(&n.to_string())).count() < 20);
    }

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
