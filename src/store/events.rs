//! What happened to an inbox after a revision, in order, as live streams read it.

use super::command::InboxKey;
use super::{Store, key};
use crate::domain::{
    Error, Event, EventId, Head, Notification, NotificationId, Result, TenantId, Timestamp, UserId, What,
};

/// Events that one read gives at most.
pub(super) const PAGE: i64 = 32;

/// Who is behind by more than this loads the list again: it costs less than to be told all of it.
pub(super) const FARTHEST: i64 = 500;

/// What follows a place in the history of an inbox.
#[derive(Debug, Clone)]
pub enum Since {
    /// These events, and the place after them, which is the head's unless there are more.
    Events(Vec<Event>, EventId),
    /// It cannot be told: too much, too long ago, or in another history. The list as of the head is to be loaded again.
    Unknown,
}

/// The head of an inbox, and what led there.
#[derive(Debug, Clone)]
pub struct Followed {
    /// The head, of the same state.
    pub head: Head,
    /// What came after the place that was asked for.
    pub since: Since,
}

/// What an engine reads of one state.
pub(crate) struct Raw {
    /// `None` for a user who does not exist.
    pub head: Option<Head>,
    /// The greatest revision whose change was purged.
    pub forgotten: i64,
    /// Of what came after the revision, [`PAGE`] of the first.
    pub rows: Vec<RawEvent>,
}

/// An arrival that its inbox still holds, or another change.
pub(crate) struct RawEvent {
    pub rev: i64,
    pub unread: i64,
    pub kind: String,
    pub id: Option<NotificationId>,
    pub at: Timestamp,
    /// Of an arrival and of what was restored, if its inbox holds it.
    pub notification: Option<Notification>,
}

impl Store {
    /// What happened to an inbox after a place in its history, a page of the first, after what is due was expired.
    ///
    /// # Errors
    /// [`Error::UserNotFound`].
    pub async fn events(&self, tenant: &TenantId, user: UserId, after: EventId) -> Result<Followed> {
        let inbox = key(tenant, user);
        let now = self.0.time.for_expiry();
        loop {
            let raw = self.0.reads.of(tenant).await?.events(&inbox, after.rev).await?;
            let head = raw.head.ok_or(Error::UserNotFound(user))?;
            if let Some(head) = self.without_due(&inbox, head, now).await {
                return Ok(Followed { head, since: since(after, head, raw.forgotten, raw.rows) });
            }
        }
    }

    /// Returns the epoch that revisions count in now. The read waits for a turn of the tenant.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn epoch(&self, tenant: &TenantId) -> Result<i64> {
        self.0.reads.of(tenant).await?.epoch().await
    }

    /// Returns where the heads of some of a tenant's inboxes stand: none of a user who does not exist. The read waits
    /// for a turn of the tenant.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn places(&self, tenant: &TenantId, users: &[UserId]) -> Result<Vec<Option<EventId>>> {
        let inboxes: Vec<InboxKey> = users.iter().map(|user| key(tenant, *user)).collect();
        self.0.reads.of(tenant).await?.places(&inboxes).await
    }

    /// Returns the same of inboxes of any tenants, for the gateway's own work: the read waits for a turn of that.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn places_of_all(&self, inboxes: &[(TenantId, UserId)]) -> Result<Vec<Option<EventId>>> {
        let inboxes: Vec<InboxKey> = inboxes.iter().map(|(tenant, user)| key(tenant, *user)).collect();
        self.0.reads.own().await?.places(&inboxes).await
    }
}

/// (An arrival that was deleted since is in no inbox, so revisions may be missing; its deletion is there.)
fn since(after: EventId, head: Head, forgotten: i64, rows: Vec<RawEvent>) -> Since {
    let behind = head.rev - after.rev;
    if after.epoch != head.epoch || !(0..=FARTHEST).contains(&behind) || forgotten > after.rev {
        return Since::Unknown;
    }
    let is_last = rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
    let rev = rows.last().filter(|_| !is_last).map_or(head.rev, |last| last.rev);
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        match row.told() {
            Ok(told) => events.extend(told),
            Err(Untold) => return Since::Unknown,
        }
    }
    Since::Events(events, EventId { rev, ..after })
}

/// A change after which only the list says what there is.
struct Untold;

impl RawEvent {
    /// What is to be told, if anything.
    fn told(self) -> std::result::Result<Option<Event>, Untold> {
        let Self { rev, unread, at, .. } = self;
        let id = self.id.ok_or(Untold);
        let what = match self.kind.as_str() {
            // Whatever was done to it afterwards is told in its place. Times do not say what came after: nodes take
            // theirs before they wait for each other.
            "arrived" => self.notification.map(|now| What::Arrived(as_it_was(now, None))),
            "restored" => self.notification.map(|now| What::Restored(as_it_was(now, None))),
            "restored_read" => self.notification.map(|now| {
                let read_at = now.read_at.unwrap_or(at);
                What::Restored(as_it_was(now, Some(read_at)))
            }),
            "read" => Some(What::Read(id?, at)),
            "read_all" => Some(What::ReadAll(id?, at)),
            "unread" => Some(What::Unread(id?)),
            "deleted" => Some(What::Deleted(id?)),
            "expired" => Some(What::Expired(id?)),
            // The head was set right, the user was erased and made again, or a newer version made the change.
            _ => return Err(Untold),
        };
        Ok(what.map(|what| Event { rev, unread, what }))
    }
}

/// A notification as it was, read or not.
fn as_it_was(now: Notification, read_at: Option<Timestamp>) -> Box<Notification> {
    Box::new(Notification { read_at, ..now })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::store::Options;

    #[tokio::test]
    async fn places_and_the_epoch_are_read_in_the_turns_of_their_tenant() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let wait = Duration::from_millis(50);
        let options = Options { readers: 3, wait, ..Options::default() };
        let store = Store::open(&url, options, Arc::new(()), Arc::new(())).await.expect("opens");
        let [noisy, quiet] = ["noisy", "quiet"].map(|name| TenantId::new(name).expect("a name"));
        let users = [UserId::new(1).expect("an id")];
        let _all_of_noisy = [store.0.reads.of(&noisy).await, store.0.reads.of(&noisy).await];
        assert!(matches!(store.places(&noisy, &users).await, Err(Error::Busy { .. })));
        assert!(matches!(store.epoch(&noisy).await, Err(Error::Busy { .. })));
        assert_eq!(store.places(&quiet, &users).await.expect("read"), [None]);
        store.epoch(&quiet).await.expect("read");
        store.places_of_all(&[(noisy, users[0])]).await.expect("read by the gateway itself");
    }
}
