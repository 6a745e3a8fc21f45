//! Marks notifications read or unread, and takes them out of inboxes.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::SqlitePool;

use super::error::{corrupt, internal};
use super::heads::Pending;
use super::page;
use super::values::{ROWS, id_array};
use super::writes::Batch;
use crate::domain::{ChangeKind, NotificationId, Result};
use crate::store::command::{CHUNK, Command, InboxKey, Outcome};

/// Rows that one read looks at.
const SCAN: i64 = 10_000;

/// Whether the batch is marks alone that one statement makes.
pub(super) fn fits_one_statement(commands: &[Command]) -> bool {
    let is_mark = |command: &Command| matches!(command, Command::MarkRead(..) | Command::MarkUnread(..));
    commands.len() <= ROWS && commands.iter().all(is_mark)
}

pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    for (place, command) in commands.iter().enumerate() {
        if let Command::MarkSome(inbox, ids, since) = command {
            let rows = mark_some(batch, inbox, ids, *since).await?;
            batch.settle(place, Outcome::Rows(rows));
        }
    }
    Ok(())
}

/// Marks single notifications. They are marked when the heads are moved, so nothing else of the batch may
/// look at them in between.
pub(super) async fn apply_single(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    let marks = commands.iter().enumerate().filter_map(|(place, command)| match command {
        Command::MarkRead(inbox, id) => Some(((place, ChangeKind::Read), (inbox, *id))),
        Command::MarkUnread(inbox, id) => Some(((place, ChangeKind::Unread), (inbox, *id))),
        _ => None,
    });
    let (marks, wanted): (Vec<_>, Vec<_>) = marks.unzip();
    // What the marks before lead to: a second one of the same kind makes no second change.
    let mut marked = HashMap::with_capacity(wanted.len());
    for (marks, wanted) in marks.chunks(ROWS).zip(wanted.chunks(ROWS)) {
        let shown = page::some(batch.connection, wanted, batch.expiry).await?;
        for (((place, kind), (inbox, id)), shown) in marks.iter().zip(wanted).zip(shown) {
            let Some(mut notification) = shown else {
                batch.settle(*place, Outcome::NoNotification);
                continue;
            };
            let read_at = marked.entry((*inbox, *id)).or_insert(notification.read_at);
            let read = *kind == ChangeKind::Read;
            let changes = read != read_at.is_some();
            if changes {
                *read_at = read.then_some(batch.now);
                let unread = if read { -1 } else { 1 };
                let (inbox, notification) = ((*inbox).clone(), Some(*id));
                batch.pending.push(Pending { inbox, kind: *kind, notification, unread });
            }
            notification.read_at = *read_at;
            batch.settle(*place, Outcome::Marked(Box::new(notification), changes));
        }
    }
    Ok(())
}

/// Marks those that are unread: one change, however many rows.
async fn mark_some(
    batch: &mut Batch<'_>,
    inbox: &InboxKey,
    ids: &[NotificationId],
    since: i64,
) -> sqlx::Result<u64> {
    let Some(last) = ids.last().copied() else { return Ok(0) };
    let pending = batch.pending.iter().filter(|change| change.inbox == *inbox);
    let restored = pending.filter(|change| change.kind == ChangeKind::Restored);
    let restored = restored.filter_map(|change| change.notification).filter(|id| *id <= last);
    let ids = ids.iter().copied().chain(restored).map(NotificationId::get);
    let marked = sqlx::query(
        "UPDATE inbox SET read_at = ?1
          WHERE tenant = ?2 AND user_id = ?3 AND read_at IS NULL
            AND id IN (SELECT value FROM json_each(?4)
                       UNION ALL
                       SELECT notification_id FROM change WHERE tenant = ?2 AND user_id = ?3 AND rev > ?5
                          AND kind IN ('unread', 'restored') AND notification_id <= ?6)
            AND (expires_at IS NULL OR expires_at > ?7)
            AND +id > (SELECT erased_upto FROM head WHERE tenant = ?2 AND user_id = ?3)",
    )
    .bind(batch.now.0)
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .bind(id_array(ids))
    .bind(since)
    .bind(last.get())
    .bind(batch.expiry.0)
    .execute(&mut *batch.connection)
    .await?
    .rows_affected();
    if marked > 0 {
        batch.pending.push(Pending {
            inbox: inbox.clone(),
            kind: ChangeKind::ReadAll,
            notification: Some(last),
            unread: -i64::try_from(marked).unwrap_or(i64::MAX),
        });
    }
    Ok(marked)
}

/// Finds what to mark beside the writer, a bounded number of rows at a time: most may be read.
pub(super) async fn unread(
    pool: &SqlitePool,
    inbox: &InboxKey,
    after: Option<NotificationId>,
    up_to: NotificationId,
) -> Result<(Vec<NotificationId>, Option<NotificationId>)> {
    let after = after.map_or(0, NotificationId::get);
    let last = "SELECT id FROM inbox WHERE tenant = ? AND user_id = ? AND id > ? AND id <= ?
                 ORDER BY id LIMIT 1 OFFSET ?";
    let last: Option<i64> = sqlx::query_scalar(last)
        .bind(inbox.tenant.as_str())
        .bind(inbox.user.get())
        .bind(after)
        .bind(up_to.get())
        .bind(SCAN)
        .fetch_optional(pool)
        .await
        .map_err(internal)?;
    let query = "SELECT i.id FROM head h
         CROSS JOIN inbox i ON i.tenant = h.tenant AND i.user_id = h.user_id AND i.id > max(h.erased_upto, ?3)
         WHERE h.tenant = ?1 AND h.user_id = ?2 AND i.id <= ?4 AND i.read_at IS NULL
         ORDER BY i.id LIMIT ?5";
    let ids: Vec<i64> = sqlx::query_scalar(query)
        .bind(inbox.tenant.as_str())
        .bind(inbox.user.get())
        .bind(after)
        .bind(last.unwrap_or(up_to.get()))
        .bind(CHUNK)
        .fetch_all(pool)
        .await
        .map_err(internal)?;
    let ids = ids.into_iter().map(NotificationId::new).collect::<Result<Vec<_>, _>>().map_err(corrupt)?;
    let last = last.map(NotificationId::new).transpose().map_err(corrupt)?;
    let is_full = ids.len() >= CHUNK as usize;
    let last = if is_full { ids.last().copied() } else { last };
    Ok((ids, last))
}

/// Takes notifications out of an inbox. What was hidden before moves no head. (The `+` keeps SQLite
/// from walking the whole inbox rather than looking up the ids.)
pub(super) async fn remove(
    batch: &mut Batch<'_>,
    inbox: &InboxKey,
    ids: &[i64],
    kind: ChangeKind,
) -> sqlx::Result<Vec<Pending>> {
    let rows = sqlx::query(
        "DELETE FROM inbox
          WHERE tenant = ?1 AND user_id = ?2 AND id IN (SELECT value FROM json_each(?3))
            AND +id > (SELECT erased_upto FROM head WHERE tenant = ?1 AND user_id = ?2)
         RETURNING id, read_at IS NULL",
    )
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .bind(id_array(ids.iter().copied()))
    .fetch_all(&mut *batch.connection)
    .await?;
    rows.iter()
        .map(|row| {
            let unread: bool = row.try_get(1)?;
            Ok(Pending {
                inbox: inbox.clone(),
                kind,
                notification: NotificationId::new(row.try_get(0)?).ok(),
                unread: -i64::from(unread),
            })
        })
        .collect()
}
