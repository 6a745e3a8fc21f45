//! The open live streams by user: how many there may be, and that those of an inbox that was moved are woken.
//!
//! Nothing of what happened goes through here, so nothing waits here for a slow reader: a stream that is woken reads
//! from the store what came after what it told last, as one does that is resumed. To be woken too often is no fault.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::{Error, EventId, Result, TenantId, UserId};

/// How many streams may be open.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Of one user.
    pub per_user: usize,
    /// Of one tenant.
    pub per_tenant: usize,
    /// Of all.
    pub most: usize,
}

/// How long those wait who find no room.
const RETRY: Duration = Duration::from_secs(10);

/// The open streams.
#[derive(Default)]
pub struct Streams {
    open: AtomicUsize,
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    /// In an order, so that all can be gone through in steps.
    inboxes: BTreeMap<(TenantId, UserId), Inbox>,
    tenants: HashMap<TenantId, usize>,
}

/// The streams of one inbox.
struct Inbox {
    open: usize,
    told: watch::Sender<Told>,
}

/// Where the head of an inbox is known to have been: the value of a channel on which only its sending counts.
#[derive(Debug, Clone, Copy, Default)]
struct Told(Option<EventId>);

impl Streams {
    /// Takes a place for a stream; it is woken by all that happens from now on.
    ///
    /// # Errors
    /// [`Error::TooManyStreams`] of the user or the tenant, [`Error::Busy`] where it is all of them.
    pub fn open(self: &Arc<Self>, tenant: &TenantId, user: UserId, bounds: Bounds) -> Result<Seat> {
        let mut inner = self.write();
        let of_tenant = inner.tenants.get(tenant).copied().unwrap_or(0);
        let key = (tenant.clone(), user);
        let of_user = inner.inboxes.get(&key).map_or(0, |inbox| inbox.open);
        if of_user >= bounds.per_user || of_tenant >= bounds.per_tenant {
            return Err(Error::TooManyStreams { retry_after: RETRY });
        }
        if self.open.load(Ordering::SeqCst) >= bounds.most {
            return Err(Error::Busy { retry_after: RETRY });
        }
        self.open.fetch_add(1, Ordering::SeqCst);
        inner.tenants.insert(key.0.clone(), of_tenant + 1);
        let entry = inner.inboxes.entry(key.clone());
        let inbox = entry.or_insert_with(|| Inbox { open: 0, told: watch::Sender::default() });
        inbox.open += 1;
        let told = inbox.told.subscribe();
        Ok(Seat { streams: Arc::clone(self), key, told })
    }

    /// To be called when a commit has moved an inbox's head.
    pub fn moved(&self, tenant: &TenantId, user: UserId, rev: i64) {
        self.tell(tenant, user, |told| {
            told.0 = told.0.map(|id| EventId { rev: id.rev.max(rev), ..id });
            true
        });
    }

    /// To be called where an inbox may have been moved.
    pub fn may_have_moved(&self, tenant: &TenantId, user: UserId) {
        self.tell(tenant, user, |_| true);
    }

    /// To be told of a head as it was read, `None` where there is none: its streams are woken unless they know of it.
    pub fn stands(&self, tenant: &TenantId, user: UserId, head: Option<EventId>) {
        self.tell(tenant, user, |told| std::mem::replace(&mut told.0, head) != head);
    }

    /// Some of the users with open streams, after one, in their order.
    pub fn users(&self, after: Option<&(TenantId, UserId)>, limit: usize) -> Vec<(TenantId, UserId)> {
        let inner = self.read();
        let from = after.map_or(Unbounded, Excluded);
        inner.inboxes.range((from, Unbounded)).take(limit).map(|(key, _)| key.clone()).collect()
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn tell(&self, tenant: &TenantId, user: UserId, change: impl FnOnce(&mut Told) -> bool) {
        // Most commits are about users who do not listen.
        if self.count() == 0 {
            return;
        }
        if let Some(inbox) = self.read().inboxes.get(&(tenant.clone(), user)) {
            inbox.told.send_if_modified(change);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open stream's place; it is free again when this value goes.
pub struct Seat {
    streams: Arc<Streams>,
    key: (TenantId, UserId),
    told: watch::Receiver<Told>,
}

impl Seat {
    /// The tenant of the inbox.
    pub fn tenant(&self) -> &TenantId {
        &self.key.0
    }

    /// The user of the inbox.
    pub fn user(&self) -> UserId {
        self.key.1
    }

    /// Returns when the inbox may have moved since this was last asked, or since the place was taken.
    pub async fn moved(&mut self) {
        if self.told.changed().await.is_err() {
            // The other end goes with the last seat, and this is one.
            std::future::pending().await
        }
    }

    /// Notes where the head stood when the stream read it.
    pub fn reached(&self, head: EventId) {
        if let Some(inbox) = self.streams.read().inboxes.get(&self.key) {
            inbox.told.send_if_modified(|told| {
                told.0 = Some(head);
                false
            });
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.streams.write();
        self.streams.open.fetch_sub(1, Ordering::SeqCst);
        if let Some(inbox) = inner.inboxes.get_mut(&self.key) {
            inbox.open -= 1;
            if inbox.open == 0 {
                inner.inboxes.remove(&self.key);
            }
        }
        if let Some(open) = inner.tenants.get_mut(&self.key.0) {
            *open -= 1;
            if *open == 0 {
                inner.tenants.remove(&self.key.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn user(id: i64) -> UserId {
        UserId::new(id).expect("an id")
    }

    const BOUNDS: Bounds = Bounds { per_user: 2, per_tenant: 3, most: 4 };

    fn is_woken(seat: &mut Seat) -> bool {
        seat.moved().now_or_never().is_some()
    }

    #[test]
    fn there_are_no_more_than_may_be_and_places_come_back() {
        let (streams, home, other) =
            (Arc::<Streams>::default(), TenantId::default(), TenantId::new("other").expect("a name"));
        let open = |tenant, id| streams.open(tenant, user(id), BOUNDS);
        let full = |result: Result<Seat>| match result {
            Err(Error::TooManyStreams { .. }) => "its own",
            Err(Error::Busy { .. }) => "all",
            _ => "room",
        };
        let seats = [open(&home, 1), open(&home, 1)];
        assert_eq!(full(open(&home, 1)), "its own");
        let third = open(&home, 2).expect("room");
        assert_eq!(full(open(&home, 3)), "its own");
        let fourth = open(&other, 1);
        assert_eq!(full(open(&other, 2)), "all");
        assert_eq!(streams.users(None, 9).len(), 3);
        let first = streams.users(None, 1);
        assert_eq!(streams.users(first.first(), 9), [(home.clone(), user(2)), (other.clone(), user(1))]);
        drop((seats, fourth));
        assert_eq!(full(open(&home, 1)), "room");
        drop(third);
        assert_eq!((streams.count(), streams.users(None, 9).len()), (0, 0));
        assert!(streams.read().tenants.is_empty());
    }

    #[test]
    fn a_stream_is_woken_by_what_it_does_not_know_of() {
        let (streams, home) = (Arc::<Streams>::default(), TenantId::default());
        let mut seats = [1, 1, 2].map(|id| streams.open(&home, user(id), BOUNDS).expect("room"));
        let mut woken = || seats.each_mut().map(is_woken);
        let at = |rev| Some(EventId { epoch: 1, rev });
        assert_eq!(woken(), [false, false, false]);
        streams.moved(&home, user(1), 3);
        assert_eq!(woken(), [true, true, false]);
        streams.may_have_moved(&home, user(2));
        streams.moved(&home, user(3), 3);
        assert_eq!(woken(), [false, false, true]);
        streams.stands(&home, user(1), at(4));
        assert_eq!(woken(), [true, true, false]);
        streams.stands(&home, user(1), at(4));
        streams.moved(&home, user(2), 1);
        assert_eq!(woken(), [false, false, true]);
        streams.stands(&home, user(1), Some(EventId { epoch: 2, rev: 4 }));
        assert_eq!(woken(), [true, true, false]);
        streams.stands(&home, user(1), None);
        assert_eq!(woken(), [true, true, false], "the user is gone");
        seats[2].reached(EventId { epoch: 1, rev: 9 });
        streams.stands(&home, user(2), at(9));
        assert_eq!(seats.each_mut().map(is_woken), [false, false, false], "it was read there");
    }
}
