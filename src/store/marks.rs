//! Marks notifications, takes them out of their inbox and puts them back, for the user whose inbox it is.

use std::time::Duration;

use super::command::{Command, Outcome};
use super::maintain::before;
use super::{Store, key, unexpected};
use crate::domain::{Error, Notification, NotificationId, Result, TenantId, UserId};

/// What came of doing the same to some notifications.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Each {
    /// How many it changed.
    pub changed: u64,
    /// Those that the inbox did not show.
    pub missing: Vec<NotificationId>,
}

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
        let newest = self.0.reads.of(tenant).await?.newest(&inbox).await?;
        let Some(end) = newest.map(|newest| up_to.map_or(newest, |id| id.min(newest))) else {
            return Ok(0);
        };
        let (mut marked, mut after) = (0, None);
        loop {
            let (unread, last) = self.0.reads.of(tenant).await?.unread(&inbox, after, end).await?;
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

    /// Does the same to each of some notifications of one inbox, in one transaction.
    async fn each(
        &self,
        ids: &[NotificationId],
        command: impl Fn(NotificationId) -> Command,
    ) -> Result<Each> {
        let outcomes = self.submit_all(ids.iter().map(|id| command(*id)).collect()).await?;
        let mut each = Each::default();
        for (outcome, id) in outcomes.into_iter().zip(ids) {
            match outcome? {
                Outcome::Marked(_, changed) => each.changed += u64::from(changed),
                Outcome::Done => each.changed += 1,
                Outcome::NoNotification => each.missing.push(*id),
                other => return Err(unexpected(&other)),
            }
        }
        Ok(each)
    }

    /// Marks some notifications read, each as [`Store::mark_read`] does.
    pub async fn mark_each_read(
        &self,
        tenant: &TenantId,
        user: UserId,
        ids: &[NotificationId],
    ) -> Result<Each> {
        self.each(ids, |id| Command::MarkRead(key(tenant, user), id)).await
    }

    /// Takes some notifications out of their inbox, each as [`Store::delete`] does.
    pub async fn delete_each(&self, tenant: &TenantId, user: UserId, ids: &[NotificationId]) -> Result<Each> {
        self.each(ids, |id| Command::Delete(key(tenant, user), id)).await
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
        let since = before(self.0.time.for_expiry(), within);
        self.notification(Command::Restore(key(tenant, user), id, since), id).await
    }

    /// Submits what gives back one notification.
    async fn notification(&self, command: Command, id: NotificationId) -> Result<Notification> {
        match self.submit(command).await? {
            Outcome::Marked(notification, _) => Ok(*notification),
            Outcome::NoNotification => Err(Error::NotificationNotFound(id)),
            other => Err(unexpected(&other)),
        }
    }
}
