//! What a commit did to one inbox.

use super::{NotificationId, TenantId, UserId};

/// One change to one inbox, told to whoever listens after the commit and before any answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The tenant of the inbox.
    pub tenant: TenantId,
    /// The user of the inbox.
    pub user: UserId,
    /// The inbox's revision with this change.
    pub rev: i64,
    /// The unread count right after it.
    pub unread: i64,
    /// What happened.
    pub kind: ChangeKind,
    /// The notification it is about; for [`ChangeKind::ReadAll`] the last one marked.
    pub notification: Option<NotificationId>,
}

/// The kinds of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A notification arrived.
    Arrived,
    /// One was marked read.
    Read,
    /// One that was read was marked unread.
    Unread,
    /// All up to one were marked read.
    ReadAll,
    /// One was deleted, or replaced by a newer one with the same collapse key.
    Deleted,
    /// One that its user had deleted was put back, unread.
    Restored,
    /// One that its user had deleted was put back, read.
    RestoredRead,
    /// One expired or outlived its tenant's retention.
    Expired,
    /// The user was erased.
    Erased,
    /// The head was found not to match the inbox, and set right.
    Repaired,
}

impl ChangeKind {
    /// The name in the store's `change` table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Read => "read",
            Self::Unread => "unread",
            Self::ReadAll => "read_all",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::RestoredRead => "restored_read",
            Self::Expired => "expired",
            Self::Erased => "erased",
            Self::Repaired => "repaired",
        }
    }
}
