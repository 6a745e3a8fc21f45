//! Reads a page of an inbox as one row: sqlx costs more by row and by column than SQLite does.

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection};

use super::error::{corrupt, internal};
use super::values::{made, values};
use crate::domain::{Content, Error, Head, Notification, NotificationId, Result, Timestamp, UserId};
use crate::store::command::InboxKey;
use crate::store::page::{Page, PageQuery, SCAN};
use crate::store::sent::Window;

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

pub(super) use packed;

/// A bare parameter behind `LIMIT` would have SQLite compile the statement anew at each execution, as it looks at
/// the value bound; that costs more than half of what reading fifty rows does. It does not look into `+?6`.
const PAGE: &str = concat!(
    "SELECT h.rev, h.unread, h.next_expiry, h.erased_upto, (SELECT epoch FROM history), (
        SELECT group_concat(packed, char(30)) FROM (
            SELECT ",
    packed!(),
    " AS packed
              FROM inbox i CROSS JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
             WHERE i.tenant = ?1 AND i.user_id = ?2 AND i.id < ?3 AND i.id > h.erased_upto
             ORDER BY i.id DESC LIMIT +?4)), NULL
       FROM head h WHERE h.tenant = ?1 AND h.user_id = ?2"
);

/// A page with a filter, over a bounded number of rows; the last column is the last id of these, if there are as many.
const FILTERED: &str = concat!(
    "WITH h AS MATERIALIZED (
        SELECT rev, unread, next_expiry, erased_upto, (
               SELECT i.id FROM inbox i
                WHERE i.tenant = ?1 AND i.user_id = ?2 AND i.id < ?3 AND i.id > head.erased_upto
                ORDER BY i.id DESC LIMIT 1 OFFSET +?7 - 1) AS floor
          FROM head WHERE tenant = ?1 AND user_id = ?2)
     SELECT h.rev, h.unread, h.next_expiry, h.erased_upto, (SELECT epoch FROM history), (
        SELECT group_concat(packed, char(30)) FROM (
            SELECT ",
    packed!(),
    " AS packed
              FROM inbox i CROSS JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
             WHERE i.tenant = ?1 AND i.user_id = ?2 AND i.id < ?3
               AND i.id >= ifnull(h.floor, h.erased_upto + 1)
               AND (?5 = 0 OR i.read_at IS NULL) AND (?6 IS NULL OR n.type = ?6)
             ORDER BY i.id DESC LIMIT +?4)), h.floor
       FROM h"
);

/// What the inboxes show of these notifications, each behind its number, in one row.
macro_rules! shown {
    ($wanted:expr) => {
        format!(
            concat!(
                "SELECT group_concat(concat_ws(char(31), v.column1, ",
                packed!(),
                "), char(30))
                   FROM (VALUES {}) AS v
                  CROSS JOIN head h ON h.tenant = v.column2 AND h.user_id = v.column3
                  CROSS JOIN inbox i ON i.tenant = h.tenant AND i.user_id = h.user_id AND i.id = v.column4
                         AND i.id > h.erased_upto AND (i.expires_at IS NULL OR i.expires_at > ?)
                  CROSS JOIN notification n ON n.id = i.id AND n.tenant = i.tenant"
            ),
            $wanted
        )
    };
}

/// Head and list come from one statement, so from one state.
pub(super) async fn page(pool: &SqlitePool, inbox: &InboxKey, query: &PageQuery) -> Result<Option<Page>> {
    let mut page = sqlx::query(if query.is_filtered() { FILTERED } else { PAGE })
        .bind(inbox.tenant.as_str())
        .bind(inbox.user.get())
        .bind(query.before.map_or(i64::MAX, NotificationId::get))
        .bind(i64::from(query.limit) + 1);
    if query.is_filtered() {
        page = page.bind(query.unread_only).bind(query.kind.as_deref()).bind(SCAN);
    }
    let row = page.fetch_optional(pool).await.map_err(internal)?;
    let Some(row) = row else { return Ok(None) };
    let packed: Option<&str> = row.try_get(5).map_err(internal)?;
    let records = packed.into_iter().flat_map(|text| text.split(RECORD));
    let found = records.map(|record| notification(inbox.user, record)).collect::<Result<Vec<_>>>()?;
    let floor = row.try_get(6).map_err(internal)?;
    Ok(Some(Page::new(head(&row)?, Window { found, floor }, query)))
}

/// What the inboxes show of these notifications, but for what has expired by a time, in their order.
pub(super) async fn some(
    connection: &mut SqliteConnection,
    wanted: &[(&InboxKey, NotificationId)],
    expiry: Timestamp,
) -> sqlx::Result<Vec<Option<Notification>>> {
    let mut found: Vec<_> = wanted.iter().map(|_| None).collect();
    let mut query = made(shown!(values(wanted.len(), 4)));
    for (place, (inbox, id)) in (0_i64..).zip(wanted) {
        query = query.bind(place).bind(inbox.tenant.as_str()).bind(inbox.user.get()).bind(id.get());
    }
    let row = query.bind(expiry.0).fetch_one(connection).await?;
    let packed: Option<&str> = row.try_get(0)?;
    let damaged = |e: Error| sqlx::Error::Decode(e.to_string().into());
    for record in packed.into_iter().flat_map(|text| text.split(RECORD)) {
        let (place, record) = record.split_once(FIELD).unwrap_or_default();
        let place = usize::try_from(number(place).map_err(damaged)?).unwrap_or(usize::MAX);
        if let (Some(found), Some((inbox, _))) = (found.get_mut(place), wanted.get(place)) {
            *found = Some(notification(inbox.user, record).map_err(damaged)?);
        }
    }
    Ok(found)
}

/// The columns `rev, unread, next_expiry, erased_upto` and the epoch.
pub(super) fn head(row: &SqliteRow) -> Result<Head> {
    let read = || -> sqlx::Result<Head> {
        Ok(Head {
            epoch: row.try_get(4)?,
            rev: row.try_get(0)?,
            unread: row.try_get(1)?,
            next_expiry: row.try_get::<Option<i64>, _>(2)?.map(Timestamp),
            erased_up_to: NotificationId::new(row.try_get(3)?).ok(),
        })
    };
    read().map_err(internal)
}

pub(super) fn notification(user: UserId, record: &str) -> Result<Notification> {
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
