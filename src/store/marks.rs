//! Marks notifications and takes them out of their inbox, for the user whose inbox it is.

use super::command::{Command, Outcome};
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
        match self.submit(Command::MarkRead(key(tenant, user), id)).await? {
            Outcome::Marked(notification) => Ok(*notification),
            Outcome::NoNotification => Err(Error::NotificationNotFound(id)),
            other => Err(unexpected(&other)),
        }
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
        if self.head(tenant, user).await?.unread == 0 {
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
                match self.submit(Command::MarkSome(inbox.clone(), unread)).await? {
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

    /// Takes a notification out of its inbox.
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
}
