//! Reads a page of an inbox as one row: sqlx costs more by row and by column than SQLite does.

use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::error::{corrupt, internal};
use crate::domain::{Content, Error, Head, Notification, NotificationId, Result, Timestamp, UserId};
use crate::store::command::InboxKey;
use crate::store::page::{Page, PageQuery};

/// Separates fields: a character that neither JSON text nor a type's name can hold.
const FIELD: char = '\u{1F}';
/// Separates notifications, likewise.
const RECORD: char = '\u{1E}';

/// The fields that [`notification`] reads, packed; the document comes last.
macro_rules! packed {
    () => {
        // One call builds the text once, where `||` would copy it for each field.
        "concat_ws(char(31), i.id, n.created_at, ifnull(i.read_at, ''), ifnull(i.expires_at, ''),
                   ifnull(n.related_user_id, ''), n.type, n.doc)"
    };
}

const PAGE: &str = concat!(
    "SELECT d.rev, d.unread, d.next_expiry, d.erased_upto, (
        SELECT group_concat(packed, char(30)) FROM (
            SELECT ",
    packed!(),
    " AS packed
              FROM inbox i CROSS JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
             WHERE i.tenant = ?1 AND i.user_id = ?2 AND i.id < ?3 AND i.id > d.erased_upto
               AND (?4 = 0 OR i.read_at IS NULL) AND (?5 IS NULL OR n.type = ?5)
             ORDER BY i.id DESC LIMIT ?6))
       FROM directory d WHERE d.tenant = ?1 AND d.id = ?2 AND d.erased_at IS NULL"
);

const ONE: &str = concat!(
    "SELECT ",
    packed!(),
    " FROM directory d
      CROSS JOIN inbox i ON i.tenant = d.tenant AND i.user_id = d.id AND i.id > d.erased_upto
      CROSS JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
      WHERE d.tenant = ?1 AND d.id = ?2 AND d.erased_at IS NULL AND i.id = ?3
        AND (i.expires_at IS NULL OR i.expires_at > ?4)"
);

/// Head and list come from one statement, so from one state.
pub(super) async fn page(pool: &SqlitePool, inbox: &InboxKey, query: &PageQuery) -> Result<Option<Page>> {
    let row = sqlx::query(PAGE)
        .bind(inbox.tenant.as_str())
        .bind(inbox.user.get())
        .bind(query.before.map_or(i64::MAX, NotificationId::get))
        .bind(query.unread_only)
        .bind(query.kind.as_deref())
        .bind(i64::from(query.limit) + 1)
        .fetch_optional(pool)
        .await
        .map_err(internal)?;
    let Some(row) = row else { return Ok(None) };
    let packed: Option<&str> = row.try_get(4).map_err(internal)?;
    let records = packed.into_iter().flat_map(|text| text.split(RECORD));
    let mut notifications =
        records.map(|record| notification(inbox.user, record)).collect::<Result<Vec<_>>>()?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = notifications.len() > limit;
    notifications.truncate(limit);
    Ok(Some(Page { head: head(&row)?, notifications, more }))
}

pub(super) async fn one(
    pool: &SqlitePool,
    inbox: &InboxKey,
    id: NotificationId,
    now: Timestamp,
) -> Result<Option<Notification>> {
    let record: Option<String> = sqlx::query_scalar(ONE)
        .bind(inbox.tenant.as_str())
        .bind(inbox.user.get())
        .bind(id.get())
        .bind(now.0)
        .fetch_optional(pool)
        .await
        .map_err(internal)?;
    record.map(|record| notification(inbox.user, &record)).transpose()
}

/// The columns `rev, unread, next_expiry, erased_upto`.
pub(super) fn head(row: &SqliteRow) -> Result<Head> {
    let read = || -> sqlx::Result<Head> {
        Ok(Head {
            rev: row.try_get(0)?,
            unread: row.try_get(1)?,
            next_expiry: row.try_get::<Option<i64>, _>(2)?.map(Timestamp),
            erased_up_to: NotificationId::new(row.try_get(3)?).ok(),
        })
    };
    read().map_err(internal)
}

fn notification(user: UserId, record: &str) -> Result<Notification> {
    let mut fields = record.splitn(7, FIELD);
    let mut next = || fields.next().ok_or_else(|| corrupt("a notification with too few fields"));
    let id = NotificationId::new(number(next()?)?).map_err(corrupt)?;
    let created_at = Timestamp(number(next()?)?);
    let read_at = optional(next()?)?.map(Timestamp);
    let expires_at = optional(next()?)?.map(Timestamp);
    let related_user = optional(next()?)?.map(UserId::new).transpose().map_err(corrupt)?;
    let kind = next()?.to_owned();
    let content = Content::from_stored(next()?.to_owned());
    Ok(Notification { id, user, kind, content, related_user, created_at, read_at, expires_at })
}

fn number(text: &str) -> Result<i64, Error> {
    text.parse().map_err(corrupt)
}

fn optional(text: &str) -> Result<Option<i64>, Error> {
    if text.is_empty() { Ok(None) } else { number(text).map(Some) }
}
