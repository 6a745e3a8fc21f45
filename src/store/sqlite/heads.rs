//! Moves inboxes' heads: the revision by one for each change, the unread count to its new value.
//!
//! Arrivals are moved by the schema's trigger; everything else comes through here.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

use super::values::{ROWS, made, values};
use crate::domain::{Change, ChangeKind, NotificationId, Timestamp};
use crate::store::command::InboxKey;

/// A change to an inbox whose head is not yet moved.
pub(super) struct Pending {
    pub inbox: InboxKey,
    pub kind: ChangeKind,
    pub notification: Option<NotificationId>,
    /// By how much the unread count changes.
    pub unread: i64,
}

/// The head of an inbox as it goes from change to change.
struct Moving {
    rev: i64,
    unread: i64,
}

/// Moves every head once, however many changes its inbox has, and records the changes.
pub(super) async fn move_heads(
    connection: &mut SqliteConnection,
    pending: &[Pending],
    now: Timestamp,
) -> sqlx::Result<Vec<Change>> {
    let mut steps: HashMap<&InboxKey, (i64, i64)> = HashMap::new();
    for change in pending {
        let (revs, unread) = steps.entry(&change.inbox).or_default();
        *revs += 1;
        *unread += change.unread;
    }
    let steps: Vec<_> = steps.into_iter().collect();
    let mut heads: HashMap<(String, i64), Moving> = HashMap::with_capacity(steps.len());
    for chunk in steps.chunks(ROWS) {
        let mut update = made(format!(
            "UPDATE directory SET rev = rev + v.column3, unread = unread + v.column4
               FROM (VALUES {}) AS v
              WHERE directory.tenant = v.column1 AND directory.id = v.column2
             RETURNING tenant, id, rev, unread",
            values(1, chunk.len(), 4)
        ));
        for (inbox, (revs, unread)) in chunk {
            update = update.bind(inbox.tenant.as_str()).bind(inbox.user.get()).bind(revs).bind(unread);
        }
        for row in update.fetch_all(&mut *connection).await? {
            let key = (row.try_get(0)?, row.try_get(1)?);
            heads.insert(key, Moving { rev: row.try_get(2)?, unread: row.try_get(3)? });
        }
    }
    // From the heads as they are now, back to before, then forward change by change.
    for (inbox, (revs, unread)) in steps {
        if let Some(head) = heads.get_mut(&key(inbox)) {
            head.rev -= revs;
            head.unread -= unread;
        }
    }
    let mut changes = Vec::with_capacity(pending.len());
    for change in pending {
        let head = heads.get_mut(&key(&change.inbox)).ok_or(sqlx::Error::RowNotFound)?;
        head.rev += 1;
        head.unread += change.unread;
        changes.push(Change {
            tenant: change.inbox.tenant.clone(),
            user: change.inbox.user,
            rev: head.rev,
            unread: head.unread,
            kind: change.kind,
            notification: change.notification,
        });
    }
    record(connection, &changes, now).await?;
    Ok(changes)
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
            values(1, chunk.len(), 7)
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

fn key(inbox: &InboxKey) -> (String, i64) {
    (inbox.tenant.as_str().to_owned(), inbox.user.get())
}
