//! What a database must be able to do: the one seam between the store and its engines.

use std::time::Duration;

use async_trait::async_trait;

use super::audit::AuditWindow;
use super::collapse::CollapseHash;
use super::command::{Command, InboxKey, Outcome};
use super::events::Raw;
use super::idempotency::{Kept, Name};
use super::page::{Page, PageQuery};
use super::sent::{Sent, SentWindow, Window};
use super::time::BatchTime;
use crate::domain::{
    AuditRecord, Change, Error, EventId, Head, NotificationId, Result, TenantId, Timestamp, User, UserId,
};

/// Applies commands. One writer calls it, one batch at a time. An engine may have several, the lanes: then each
/// user's commands go through one of them, but for sends that came together with others' in one request, and those
/// about no one user through the first.
#[async_trait]
pub(crate) trait Engine: Send {
    /// Applies all commands durably in one transaction, or none of them. Commands of one batch
    /// have no order among them. Sends that are stored whole or not at all are told by [`super::whole`]. Any error but [`Failure::Fatal`] leaves the engine ready for the next batch.
    async fn apply(&mut self, commands: &[Command], time: BatchTime) -> Result<Applied, Failure>;

    /// Leaves the database in order and lets go of it.
    async fn close(self: Box<Self>);
}

/// What a committed batch did.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// One for each command, in their order.
    pub outcomes: Vec<Outcome>,
    /// In the order of revisions within each inbox.
    pub changes: Vec<Change>,
}

/// Why a batch was not applied. The texts are for the log alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Some row cannot be stored; a batch without it can.
    #[error("a row cannot be stored: {0}")]
    Row(String),
    /// The database takes nothing for now: locked, or the disk is full or can only be read.
    #[error("the database takes nothing for now: {0}")]
    Busy(String),
    /// A sync failed: what the system still shows of the last batches may never reach the disk, and a
    /// sync that succeeds later proves nothing. Nothing more may be stored by this process.
    #[error("a sync failed, so nothing more can be stored safely: {0}")]
    Fatal(String),
    /// It could not be found out in time whether the batch was committed.
    #[error("it is not known whether it was committed: {0}")]
    Unresolved(String),
    /// The database failed.
    #[error("the database failed: {0}")]
    Broken(String),
}

impl Failure {
    /// What the callers of the batch are told.
    pub fn to_error(&self) -> Error {
        match self {
            Self::Busy(_) => Error::Busy { retry_after: Duration::from_secs(1) },
            Self::Unresolved(_) => Error::Unresolved { retry_after: Duration::from_secs(1) },
            Self::Row(text) | Self::Broken(text) | Self::Fatal(text) => Error::Internal(text.clone()),
        }
    }
}

/// Reads. Each method sees one committed state; none holds a cursor after it returns.
#[async_trait]
pub(crate) trait Reads: Send + Sync {
    /// The head, `None` for a user who does not exist.
    async fn head(&self, inbox: &InboxKey) -> Result<Option<Head>>;
    /// Whether heads that are asked for at the same time are read by a few statements.
    fn coalesces_heads(&self) -> bool {
        false
    }
    /// A page and the head it belongs to, in one state.
    async fn page(&self, inbox: &InboxKey, query: &PageQuery) -> Result<Option<Page>>;
    /// What happened to an inbox after a revision, and the head, in one state.
    async fn events(&self, inbox: &InboxKey, after: i64) -> Result<Raw>;
    /// What the server's clock says, where there is one.
    async fn server_time(&self) -> Result<Option<Timestamp>> {
        Ok(None)
    }
    /// Which history the revisions count in.
    async fn epoch(&self) -> Result<i64>;
    /// Where the heads of some inboxes stand, in their order.
    async fn places(&self, inboxes: &[InboxKey]) -> Result<Vec<Option<EventId>>> {
        let mut places = Vec::with_capacity(inboxes.len());
        for inbox in inboxes {
            places.push(self.head(inbox).await?.map(|head| head.event_id()));
        }
        Ok(places)
    }
    /// Of an inbox after one id, up to another: some of the oldest unread ids, at most as many as a command
    /// marks, and the last id looked at, which may be read: `None` at the end.
    async fn unread(
        &self,
        inbox: &InboxKey,
        after: Option<NotificationId>,
        up_to: NotificationId,
    ) -> Result<(Vec<NotificationId>, Option<NotificationId>)>;
    /// The newest id in the inbox.
    async fn newest(&self, inbox: &InboxKey) -> Result<Option<NotificationId>>;
    async fn user(&self, inbox: &InboxKey) -> Result<Option<User>>;
    /// Users after one, in the order of ids.
    async fn users(&self, tenant: &TenantId, after: Option<UserId>, limit: u32) -> Result<Vec<User>>;

    /// The answer kept under an idempotency key since a time, unless its user was erased.
    async fn answer(&self, name: &Name<'_>, since: Timestamp) -> Result<Option<Kept>>;

    /// The newest of the audit record in a window.
    async fn audit(&self, tenant: &TenantId, window: &AuditWindow<'_>) -> Result<Window<AuditRecord>>;
    /// The newest of what was sent in a window.
    async fn sent(&self, tenant: &TenantId, window: &SentWindow<'_>) -> Result<Window<Sent>>;
    /// Whose inboxes hold these notifications, or held them until their users deleted them a while ago.
    async fn owners(
        &self,
        tenant: &TenantId,
        ids: &[NotificationId],
    ) -> Result<Vec<(UserId, NotificationId)>>;
    /// The same of the latest notification with a collapse key, of the users after one,
    /// and the last user looked at: `None` at the end.
    async fn collapsed(
        &self,
        tenant: &TenantId,
        key: CollapseHash,
        after: Option<UserId>,
    ) -> Result<(Vec<(UserId, NotificationId)>, Option<UserId>)>;

    /// Tenants that have users.
    async fn tenants(&self) -> Result<Vec<TenantId>>;
    /// Inboxes with something due.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<InboxKey>>;
    /// Erased users who are not purged yet.
    async fn erased(&self, limit: u32) -> Result<Vec<InboxKey>>;
    /// The last id stored before a time.
    async fn last_before(&self, at: Timestamp) -> Result<Option<NotificationId>>;
    /// What retention no longer keeps among the users `after` one up to `through`, each user's together.
    async fn outlived(
        &self,
        users: &UserRange<'_>,
        keep: &Keep,
        limit: u32,
    ) -> Result<Vec<(UserId, NotificationId)>>;

    /// Of the users after one, in all tenants, those whose heads do not match their inboxes, and the last
    /// user looked at: `None` at the end.
    async fn drifted(&self, after: Option<&InboxKey>) -> Result<(Vec<InboxKey>, Option<InboxKey>)>;

    /// Closes every connection.
    async fn close(&self);
}

/// Some users of a tenant: after one, up to another.
pub(crate) struct UserRange<'a> {
    pub tenant: &'a TenantId,
    pub after: Option<UserId>,
    pub through: UserId,
}

/// Retention in terms of ids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keep {
    /// Read ones up to this go.
    pub read_up_to: Option<NotificationId>,
    /// All up to this go.
    pub all_up_to: Option<NotificationId>,
    /// Of both those alone that were stored before these times.
    pub read_before: Timestamp,
    pub all_before: Timestamp,
    /// How many of the newest a user keeps.
    pub newest: Option<u64>,
}
