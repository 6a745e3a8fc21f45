//! Moves inboxes' heads: the revision by one for each change, the unread count to its new value.
//!
//! The writer alone moves heads, so it knows those that it moved lately without reading them. It gives the
//! schema's triggers the values that a change leads to, and they move the head with it.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

use super::values::{ROWS, made, values};
use super::writes::Batch;
use crate::domain::{Change, ChangeKind, NotificationId, Timestamp};
use crate::store::command::InboxKey;

/// How many heads are remembered: some 20 MB.
const MOST: usize = 200_000;

/// Where the heads stand that were moved lately. After a failed batch it may tell of what was undone, and
/// must be cleared; a head that is changed in any other way must be forgotten.
#[derive(Default)]
pub(super) struct Heads(HashMap<InboxKey, Position>);

/// Where a head stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub rev: i64,
    pub unread: i64,
}

impl Heads {
    /// Reads those that are not known. Who is erased, or was never there, has none.
    pub async fn read(
        &mut self,
        connection: &mut SqliteConnection,
        inboxes: impl ExactSizeIterator<Item = InboxKey>,
    ) -> sqlx::Result<()> {
        // Seldom enough that to read some again costs less than to keep an order of use.
        if self.0.len() + inboxes.len() > MOST {
            self.0.clear();
        }
        let unknown: Vec<_> = inboxes.filter(|inbox| !self.0.contains_key(inbox)).collect();
        for chunk in unknown.chunks(ROWS) {
            let mut query = made(format!(
                "SELECT h.rev, h.unread, v.column1 FROM (VALUES {}) AS v
                  CROSS JOIN head AS h ON h.tenant = v.column2 AND h.user_id = v.column3",
                values(chunk.len(), 3)
            ));
            for (place, inbox) in (0_i64..).zip(chunk) {
                query = query.bind(place).bind(inbox.tenant.as_str()).bind(inbox.user.get());
            }
            for row in query.fetch_all(&mut *connection).await? {
                let place = usize::try_from(row.try_get::<i64, _>(2)?).ok();
                let inbox = place.and_then(|place| chunk.get(place)).ok_or(sqlx::Error::RowNotFound)?;
                let position = Position { rev: row.try_get(0)?, unread: row.try_get(1)? };
                self.0.insert(inbox.clone(), position);
            }
        }
        Ok(())
    }

    /// Whether it is known where the head stands.
    pub fn knows(&self, inbox: &InboxKey) -> bool {
        self.0.contains_key(inbox)
    }

    /// Moves a head that is known by one change; gives where it then stands.
    pub fn step(&mut self, inbox: &InboxKey, unread: i64) -> Option<Position> {
        let position = self.0.get_mut(inbox)?;
        position.rev += 1;
        position.unread += unread;
        Some(*position)
    }

    /// Forgets a head that something else changes.
    pub fn forget(&mut self, inbox: &InboxKey) {
        self.0.remove(inbox);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// A change to an inbox whose head is not yet moved.
pub(super) struct Pending {
    pub inbox: InboxKey,
    pub kind: ChangeKind,
    pub notification: Option<NotificationId>,
    /// By how much the unread count changes.
    pub unread: i64,
}

/// Records the changes; the trigger on them moves the heads.
pub(super) async fn move_heads(batch: &mut Batch<'_>, pending: &[Pending]) -> sqlx::Result<()> {
    batch.heads.read(batch.connection, pending.iter().map(|change| change.inbox.clone())).await?;
    let first = batch.changes.len();
    for change in pending {
        let head = batch.heads.step(&change.inbox, change.unread).ok_or(sqlx::Error::RowNotFound)?;
        batch.changes.push(Change {
            tenant: change.inbox.tenant.clone(),
            user: change.inbox.user,
            rev: head.rev,
            unread: head.unread,
            kind: change.kind,
            notification: change.notification,
        });
    }
    record(batch.connection, &batch.changes[first..], batch.now).await
}

/// Writes changes other than arrivals where streams find them.
pub(super) async fn record(
    connection: &mut SqliteConnection,
    changes: &[Change],
    now: Timestamp,
) -> sqlx::Result<()> {
    for chunk in changes.chunks(ROWS) {
        let mut insert = made(format!(
            "INSERT INTO change (tenant, user_id, rev, kind, notification_id, unread, at) VALUES {}",
            values(chunk.len(), 7)
        ));
        for change in chunk {
            insert = insert
                .bind(change.tenant.as_str())
                .bind(change.user.get())
                .bind(change.rev)
                .bind(change.kind.as_str())
                .bind(change.notification.map(NotificationId::get))
                .bind(change.unread)
                .bind(now.0);
        }
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}
