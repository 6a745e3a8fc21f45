//! Reads what happened to an inbox after a revision.

use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::error::{corrupt, internal};
use super::page;
use crate::domain::{NotificationId, Result, Timestamp};
use crate::store::command::InboxKey;
use crate::store::events::{FARTHEST, PAGE, Raw, RawEvent};

/// Ids and revisions of arrivals are in one order, so those after a revision are among as many of the newest as the
/// head has moved since. No index by revision is needed, which each send would pay for.
const EVENTS: &str = concat!(
    "WITH h AS MATERIALIZED (SELECT rev, unread, next_expiry, erased_upto FROM head
                              WHERE tenant = ?1 AND user_id = ?2),
     told AS (
        SELECT rev, unread, 'arrived' AS kind, id, 0 AS at FROM (
               SELECT rev, unread, id FROM inbox
                WHERE tenant = ?1 AND user_id = ?2 AND id < 9223372036854775807
                ORDER BY id DESC LIMIT (SELECT min(max(rev - ?3, 0), ?5) FROM h))
         WHERE rev > ?3
        UNION ALL
        SELECT rev, unread, kind, notification_id, at FROM change
         WHERE tenant = ?1 AND user_id = ?2 AND rev > ?3 AND rev <= ?6
         ORDER BY 1 LIMIT +?4)
     SELECT h.rev, h.unread, h.next_expiry, h.erased_upto, (SELECT epoch FROM history),
            ifnull((SELECT rev FROM forgotten WHERE tenant = ?1 AND user_id = ?2), 0),
            told.rev, told.unread, told.kind, told.id, told.at, CASE WHEN n.id IS NOT NULL THEN ",
    page::packed!(),
    "  END
       FROM h LEFT JOIN told
       LEFT JOIN inbox i ON told.kind IN ('arrived', 'restored', 'restored_read')
             AND i.tenant = ?1 AND i.user_id = ?2 AND i.id = told.id
       LEFT JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
      ORDER BY told.rev"
);

pub(super) async fn events(pool: &SqlitePool, inbox: &InboxKey, after: i64) -> Result<Raw> {
    let rows = sqlx::query(EVENTS)
        .bind(inbox.tenant.as_str())
        .bind(inbox.user.get())
        .bind(after)
        .bind(PAGE)
        .bind(FARTHEST)
        .bind(after.saturating_add(FARTHEST))
        .fetch_all(pool)
        .await
        .map_err(internal)?;
    let Some(first) = rows.first() else { return Ok(Raw { head: None, forgotten: 0, rows: Vec::new() }) };
    let mut raw = Raw {
        head: Some(page::head(first)?),
        forgotten: first.try_get(5).map_err(internal)?,
        rows: Vec::with_capacity(rows.len()),
    };
    for row in &rows {
        raw.rows.extend(event(inbox, row)?);
    }
    Ok(raw)
}

/// A row of an inbox with nothing to tell has no event.
fn event(inbox: &InboxKey, row: &SqliteRow) -> Result<Option<RawEvent>> {
    let Some(rev) = row.try_get::<Option<i64>, _>(6).map_err(internal)? else { return Ok(None) };
    let read = || -> sqlx::Result<_> {
        let (unread, kind, id, at): (_, _, Option<i64>, _) =
            (row.try_get(7)?, row.try_get(8)?, row.try_get(9)?, Timestamp(row.try_get(10)?));
        Ok((unread, kind, id, at, row.try_get::<Option<&str>, _>(11)?))
    };
    let (unread, kind, id, at, packed) = read().map_err(internal)?;
    Ok(Some(RawEvent {
        rev,
        unread,
        kind,
        id: id.map(NotificationId::new).transpose().map_err(corrupt)?,
        at,
        notification: packed.map(|record| page::notification(inbox.user, record)).transpose()?,
    }))
}

/// Which history the revisions count in.
pub(super) async fn epoch(pool: &SqlitePool) -> Result<i64> {
    sqlx::query_scalar("SELECT epoch FROM history").fetch_one(pool).await.map_err(internal)
}
