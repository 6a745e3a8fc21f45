//! The heads of the inboxes that a batch is about: locked in one order, moved in memory, written at its end.
//!
//! Other nodes move heads too, so nothing is remembered from one batch to the next.

use std::collections::{BTreeSet, HashMap};

use sqlx::Row;

use super::ask::{Session, ask};
use crate::domain::{NotificationId, Timestamp};
use crate::store::command::{Command, InboxKey};

/// Where a head stands.
#[derive(Debug, Clone)]
pub(super) struct Position {
    pub rev: i64,
    pub unread: i64,
    pub next_expiry: Option<i64>,
    pub erased_upto: i64,
    pub is_erased: bool,
    pub created_at: Timestamp,
    /// Whether an erased user was made anew.
    pub is_revived: bool,
    /// Whether it is to be written.
    pub is_moved: bool,
}

impl Position {
    /// What comes to expire is looked at no later than that.
    pub fn expects(&mut self, expires_at: Option<Timestamp>) {
        if let Some(Timestamp(at)) = expires_at {
            self.next_expiry = Some(self.next_expiry.map_or(at, |next| next.min(at)));
            self.is_moved = true;
        }
    }

    /// Makes an erased user anew, whose inbox starts empty.
    pub fn revive(&mut self, now: Timestamp) {
        self.is_erased = false;
        self.is_revived = true;
        self.is_moved = true;
        self.created_at = now;
    }
}

/// The heads that there are, of users erased too.
#[derive(Default)]
pub(super) struct Heads(HashMap<InboxKey, Position>);

impl Heads {
    /// Locks the heads of all that a batch is about, in the order that every node keeps to: two batches wait
    /// for each other never. What they say is read as it is once they are locked.
    pub async fn lock(on: &mut Session<'_>, commands: &[Command]) -> sqlx::Result<Self> {
        let inboxes: BTreeSet<InboxKey> = commands.iter().flat_map(Command::inboxes).collect();
        let inboxes: Vec<InboxKey> = inboxes.into_iter().collect();
        if inboxes.is_empty() {
            return Ok(Self::default());
        }
        let places: Vec<i64> = (0..).take(inboxes.len()).collect();
        let lock =
            ask("SELECT w.place, d.rev, d.unread, d.next_expiry, d.erased_upto, d.erased_at IS NOT NULL,
                    d.created_at
               FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS w (place, tenant, id)
               JOIN directory d ON d.tenant = w.tenant AND d.id = w.id
              ORDER BY d.tenant, d.id FOR UPDATE OF d")
            .bind(places)
            .bind(inboxes.iter().map(|inbox| inbox.tenant.as_str()).collect::<Vec<_>>())
            .bind(inboxes.iter().map(|inbox| inbox.user.get()).collect::<Vec<_>>());
        let mut heads = HashMap::with_capacity(inboxes.len());
        for row in lock.rows(on).await? {
            let place = usize::try_from(row.try_get::<i64, _>(0)?).ok();
            let inbox = place.and_then(|place| inboxes.get(place)).ok_or(sqlx::Error::RowNotFound)?;
            let position = Position {
                rev: row.try_get(1)?,
                unread: row.try_get(2)?,
                next_expiry: row.try_get(3)?,
                erased_upto: row.try_get(4)?,
                is_erased: row.try_get(5)?,
                created_at: Timestamp(row.try_get(6)?),
                is_revived: false,
                is_moved: false,
            };
            heads.insert(inbox.clone(), position);
        }
        Ok(Self(heads))
    }

    /// The head of a user who exists.
    pub fn get(&mut self, inbox: &InboxKey) -> Option<&mut Position> {
        self.0.get_mut(inbox).filter(|head| !head.is_erased)
    }

    /// Whether a user exists.
    pub fn has(&self, inbox: &InboxKey) -> bool {
        self.0.get(inbox).is_some_and(|head| !head.is_erased)
    }

    /// The head of a user who exists or did.
    pub fn any(&mut self, inbox: &InboxKey) -> Option<&mut Position> {
        self.0.get_mut(inbox)
    }

    /// Whether erasing has not hidden a notification of a user who exists.
    pub fn shows(&mut self, inbox: &InboxKey, id: NotificationId) -> bool {
        self.get(inbox).is_some_and(|head| id.get() > head.erased_upto)
    }

    /// Those that are to be written.
    pub fn moved(&mut self) -> impl Iterator<Item = (&InboxKey, &mut Position)> {
        self.0.iter_mut().filter(|(_, head)| head.is_moved)
    }
}
