//! The use cases of a user's own inbox: list, count, mark, delete, restore.

mod follow;

use std::{sync::Arc, time::Duration};

pub use follow::{Step, Tell};

use crate::{
    cache::UnreadCache,
    config::UserMode,
    domain::{Error, Head, Notification, NotificationId, Result, TenantId, Timestamp, UserId},
    store::{Each, Page, PageQuery, Store},
};

/// Whose inbox a request is about.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The user.
    pub user: UserId,
    /// What the tenant's directory says of users it does not know.
    pub users: UserMode,
}

impl Owner<'_> {
    /// In an open directory a user whom nobody has written to yet has an empty inbox.
    fn or_empty<T>(&self, found: Result<T>, empty: T) -> Result<T> {
        match found {
            Err(Error::UserNotFound(_)) if self.users == UserMode::Open => Ok(empty),
            other => other,
        }
    }
}

/// Reads and changes inboxes. Cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    store: Store,
    unread: Arc<UnreadCache>,
}

const EMPTY: Head = Head { epoch: 0, rev: 0, unread: 0, next_expiry: None, erased_up_to: None };

impl Inbox {
    /// Works on this store, with counts remembered in `unread`.
    pub fn new(store: Store, unread: Arc<UnreadCache>) -> Self {
        Self { store, unread }
    }

    /// A page of the inbox, newest first, with the unread count of the same instant.
    pub async fn list(&self, owner: Owner<'_>, query: &PageQuery) -> Result<Page> {
        let page = self.store.page(owner.tenant, owner.user, query).await;
        if let Ok(page) = &page {
            self.unread.seen(owner.tenant, owner.user, &page.head).await;
        }
        match page {
            Err(Error::UserNotFound(_)) if owner.users == UserMode::Open => {
                Ok(Page { head: self.nobody(owner.tenant).await?, notifications: Vec::new(), next: None })
            }
            page => page,
        }
    }

    /// The head, which says how many notifications are unread.
    pub async fn unread_count(&self, owner: Owner<'_>) -> Result<Head> {
        let load = self.store.head(owner.tenant, owner.user);
        match self.unread.count(owner.tenant, owner.user, self.store.expiry_time(), load).await {
            Err(Error::UserNotFound(_)) if owner.users == UserMode::Open => self.nobody(owner.tenant).await,
            head => head,
        }
    }

    /// Returns the time by which the store decides what has expired.
    pub fn expiry_time(&self) -> Timestamp {
        self.store.expiry_time()
    }

    /// Marks one read; a second time changes nothing.
    pub async fn mark_read(&self, owner: Owner<'_>, id: NotificationId) -> Result<Notification> {
        let marked = self.store.mark_read(owner.tenant, owner.user, id).await;
        owner.or_empty(marked.map(Some), None)?.ok_or(Error::NotificationNotFound(id))
    }

    /// Marks one unread; a second time changes nothing.
    pub async fn mark_unread(&self, owner: Owner<'_>, id: NotificationId) -> Result<Notification> {
        let marked = self.store.mark_unread(owner.tenant, owner.user, id).await;
        owner.or_empty(marked.map(Some), None)?.ok_or(Error::NotificationNotFound(id))
    }

    /// Marks all read, or those up to one; answers how many were unread.
    pub async fn mark_all_read(&self, owner: Owner<'_>, up_to: Option<NotificationId>) -> Result<u64> {
        let marked = self.store.mark_all_read(owner.tenant, owner.user, up_to).await;
        owner.or_empty(marked, 0)
    }

    /// Deletes one.
    pub async fn delete(&self, owner: Owner<'_>, id: NotificationId) -> Result<()> {
        let deleted = self.store.delete(owner.tenant, owner.user, id).await;
        owner.or_empty(deleted.map(Some), None)?.ok_or(Error::NotificationNotFound(id))
    }

    /// Marks several read, each as if alone; answers what came of it, and the head after it.
    pub async fn mark_many_read(&self, owner: Owner<'_>, ids: &[NotificationId]) -> Result<(Each, Head)> {
        let marked = self.store.mark_each_read(owner.tenant, owner.user, ids).await?;
        Ok((marked, self.unread_count(owner).await?))
    }

    /// Deletes several, each as if alone; answers the same.
    pub async fn delete_many(&self, owner: Owner<'_>, ids: &[NotificationId]) -> Result<(Each, Head)> {
        let deleted = self.store.delete_each(owner.tenant, owner.user, ids).await?;
        Ok((deleted, self.unread_count(owner).await?))
    }

    /// Puts back one that was deleted within a time until now; one that is there stays as it is.
    pub async fn restore(
        &self,
        owner: Owner<'_>,
        id: NotificationId,
        within: Duration,
    ) -> Result<Notification> {
        let restored = self.store.restore(owner.tenant, owner.user, id, within).await;
        owner.or_empty(restored.map(Some), None)?.ok_or(Error::NotificationNotFound(id))
    }
}
