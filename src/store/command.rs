//! What is asked of the writer, and what it answers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::idempotency::Idempotency;
use super::whole::Whole;
use crate::domain::{
    AuditEntry, Notification, NotificationId, Profile, Sealed, TenantId, Timestamp, User, UserId,
};

/// A notification to store.
#[derive(Debug, Clone)]
pub struct NewNotification {
    /// What it says and to whom.
    pub sealed: Arc<Sealed>,
    /// The principal's name, for the record.
    pub sender: Arc<str>,
    /// The id of the request that brought it, for the record.
    pub request_id: String,
    /// Whether to create the user when the directory does not know them.
    pub create_user: bool,
    /// What it is known by when it comes again, for [`super::Store::send_once`].
    pub idempotency: Option<Box<Idempotency>>,
    /// The batch that it is stored with or not at all, for [`super::Store::send_batch`] to say.
    pub whole: Option<Whole>,
}

/// What storing a notification gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: NotificationId,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// Names one inbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InboxKey {
    pub tenant: TenantId,
    pub user: UserId,
}

impl InboxKey {
    /// The one of so many lanes that all its commands take.
    pub fn lane(&self, lanes: usize) -> usize {
        if lanes < 2 {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        // The remainder fits.
        usize::try_from(hasher.finish() % lanes as u64).unwrap_or(0)
    }
}

/// Names the inbox of a user.
pub(super) fn key(tenant: &TenantId, user: UserId) -> InboxKey {
    InboxKey { tenant: tenant.clone(), user }
}

/// Rows that a command of long work changes at most.
pub(crate) const CHUNK: u32 = 300;

/// What is stamped so many microseconds ahead of the time of its purge was stamped by a wrong clock: it goes with what is
/// too old, as it would hold up all that comes after it.
pub(crate) const AHEAD: i64 = 24 * 3600 * 1_000_000;

/// One change asked of the writer. Those of long work do [`CHUNK`] rows each.
#[derive(Debug)]
pub(crate) enum Command {
    Send(TenantId, Box<NewNotification>),
    MarkRead(InboxKey, NotificationId),
    MarkUnread(InboxKey, NotificationId),
    /// Marks those that are unread, some hundred in the order of ids, and with them all before the last that have come to
    /// be unread since a revision: so that all up to the last are read then.
    MarkSome(InboxKey, Vec<NotificationId>, i64),
    Delete(InboxKey, NotificationId),
    /// Puts back what its user deleted after a time.
    Restore(InboxKey, NotificationId, Timestamp),
    /// Removes from one inbox what is due at a time.
    Expire(InboxKey, Timestamp),
    /// Removes what its tenant's retention no longer keeps.
    Retire(InboxKey, Vec<NotificationId>),
    /// Creates or changes a user; what is to be recorded goes into the same transaction.
    PutUser(InboxKey, Profile, Option<AuditEntry>),
    /// Creates those users that the directory has never had.
    SeedUsers(TenantId, Vec<(UserId, Profile)>),
    /// The same of erasing one.
    EraseUser(InboxKey, Option<AuditEntry>),
    /// Takes some hundred notifications out of their inboxes, and records it.
    Withdraw(TenantId, Vec<(UserId, NotificationId)>, AuditEntry),
    Record(TenantId, AuditEntry),
    /// Sets a head right that does not match its inbox.
    Repair(InboxKey),
    /// Purges some of what an erased user left.
    PurgeErased(InboxKey),
    /// Purges some changes made before a time, and the contents that only they kept.
    PurgeChanges(Timestamp),
    /// Purges some of what users deleted before a time, so that it cannot be put back.
    PurgeDeleted(Timestamp),
    /// Purges some of the answers kept under idempotency keys from before a time.
    PurgeAnswers(Timestamp),
    /// Purges some of the audit record from before a time.
    PurgeAudit(Timestamp),
    /// Proves that writing works.
    Probe,
}

impl Command {
    /// Whose turn it takes in the queue; `None` is the store's own work.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Send(tenant, _)
            | Self::SeedUsers(tenant, _)
            | Self::Withdraw(tenant, ..)
            | Self::Record(tenant, _) => Some(tenant),
            other => other.named().map(|inbox| &inbox.tenant),
        }
    }

    /// The inbox, or user, that it names as such.
    fn named(&self) -> Option<&InboxKey> {
        match self {
            Self::MarkRead(inbox, _)
            | Self::MarkUnread(inbox, _)
            | Self::MarkSome(inbox, ..)
            | Self::Delete(inbox, _)
            | Self::Restore(inbox, ..)
            | Self::Expire(inbox, _)
            | Self::Retire(inbox, _)
            | Self::PutUser(inbox, ..)
            | Self::EraseUser(inbox, _)
            | Self::Repair(inbox)
            | Self::PurgeErased(inbox) => Some(inbox),
            Self::Send(..)
            | Self::SeedUsers(..)
            | Self::Withdraw(..)
            | Self::Record(..)
            | Self::PurgeChanges(_)
            | Self::PurgeDeleted(_)
            | Self::PurgeAnswers(_)
            | Self::PurgeAudit(_)
            | Self::Probe => None,
        }
    }

    /// The one inbox, or user, that it is about.
    fn inbox(&self) -> Option<InboxKey> {
        match self {
            Self::Send(tenant, new) => Some(key(tenant, new.sealed.user)),
            other => other.named().cloned(),
        }
    }

    /// All inboxes that it is about.
    pub fn inboxes(&self) -> Vec<InboxKey> {
        match self {
            Self::Withdraw(tenant, owners, _) => owners.iter().map(|(user, _)| key(tenant, *user)).collect(),
            _ => self.inbox().into_iter().collect(),
        }
    }

    /// Which of so many lanes it takes, unless it goes with others. Those about one inbox all take the same, so a
    /// withdrawal must be about inboxes of one lane.
    pub fn lane(&self, lanes: usize) -> usize {
        match self {
            Self::Withdraw(tenant, owners, _) => {
                owners.first().map_or(0, |(user, _)| key(tenant, *user).lane(lanes))
            }
            _ => self.inbox().map_or(0, |inbox| inbox.lane(lanes)),
        }
    }

    /// How many rows it changes at most, about.
    pub fn weight(&self) -> usize {
        match self {
            Self::Expire(..)
            | Self::Repair(_)
            | Self::PurgeErased(_)
            | Self::PurgeChanges(_)
            | Self::PurgeDeleted(_)
            | Self::PurgeAnswers(_)
            | Self::PurgeAudit(_) => CHUNK as usize,
            Self::MarkSome(_, ids, _) | Self::Retire(_, ids) => ids.len(),
            Self::SeedUsers(_, users) => users.len(),
            Self::Withdraw(_, owners, _) => owners.len(),
            Self::Send(..)
            | Self::MarkRead(..)
            | Self::MarkUnread(..)
            | Self::Delete(..)
            | Self::Restore(..)
            | Self::PutUser(..)
            | Self::EraseUser(..)
            | Self::Record(..)
            | Self::Probe => 1,
        }
    }
}

/// What became of one command, once its batch is committed.
#[derive(Debug)]
pub(crate) enum Outcome {
    Stored(Stored),
    /// It was stored before under its idempotency key, and this was the answer.
    Repeated(String),
    /// Its idempotency key was used with another body.
    KeyReused,
    /// The notification as it is now, and whether that is by this command.
    Marked(Box<Notification>, bool),
    /// How many rows a chunk of long work changed; none when there is nothing left.
    Rows(u64),
    /// The user as stored, and whether they were created.
    User(User, bool),
    Done,
    NoUser,
    NoNotification,
    /// It was not stored, as another of its batch cannot be.
    Withheld,
}
