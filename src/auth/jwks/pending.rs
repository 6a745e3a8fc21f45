//! Waiting for a fetch: bounded in time and in number, with one fetch for all who wait.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use tokio::time::{Instant, timeout_at};

use super::KeySet;

/// How many requests may wait for the keys of one set. What comes beyond is not made to wait, so that tokens of strangers,
/// who name keys that nobody has, hold a bounded number of connections.
const MAX_WAITING: usize = 256;

/// A token that cannot be judged before its issuer's keys have been fetched.
#[derive(Clone)]
pub struct Pending {
    pub(super) set: Arc<KeySet>,
    /// How many fetches had ended when the keys were looked through.
    pub(super) ended: u64,
}

impl Pending {
    /// Asks for the fetch.
    pub(in crate::auth) fn ask(self) -> Self {
        self.set.asked.store(true, Relaxed);
        self
    }

    /// Waits until another fetch has ended, at most until the deadline. Returns whether it brought keys: then the token is
    /// to be verified again. Where the last fetch failed already, or too many wait, it does not wait.
    pub async fn fetched(&self, deadline: Instant) -> bool {
        let Some(_place) = Place::take(&self.set).filter(|_| !self.set.is_failing()) else { return false };
        let mut ends = self.set.ends.subscribe();
        let has_ended = timeout_at(deadline, ends.wait_for(|ended| *ended != self.ended)).await;
        has_ended.is_ok() && !self.set.is_failing()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

/// A place among those who wait.
struct Place<'s>(&'s KeySet);

impl<'s> Place<'s> {
    fn take(set: &'s KeySet) -> Option<Self> {
        let place = Self(set);
        (set.waiting.fetch_add(1, Relaxed) < MAX_WAITING).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::Timestamp;

    #[tokio::test]
    async fn many_wait_for_one_fetch_and_what_comes_beyond_does_not_wait() {
        let set = super::super::tests::set();
        let pending = Pending { set: Arc::clone(&set), ended: 0 };
        let deadline = Instant::now() + Duration::from_secs(60);
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| {
                let pending = pending.clone();
                tokio::spawn(async move { pending.fetched(deadline).await })
            })
            .collect();
        while set.waiting.load(Relaxed) < MAX_WAITING {
            tokio::task::yield_now().await;
        }
        for _ in 0..1_000 {
            assert!(!pending.fetched(deadline).await);
        }
        set.end(Timestamp(0), Some(Vec::new()));
        for waits in waiting {
            assert!(waits.await.unwrap());
        }
        assert_eq!(set.waiting.load(Relaxed), 0);
        assert!(pending.fetched(deadline).await, "a fetch that ended meanwhile is not missed");
        set.end(Timestamp(0), None);
        assert!(!pending.fetched(deadline).await, "a failed fetch brings no keys");
    }
}
