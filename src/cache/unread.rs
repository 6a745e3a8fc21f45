//! Unread counts, remembered until the inbox changes.
//!
//! The cache does no arithmetic. Each inbox belongs to a stripe with a generation, which the
//! writer moves on after a commit and before it answers. A reader takes the generation first and
//! loads under a key that contains it: what was loaded before a commit can only stand under a key
//! that nobody asks for after the answer.
//!
//! Where others than this process write to the store too, no writer here hears of what they change. Then the key
//! also contains the slice of time: whatever was or was not heard, a count is remembered that long and no longer.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::future::Cache;
use moka::policy::EvictionPolicy;

use crate::domain::{Error, Head, Result, TenantId, Timestamp, UserId};

/// Inboxes share a generation with one in so many others, which costs them a load now and then.
const STRIPES: usize = 1 << 14;

/// Unread counts by inbox. Cheap to share behind an `Arc`.
pub struct UnreadCache {
    stripes: Box<[AtomicU64]>,
    hasher: RandomState,
    counts: Cache<Key, Head>,
    /// How long a slice of time is, where there are slices, and when the first began.
    slice: Option<Duration>,
    began: Instant,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant: TenantId,
    user: UserId,
    generation: u64,
    slice: u64,
}

impl UnreadCache {
    /// A cache of so many counts, each remembered no longer than `longest`, where others may change it unheard.
    pub fn new(capacity: u64, longest: Option<Duration>) -> Self {
        let mut counts = Cache::builder()
            .max_capacity(capacity)
            // Keys of past generations are never asked for again: the oldest must go first, not
            // the least popular, which would be every new one.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(Duration::from_secs(3600));
        if let Some(longest) = longest {
            // Only so that the keys of past slices take no room.
            counts = counts.time_to_live(longest);
        }
        Self {
            stripes: (0..STRIPES).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            counts: counts.build(),
            slice: longest,
            began: Instant::now(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Forgets the count of an inbox. To be called after the commit that changed it and before
    /// anyone is told of the commit.
    pub fn bump(&self, tenant: &TenantId, user: UserId) {
        self.stripe(self.hash(tenant, user)).fetch_add(1, Ordering::SeqCst);
    }

    /// Forgets every count, where it is not known which have changed.
    pub fn bump_all(&self) {
        for stripe in &self.stripes {
            stripe.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// To be told of a head that was read apart from here, before it is shown. On a server a commit can be seen before
    /// its writer hears of it: what is remembered, or being loaded, is then older than what its reader knows.
    pub async fn seen(&self, tenant: &TenantId, user: UserId, head: &Head) {
        let remembered = self.counts.get(&self.key(tenant, user)).await;
        if remembered.is_none_or(|count| count.rev < head.rev) {
            self.bump(tenant, user);
        }
    }

    /// The head, right as of some time during the call, but for what others changed unheard in the slice of
    /// time that the call began in. Calls that come together load once.
    ///
    /// # Errors
    /// Those of `load`, which reads the inbox's head after it has expired what is due.
    pub async fn count<F>(&self, tenant: &TenantId, user: UserId, now: Timestamp, load: F) -> Result<Head>
    where
        F: Future<Output = Result<Head>>,
    {
        let key = self.key(tenant, user);
        if let Some(count) = self.counts.get(&key).await {
            if !count.expiry_due(now) {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Ok(count);
            }
            self.counts.invalidate(&key).await;
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let mut load = Some(load);
        let counting = async {
            // There, as this is polled to its end once at most.
            let load = load.take().ok_or_else(|| Error::Internal("a count was loaded twice".into()))?;
            load.await
        };
        let count = self.counts.try_get_with(key, counting).await.map_err(|error| Error::clone(&error))?;
        match load {
            // The load of another caller, begun before something expired that has expired by now.
            Some(load) if count.expiry_due(now) => load.await,
            _ => Ok(count),
        }
    }

    /// Calls answered from memory so far.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Calls that had to load, or waited for one that did, so far.
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// The key as of now. Nothing may be loaded before it is taken.
    fn key(&self, tenant: &TenantId, user: UserId) -> Key {
        let hash = self.hash(tenant, user);
        let generation = self.stripe(hash).load(Ordering::SeqCst);
        Key { tenant: tenant.clone(), user, generation, slice: self.slice_of(hash) }
    }

    /// The slice of time that it is for an inbox. Slices begin at another moment for each, so that not all counts
    /// are loaded at once.
    fn slice_of(&self, hash: u64) -> u64 {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let Some(slice) = self.slice.map(micros).filter(|slice| *slice > 0) else { return 0 };
        micros(self.began.elapsed()).saturating_add(hash % slice) / slice
    }

    fn hash(&self, tenant: &TenantId, user: UserId) -> u64 {
        self.hasher.hash_one((tenant, user))
    }

    fn stripe(&self, hash: u64) -> &AtomicU64 {
        // The mask keeps it within the stripes, whatever the width of usize.
        &self.stripes[hash as usize & (STRIPES - 1)]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;

    fn inbox() -> (TenantId, UserId) {
        (TenantId::default(), UserId::new(1).expect("an id"))
    }

    fn head(unread: i64, next_expiry: Option<i64>) -> Result<Head> {
        Ok(Head { epoch: 0, rev: 0, unread, next_expiry: next_expiry.map(Timestamp), erased_up_to: None })
    }

    async fn unread<F: Future<Output = Result<Head>>>(
        cache: &UnreadCache,
        tenant: &TenantId,
        user: UserId,
        now: Timestamp,
        load: F,
    ) -> Result<i64> {
        Ok(cache.count(tenant, user, now, load).await?.unread)
    }

    #[tokio::test]
    async fn remembered_until_bumped_or_due() {
        let cache = UnreadCache::new(100, None);
        let (tenant, user) = inbox();
        let count = |now, load| unread(&cache, &tenant, user, Timestamp(now), async move { load });
        assert_eq!(count(0, head(3, Some(10))).await.expect("loads"), 3);
        assert_eq!(count(9, head(9, None)).await.expect("remembered"), 3);
        assert_eq!(count(10, head(2, None)).await.expect("loads, as something is due"), 2);
        cache.bump(&tenant, user);
        assert_eq!(count(11, head(7, None)).await.expect("loads"), 7);
        assert_eq!((cache.hits(), cache.misses()), (1, 3));
    }

    #[tokio::test]
    async fn a_load_that_began_before_an_expiry_serves_nobody_after_it() {
        let cache = UnreadCache::new(100, None);
        let (tenant, user) = inbox();
        let (answer, answered) = tokio::sync::oneshot::channel();
        let slow = async { answered.await.expect("answered") };
        let (before, after, ()) = tokio::join!(
            unread(&cache, &tenant, user, Timestamp(9), slow),
            unread(&cache, &tenant, user, Timestamp(10), async { head(2, None) }),
            async { answer.send(head(3, Some(10))).expect("it waits") },
        );
        assert_eq!((before.expect("loads"), after.expect("loads")), (3, 2));
        let later = async { head(1, None) };
        assert_eq!(unread(&cache, &tenant, user, Timestamp(11), later).await.expect("loads"), 1);
    }

    #[tokio::test]
    async fn errors_are_told_and_not_remembered() {
        let cache = UnreadCache::new(100, None);
        let (tenant, user) = inbox();
        let count = |load| unread(&cache, &tenant, user, Timestamp(0), async move { load });
        assert!(matches!(count(Err(Error::UserNotFound(user))).await, Err(Error::UserNotFound(_))));
        assert_eq!(count(head(1, None)).await.expect("loads"), 1);
    }

    #[tokio::test]
    async fn a_load_that_a_commit_overtakes_serves_nobody_after_the_answer() {
        let cache = UnreadCache::new(100, None);
        let (tenant, user) = inbox();
        let stored = AtomicI64::new(1);
        let slow = async {
            let before = stored.load(Ordering::SeqCst);
            // The commit and the bump come while the old value is on its way.
            stored.store(2, Ordering::SeqCst);
            cache.bump(&tenant, user);
            tokio::task::yield_now().await;
            head(before, None)
        };
        unread(&cache, &tenant, user, Timestamp(0), slow).await.expect("loads");
        let after = async { head(stored.load(Ordering::SeqCst), None) };
        assert_eq!(unread(&cache, &tenant, user, Timestamp(0), after).await.expect("loads"), 2);
    }

    #[tokio::test]
    async fn what_a_reader_has_seen_is_older_than_no_later_count() {
        let cache = UnreadCache::new(100, None);
        let (tenant, user) = inbox();
        let at = |rev, unread| Head { epoch: 0, rev, unread, next_expiry: None, erased_up_to: None };
        let count = |head| unread(&cache, &tenant, user, Timestamp(0), async move { Ok(head) });
        assert_eq!(count(at(1, 1)).await.expect("loads"), 1);
        cache.seen(&tenant, user, &at(1, 1)).await;
        assert_eq!(count(at(2, 2)).await.expect("remembered"), 1);
        cache.seen(&tenant, user, &at(2, 2)).await;
        assert_eq!(count(at(2, 2)).await.expect("loads"), 2);
        // A load that began before is not remembered either.
        let slow = async {
            cache.seen(&tenant, user, &at(4, 4)).await;
            Ok(at(3, 3))
        };
        cache.bump(&tenant, user);
        unread(&cache, &tenant, user, Timestamp(0), slow).await.expect("loads");
        assert_eq!(count(at(4, 4)).await.expect("loads"), 4);
    }

    #[tokio::test]
    async fn what_others_change_unheard_is_seen_after_a_slice_of_time_at_the_latest() {
        let longest = Duration::from_secs(60);
        let mut cache = UnreadCache::new(100, Some(longest));
        let (tenant, user) = inbox();
        // Time passes by thirds of a slice, as if it had begun earlier.
        let mut counted = Vec::new();
        for third in 0..12 {
            cache.began -= longest / 3;
            let count = unread(&cache, &tenant, user, Timestamp(0), async move { head(third, None) });
            counted.push(count.await.expect("loads"));
        }
        assert!(
            counted.iter().zip(0..).all(|(count, third)| (third - 2..=third).contains(count)),
            "{counted:?}"
        );
        assert!((4..=5).contains(&cache.misses()), "it was remembered meanwhile: {counted:?}");
        cache.bump_all();
        let count = unread(&cache, &tenant, user, Timestamp(0), async { head(99, None) });
        assert_eq!(count.await.expect("loads"), 99);
    }
}
