//! What a live stream carries: the changes to an inbox, each in its place.

use std::{fmt, str::FromStr};

use super::{Notification, NotificationId, Timestamp};

/// A place in the history of an inbox: all that happened up to a revision. Those of one epoch are in one order;
/// nothing follows from one epoch for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// Which history it is: another one where the store goes on from a copy of itself.
    pub epoch: i64,
    /// The revision.
    pub rev: i64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{}", self.epoch, self.rev)
    }
}

/// A text that is no event's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoEventId;

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let (epoch, rev) = text.split_once('.').ok_or(NoEventId)?;
        if !rev.bytes().all(|b| b.is_ascii_digit()) || epoch.starts_with('+') {
            return Err(NoEventId);
        }
        let epoch = u64::from_str_radix(epoch, 16).map_err(|_| NoEventId)?;
        Ok(Self { epoch: epoch.cast_signed(), rev: rev.parse().map_err(|_| NoEventId)? })
    }
}

/// A change to an inbox as a stream tells it.
#[derive(Debug, Clone)]
pub struct Event {
    /// The inbox's revision with this change.
    pub rev: i64,
    /// The unread count right after it.
    pub unread: i64,
    /// What happened.
    pub what: What,
}

/// What happened to an inbox.
#[derive(Debug, Clone)]
pub enum What {
    /// A notification arrived, which is unread.
    Arrived(Box<Notification>),
    /// One that was deleted is back, as it was then.
    Restored(Box<Notification>),
    /// One was marked read, at that time.
    Read(NotificationId, Timestamp),
    /// All up to one, itself included, were marked read, at that time.
    ReadAll(NotificationId, Timestamp),
    /// One was marked unread again.
    Unread(NotificationId),
    /// One was deleted.
    Deleted(NotificationId),
    /// One left the inbox by itself.
    Expired(NotificationId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_from_its_text() {
        for (epoch, rev) in [(0, 0), (-1, 7), (i64::MIN, i64::MAX), (0x1f, 1)] {
            let id = EventId { epoch, rev };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in ["", ".", "1", "1.", ".1", "1.-1", "1.+1", "+1.1", "g.1", "11111111111111111.1", "1.1.1"]
        {
            assert_eq!(text.parse::<EventId>(), Err(NoEventId), "{text}");
        }
    }
}
