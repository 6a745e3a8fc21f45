//! Users, who each have one inbox.

use super::{NotificationId, Timestamp, UserId};

/// What is known of a user besides the id. Every field is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// How to address them, 1 to 255 characters.
    pub display_name: Option<String>,
    /// A BCP 47 language tag, such as `de-CH`.
    pub locale: Option<String>,
    /// An IANA time zone, such as `Europe/Zurich`.
    pub time_zone: Option<String>,
}

/// A user of a tenant's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// What is known of them.
    pub profile: Profile,
    /// When the directory first had them (again).
    pub created_at: Timestamp,
    /// When their profile last changed.
    pub updated_at: Timestamp,
}

/// The head of a user's inbox: the one row that every change to it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many changes the inbox has seen. Never runs backwards, not even when a user is erased.
    pub rev: i64,
    /// How many notifications are unread.
    pub unread: i64,
    /// When the next notification expires; a read at or past this time first expires what is due.
    pub next_expiry: Option<Timestamp>,
    /// Notifications up to this id are hidden: the user was erased after them.
    pub erased_up_to: Option<NotificationId>,
}

impl Head {
    /// Whether something in the inbox has expired and is not yet removed.
    pub fn expiry_due(&self, now: Timestamp) -> bool {
        self.next_expiry.is_some_and(|at| at <= now)
    }
}
