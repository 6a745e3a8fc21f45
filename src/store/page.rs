//! Pages of an inbox: newest first, by id.

use super::sent::Window;
use crate::domain::{Head, Notification, NotificationId};

/// Maximum number of rows that a page with a filter examines: about as much work as the largest page without one.
pub(super) const SCAN: u32 = 1_000;

/// Which part of an inbox to read.
#[derive(Debug, Clone, Default)]
pub struct PageQuery {
    /// Only older ones than this.
    pub before: Option<NotificationId>,
    /// How many at most.
    pub limit: u32,
    /// Only unread ones.
    pub unread_only: bool,
    /// Only those of this type.
    pub kind: Option<String>,
}

impl PageQuery {
    /// Whether rows that are read may not be shown.
    pub(super) fn is_filtered(&self) -> bool {
        self.unread_only || self.kind.is_some()
    }
}

/// Part of an inbox with its head, both of one state of the store.
#[derive(Debug, Clone)]
pub struct Page {
    /// The inbox's head.
    pub head: Head,
    /// Newest first.
    pub notifications: Vec<Notification>,
    /// The page that follows is before this id. A filtered page may be short, or empty, and yet have one, as each
    /// examines a bounded number of rows.
    pub next: Option<NotificationId>,
}

impl Page {
    /// Cuts a page out of what an engine found.
    pub(super) fn new(head: Head, window: Window<Notification>, query: &PageQuery) -> Self {
        let (notifications, next) = window.page(query.limit, |notification| notification.id.get());
        // Where the first page shows all that is unread, no other page is asked for.
        let shows_all_unread = query.unread_only
            && query.kind.is_none()
            && query.before.is_none()
            && usize::try_from(head.unread).is_ok_and(|unread| notifications.len() >= unread);
        let next = next.filter(|_| !shows_all_unread).and_then(|id| NotificationId::new(id).ok());
        Self { head, notifications, next }
    }
}
