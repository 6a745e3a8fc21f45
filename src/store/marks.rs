//! Marks notifications, takes them out of their inbox and puts them back, for the user whose inbox it is.

use std::time::Duration;

use super::command::{Command, Outcome};
use super::maintain::before;
use super::{Store, key, unexpected};
use crate::domain::{Error, Notification, NotificationId, Result, TenantId, UserId};

impl Store {
    /// Marks one notification read, and gives it with the time of its first reading.
    ///
    /// # Errors
    /// [`Error::NotificationNotFound`] where the inbox does not show it.
    pub async fn mark_read(
        &self,
        tenant: &TenantId,
        user: UserId,
        id: NotificationId,
    ) -> Result<Notification> {
        self.notification(Command::MarkRead(key(tenant, user), id), id).await
    }

    /// Marks one notification unread, and gives it.
    ///
    /// # Errors
    /// [`Error::NotificationNotFound`] where the inbox does not show it.
    pub async fn mark_unread(
        &self,
        tenant: &TenantId,
        user: UserId,
        id: NotificationId,
    ) -> Result<Notification> {
        self.notification(Command::MarkUnread(key(tenant, user), id), id).await
    }

    /// Marks all read that are unread now, up to an id; gives how many were. Works in chunks: an
    /// error leaves what was marked until then.
    pub async fn mark_all_read(
        &self,
        tenant: &TenantId,
        user: UserId,
        up_to: Option<NotificationId>,
    ) -> Result<u64> {
        let inbox = key(tenant, user);
        let head = self.head(tenant, user).await?;
        if head.unread == 0 {
            return Ok(0);
        }
        let newest = self.0.reads.newest(&inbox).await?;
        let Some(end) = newest.map(|newest| up_to.map_or(newest, |id| id.min(newest))) else {
            return Ok(0);
        };
        let (mut marked, mut after) = (0, None);
        loop {
            let (unread, last) = self.0.reads.unread(&inbox, after, end).await?;
            if !unread.is_empty() {
                // Fewer where some were marked or have expired meanwhile.
                match self.submit(Command::MarkSome(inbox.clone(), unread, head.rev)).await? {
                    Outcome::Rows(rows) => marked += rows,
                    other => return Err(unexpected(&other)),
                }
            }
            if last.is_none() {
                return Ok(marked);
            }
            after = last;
        }
    }

    /// Takes a notification out of its inbox. For a while [`Store::restore`] puts it back.
    ///
    /// # Errors
    /// [`Error::NotificationNotFound`] where the inbox does not show it.
    pub async fn delete(&self, tenant: &TenantId, user: UserId, id: NotificationId) -> Result<()> {
        match self.submit(Command::Delete(key(tenant, user), id)).await? {
            Outcome::Done => Ok(()),
            Outcome::NoNotification => Err(Error::NotificationNotFound(id)),
            other => Err(unexpected(&other)),
        }
    }

    /// Puts back, as it was, what its user deleted within a time until now, and gives it; gives one that is there too.
    ///
    /// # Errors
    /// [`Error::NotificationNotFound`] where that is over, or it would not be there any more had it not been deleted:
    /// expired, withdrawn, or replaced by a newer one with the same collapse key.
    pub async fn restore(
        &self,
        tenant: &TenantId,
        user: UserId,
        id: NotificationId,
        within: Duration,
    ) -> Result<Notification> {
        let since = before(self.0.clock.now(), within);
        self.notification(Command::Restore(key(tenant, user), id, since), id).await
    }

    /// Submits what gives back one notification.
    async fn notification(&self, command: Command, id: NotificationId) -> Result<Notification> {
        match self.submit(command).await? {
            Outcome::Marked(notification) => Ok(*notification),
            Outcome::NoNotification => Err(Error::NotificationNotFound(id)),
            other => Err(unexpected(&other)),
        }
    }
}
