//! Reads a page of an inbox.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::ask;
use super::connect::Database;
use super::error::{corrupt, internal};
use crate::domain::{Content, Head, Notification, NotificationId, Result, Timestamp, UserId};
use crate::store::command::InboxKey;
use crate::store::page::{Page, PageQuery, SCAN};
use crate::store::sent::Window;

/// Head and list come from one statement, so from one state. The head stands in every row, and in one where the
/// list is empty.
const PAGE: &str = "SELECT p.id, p.type, p.doc, p.related_user_id, p.created_at, p.read_at, p.expires_at,
       d.rev, d.unread, d.next_expiry, d.erased_upto, (SELECT epoch FROM history_now), NULL::bigint
  FROM directory d
  LEFT JOIN LATERAL (
       SELECT i.id, n.type, n.doc, n.related_user_id, n.created_at, i.read_at, i.expires_at
         FROM inbox i JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
        WHERE i.tenant = d.tenant AND i.user_id = d.id AND i.id < $3 AND i.id > d.erased_upto
        ORDER BY i.id DESC LIMIT $4) AS p ON true
 WHERE d.tenant = $1 AND d.id = $2 AND d.erased_at IS NULL
 ORDER BY p.id DESC";

/// A page with a filter, over a bounded number of rows; the last column is the last id of these, if there are as many.
const FILTERED: &str = "SELECT p.id, p.type, p.doc, p.related_user_id, p.created_at, p.read_at, p.expires_at,
       d.rev, d.unread, d.next_expiry, d.erased_upto, (SELECT epoch FROM history_now), f.id
  FROM directory d
  LEFT JOIN LATERAL (
       SELECT i.id FROM inbox i
        WHERE i.tenant = d.tenant AND i.user_id = d.id AND i.id < $3 AND i.id > d.erased_upto
        ORDER BY i.id DESC LIMIT 1 OFFSET $7 - 1) AS f ON true
  LEFT JOIN LATERAL (
       SELECT i.id, n.type, n.doc, n.related_user_id, n.created_at, i.read_at, i.expires_at
         FROM inbox i JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
        WHERE i.tenant = d.tenant AND i.user_id = d.id AND i.id < $3 AND i.id >= coalesce(f.id, d.erased_upto + 1)
          AND (NOT $5 OR i.read_at IS NULL) AND ($6::text IS NULL OR n.type = $6)
        ORDER BY i.id DESC LIMIT $4) AS p ON true
 WHERE d.tenant = $1 AND d.id = $2 AND d.erased_at IS NULL
 ORDER BY p.id DESC";

pub(super) async fn page(database: &Database, inbox: &InboxKey, query: &PageQuery) -> Result<Option<Page>> {
    let mut page = ask(if query.is_filtered() { FILTERED } else { PAGE })
        .bind(inbox.tenant.as_str())
        .bind(inbox.user.get())
        .bind(query.before.map_or(i64::MAX, NotificationId::get))
        .bind(i64::from(query.limit) + 1);
    if query.is_filtered() {
        page = page.bind(query.unread_only).bind(query.kind.as_deref()).bind(i64::from(SCAN));
    }
    let rows = database.rows(&page).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let read = || -> sqlx::Result<Page> {
        let head = head(first, 7)?;
        let listed = rows.iter().filter(|row| !matches!(row.try_get::<Option<i64>, _>(0), Ok(None)));
        let found = listed.map(|row| notification(inbox.user, row)).collect::<sqlx::Result<Vec<_>>>()?;
        Ok(Page::new(head, Window { found, floor: first.try_get(12)? }, query))
    };
    read().map(Some).map_err(internal)
}

/// The columns `rev, unread, next_expiry, erased_upto` and the epoch, from one on.
pub(super) fn head(row: &PgRow, from: usize) -> sqlx::Result<Head> {
    Ok(Head {
        epoch: row.try_get(from + 4)?,
        rev: row.try_get(from)?,
        unread: row.try_get(from + 1)?,
        next_expiry: row.try_get::<Option<i64>, _>(from + 2)?.map(Timestamp),
        erased_up_to: NotificationId::new(row.try_get(from + 3)?).ok(),
    })
}

/// The columns `id, type, doc, related_user_id, created_at, read_at, expires_at`, which come first.
pub(super) fn notification(user: UserId, row: &PgRow) -> sqlx::Result<Notification> {
    let time = |column: usize| row.try_get::<Option<i64>, _>(column).map(|at| at.map(Timestamp));
    Ok(Notification {
        id: NotificationId::new(row.try_get(0)?).map_err(corrupt)?,
        user,
        kind: row.try_get(1)?,
        content: Content::from_stored(row.try_get(2)?),
        related_user: row.try_get::<Option<i64>, _>(3)?.map(UserId::new).transpose().map_err(corrupt)?,
        created_at: Timestamp(row.try_get(4)?),
        read_at: time(5)?,
        expires_at: time(6)?,
    })
}
