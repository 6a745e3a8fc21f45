//! Reads what happened to an inbox after a revision.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::ask;
use super::connect::Database;
use super::error::{corrupt, internal};
use super::page;
use crate::domain::{NotificationId, Result, Timestamp};
use crate::store::command::InboxKey;
use crate::store::events::{FARTHEST, PAGE, Raw, RawEvent};

/// Ids and revisions of arrivals are in one order, so those after a revision are among as many of the newest as the
/// head has moved since. No index by revision is needed, which each send would pay for.
const EVENTS: &str = "SELECT n.id, n.type, n.doc, n.related_user_id, n.created_at, n.read_at, n.expires_at,
       d.rev, d.unread, d.next_expiry, d.erased_upto, (SELECT epoch FROM history_now),
       coalesce((SELECT f.rev FROM forgotten f WHERE f.tenant = $1 AND f.user_id = $2), 0),
       t.rev, t.unread, t.kind, t.id, t.at
  FROM directory d
  LEFT JOIN LATERAL (
       SELECT a.rev, a.unread, 'arrived' AS kind, a.id, 0::bigint AS at
         FROM (SELECT i.rev, i.unread, i.id FROM inbox i
                WHERE i.tenant = d.tenant AND i.user_id = d.id
                ORDER BY i.id DESC LIMIT least(greatest(d.rev - $3, 0), $5)) AS a
        WHERE a.rev > $3
       UNION ALL
       SELECT c.rev, c.unread, c.kind, c.notification_id, c.at FROM change c
        WHERE c.tenant = d.tenant AND c.user_id = d.id AND c.rev > $3 AND c.rev <= $6
        ORDER BY 1 LIMIT $4) AS t ON true
  LEFT JOIN LATERAL (
       SELECT i.id, m.type, m.doc, m.related_user_id, m.created_at, i.read_at, i.expires_at
         FROM inbox i JOIN notification m ON m.id = i.id AND m.tenant = i.tenant
        WHERE t.kind IN ('arrived', 'restored', 'restored_read')
          AND i.tenant = d.tenant AND i.user_id = d.id AND i.id = t.id) AS n ON true
 WHERE d.tenant = $1 AND d.id = $2 AND d.erased_at IS NULL
 ORDER BY t.rev";

pub(super) async fn events(database: &Database, inbox: &InboxKey, after: i64) -> Result<Raw> {
    let events = ask(EVENTS)
        .bind(inbox.tenant.as_str())
        .bind(inbox.user.get())
        .bind(after)
        .bind(PAGE)
        .bind(FARTHEST)
        .bind(after.saturating_add(FARTHEST));
    let rows = database.rows(&events).await?;
    let Some(first) = rows.first() else { return Ok(Raw { head: None, forgotten: 0, rows: Vec::new() }) };
    let read = || -> sqlx::Result<Raw> {
        let mut raw = Raw {
            head: Some(page::head(first, 7)?),
            forgotten: first.try_get(12)?,
            rows: Vec::with_capacity(rows.len()),
        };
        for row in &rows {
            raw.rows.extend(event(inbox, row)?);
        }
        Ok(raw)
    };
    read().map_err(internal)
}

/// A row of an inbox with nothing to tell has no event.
fn event(inbox: &InboxKey, row: &PgRow) -> sqlx::Result<Option<RawEvent>> {
    let Some(rev) = row.try_get::<Option<i64>, _>(13)? else { return Ok(None) };
    let is_there = row.try_get::<Option<i64>, _>(0)?.is_some();
    Ok(Some(RawEvent {
        rev,
        unread: row.try_get(14)?,
        kind: row.try_get(15)?,
        id: row.try_get::<Option<i64>, _>(16)?.map(NotificationId::new).transpose().map_err(corrupt)?,
        at: Timestamp(row.try_get(17)?),
        notification: is_there.then(|| page::notification(inbox.user, row)).transpose()?,
    }))
}

/// Which history the revisions count in.
pub(super) async fn epoch(database: &Database) -> Result<i64> {
    let rows = database.rows(&ask("SELECT epoch FROM history_now")).await?;
    rows.first().ok_or(sqlx::Error::RowNotFound).and_then(|row| row.try_get(0)).map_err(internal)
}
