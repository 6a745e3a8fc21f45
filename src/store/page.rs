//! Pages of an inbox: newest first, by id.

use crate::domain::{Head, Notification, NotificationId};

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

/// Part of an inbox with its head, both of one state of the store.
#[derive(Debug, Clone)]
pub struct Page {
    /// The inbox's head.
    pub head: Head,
    /// Newest first.
    pub notifications: Vec<Notification>,
    /// Whether older ones match too.
    pub more: bool,
}
