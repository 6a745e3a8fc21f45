//! Users, who each have one inbox.

use super::{EventId, NotificationId, Timestamp, UserId};

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

impl Profile {
    /// Whether text can be a display name. The error completes the clause "display_name …".
    pub fn check_display_name(name: &str) -> Result<(), &'static str> {
        if name.trim().is_empty() || name.chars().count() > 255 || name.chars().any(char::is_control) {
            return Err("must be 1 to 255 characters on one line");
        }
        Ok(())
    }

    /// Whether text has the shape of a BCP 47 language tag. The error completes the clause "locale …".
    pub fn check_locale(tag: &str) -> Result<(), &'static str> {
        let subtag = |s: &str| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric());
        let language = tag.split('-').next().unwrap_or_default();
        let spoken = language.len() >= 2 && language.bytes().all(|b| b.is_ascii_alphabetic());
        if tag.len() > 35 || !spoken || !tag.split('-').all(subtag) {
            return Err("must be a language tag such as en or de-CH");
        }
        Ok(())
    }

    /// Whether an IANA time zone has that name. The error completes the clause "time_zone …".
    pub fn check_time_zone(name: &str) -> Result<(), &'static str> {
        match jiff::tz::TimeZone::get(name) {
            Ok(zone) if !zone.is_unknown() => Ok(()),
            _ => Err("must be the name of a time zone such as Europe/Zurich"),
        }
    }
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
    /// Which history the revision counts in.
    pub epoch: i64,
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
    /// The place in the inbox's history that this is the head of.
    pub fn event_id(&self) -> EventId {
        EventId { epoch: self.epoch, rev: self.rev }
    }

    /// Whether something in the inbox has expired and is not yet removed.
    pub fn expiry_due(&self, now: Timestamp) -> bool {
        self.next_expiry.is_some_and(|at| at <= now)
    }
}
