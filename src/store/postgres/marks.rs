//! Marks notifications read.

use std::collections::{HashMap, HashSet};

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::ask;
use super::connect::Database;
use super::error::{corrupt, internal};
use super::page;
use super::writes::Batch;
use crate::domain::{ChangeKind, Notification, NotificationId, Result, Timestamp};
use crate::store::command::{CHUNK, Command, InboxKey, Outcome};

/// Rows that one read looks at.
const SCAN: i64 = 10_000;

pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    mark_some(batch, commands).await?;
    mark_single(batch, commands, ChangeKind::Unread).await?;
    mark_single(batch, commands, ChangeKind::Read).await
}

/// Marks those that are unread: one change for each command, however many rows.
async fn mark_some(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    let mut wanted = Vec::new();
    let mut seen = HashSet::new();
    let mut last: Vec<(usize, &InboxKey, Option<NotificationId>, i64)> = Vec::new();
    let mut unread = made_unread(batch, commands).await?;
    for (place, command) in commands.iter().enumerate() {
        let Command::MarkSome(inbox, ids, _) = command else { continue };
        let number = last.len();
        last.push((place, inbox, ids.last().copied(), 0));
        for id in ids.iter().copied().chain(unread.remove(&place).unwrap_or_default()) {
            if batch.heads.shows(inbox, id) && seen.insert((inbox, id)) {
                wanted.push((number, inbox, id));
            }
        }
    }
    if !wanted.is_empty() {
        let rows = ask("UPDATE inbox i SET read_at = $5
               FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS w (number, tenant, user_id, id)
              WHERE i.tenant = w.tenant AND i.user_id = w.user_id AND i.id = w.id AND i.read_at IS NULL
                AND (i.expires_at IS NULL OR i.expires_at > $6)
             RETURNING w.number")
        .bind(wanted.iter().map(|(number, ..)| i64::try_from(*number).unwrap_or_default()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, inbox, _)| inbox.tenant.as_str()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, inbox, _)| inbox.user.get()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(.., id)| id.get()).collect::<Vec<_>>())
        .bind(batch.now.0)
        .bind(batch.expiry.0)
        .rows(&mut batch.on)
        .await?;
        for row in &rows {
            let number = usize::try_from(row.try_get::<i64, _>(0)?).map_err(corrupt)?;
            last.get_mut(number).ok_or(sqlx::Error::RowNotFound)?.3 += 1;
        }
    }
    for (place, inbox, id, marked) in last {
        if marked > 0 {
            batch.step(inbox, ChangeKind::ReadAll, id, -marked)?;
        }
        batch.settle(place, Outcome::Rows(marked.unsigned_abs()));
    }
    Ok(())
}

/// What has come to be unread since what a command marks was looked for, before the last of that: by the command's place.
async fn made_unread(
    batch: &mut Batch<'_>,
    commands: &[Command],
) -> sqlx::Result<HashMap<usize, Vec<NotificationId>>> {
    let mut asked = Vec::new();
    let mut found: HashMap<usize, Vec<NotificationId>> = HashMap::new();
    for (place, command) in commands.iter().enumerate() {
        let Command::MarkSome(inbox, ids, since) = command else { continue };
        let Some(last) = ids.last().copied() else { continue };
        asked.push((place, inbox, *since, last));
        let own = batch.changes.iter().filter(|change| {
            change.kind == ChangeKind::Restored && change.tenant == inbox.tenant && change.user == inbox.user
        });
        let restored = own.filter_map(|change| change.notification).filter(|id| *id <= last);
        found.entry(place).or_default().extend(restored);
    }
    if asked.is_empty() {
        return Ok(found);
    }
    let rows = ask("SELECT c.notification_id, w.place
           FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
                AS w (place, tenant, user_id, since, last)
           JOIN change c ON c.tenant = w.tenant AND c.user_id = w.user_id AND c.rev > w.since
                AND c.kind IN ('unread', 'restored') AND c.notification_id <= w.last")
    .bind(asked.iter().map(|(place, ..)| i64::try_from(*place).unwrap_or_default()).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, inbox, ..)| inbox.tenant.as_str()).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, inbox, ..)| inbox.user.get()).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, _, since, _)| *since).collect::<Vec<_>>())
    .bind(asked.iter().map(|(.., last)| last.get()).collect::<Vec<_>>())
    .rows(&mut batch.on)
    .await?;
    for row in &rows {
        let place = usize::try_from(row.try_get::<i64, _>(1)?).map_err(corrupt)?;
        found.entry(place).or_default().push(id(row)?);
    }
    Ok(found)
}

/// What the inboxes show of these, with each of them its number, and what is done to them in the same statement. What
/// it reads is as it was before it: so those stand there unread that it marks read.
macro_rules! shown {
    ($with:literal) => {
        concat!(
            "WITH w AS MATERIALIZED (
                SELECT number, tenant, user_id, id
                  FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS w (number, tenant, user_id, id))",
            $with,
            "SELECT n.id, n.type, n.doc, n.related_user_id, n.created_at, i.read_at, i.expires_at, w.number
               FROM w
               JOIN inbox i ON i.tenant = w.tenant AND i.user_id = w.user_id AND i.id = w.id
                    AND (i.expires_at IS NULL OR i.expires_at > $5)
               JOIN notification n ON n.id = i.id AND n.tenant = i.tenant"
        )
    };
}

const MARK_READ: &str = shown!(
    ", marked AS (
        UPDATE inbox i SET read_at = $6 FROM w
         WHERE i.tenant = w.tenant AND i.user_id = w.user_id AND i.id = w.id AND i.read_at IS NULL
           AND (i.expires_at IS NULL OR i.expires_at > $5))
"
);

const MARK_UNREAD: &str = shown!(
    ", marked AS (
        UPDATE inbox i SET read_at = NULL FROM w
         WHERE i.tenant = w.tenant AND i.user_id = w.user_id AND i.id = w.id AND i.read_at IS NOT NULL
           AND (i.expires_at IS NULL OR i.expires_at > $5))
"
);

pub(super) const SHOWN: &str = shown!("");

/// What such a statement shows of some, by their places among them. What erasing hides must not be there. `read_at` is
/// for [`MARK_READ`] alone, as no other statement has a parameter for it.
pub(super) async fn some(
    batch: &mut Batch<'_>,
    statement: &'static str,
    wanted: &[(&InboxKey, NotificationId)],
    read_at: Option<Timestamp>,
) -> sqlx::Result<Vec<(usize, Notification)>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut asked = ask(statement)
        .bind((0_i64..).take(wanted.len()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(inbox, _)| inbox.tenant.as_str()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(inbox, _)| inbox.user.get()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, id)| id.get()).collect::<Vec<_>>())
        .bind(batch.expiry.0);
    if let Some(read_at) = read_at {
        asked = asked.bind(read_at.0);
    }
    let rows = asked.rows(&mut batch.on).await?;
    let shown = |row| placed(row, wanted);
    rows.iter().map(shown).collect()
}

/// A notification, and its place among those wanted, which stands in its row's last column.
pub(super) fn placed(
    row: &PgRow,
    wanted: &[(&InboxKey, NotificationId)],
) -> sqlx::Result<(usize, Notification)> {
    let place = usize::try_from(row.try_get::<i64, _>(7)?).map_err(corrupt)?;
    let (inbox, _) = wanted.get(place).ok_or(sqlx::Error::RowNotFound)?;
    Ok((place, page::notification(inbox.user, row)?))
}

/// Marks single notifications, all read or all unread.
async fn mark_single(batch: &mut Batch<'_>, commands: &[Command], kind: ChangeKind) -> sqlx::Result<()> {
    let (mut places, mut wanted) = (Vec::new(), Vec::new());
    for (place, command) in commands.iter().enumerate() {
        let (inbox, id) = match command {
            Command::MarkRead(inbox, id) if kind == ChangeKind::Read => (inbox, *id),
            Command::MarkUnread(inbox, id) if kind == ChangeKind::Unread => (inbox, *id),
            _ => continue,
        };
        batch.settle(place, Outcome::NoNotification);
        if batch.heads.shows(inbox, id) {
            places.push(place);
            wanted.push((inbox, id));
        }
    }
    let (statement, read_at, unread) = match kind {
        ChangeKind::Read => (MARK_READ, Some(batch.now), -1),
        _ => (MARK_UNREAD, None, 1),
    };
    // A second mark of the same one makes no second change.
    let mut marked = HashSet::new();
    for (number, mut notification) in some(batch, statement, &wanted, read_at).await? {
        let (inbox, id) = wanted[number];
        let mut changes = false;
        if notification.read_at.is_some() != read_at.is_some() {
            changes = marked.insert((inbox, id));
            if changes {
                batch.step(inbox, kind, Some(id), unread)?;
            }
            notification.read_at = read_at;
        }
        batch.settle(places[number], Outcome::Marked(Box::new(notification), changes));
    }
    Ok(())
}

/// Finds what to mark beside the writer, a bounded number of rows at a time: most may be read.
pub(super) async fn unread(
    database: &Database,
    inbox: &InboxKey,
    after: Option<NotificationId>,
    up_to: NotificationId,
) -> Result<(Vec<NotificationId>, Option<NotificationId>)> {
    let after = after.map_or(0, NotificationId::get);
    let last = ask("SELECT id FROM inbox WHERE tenant = $1 AND user_id = $2 AND id > $3 AND id <= $4
          ORDER BY id LIMIT 1 OFFSET $5")
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .bind(after)
    .bind(up_to.get())
    .bind(SCAN);
    let last = database.rows(&last).await?.first().map(id).transpose().map_err(internal)?;
    let unread = ask("SELECT i.id FROM directory d
           JOIN inbox i ON i.tenant = d.tenant AND i.user_id = d.id AND i.id > greatest(d.erased_upto, $3)
          WHERE d.tenant = $1 AND d.id = $2 AND d.erased_at IS NULL AND i.id <= $4 AND i.read_at IS NULL
          ORDER BY i.id LIMIT $5")
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .bind(after)
    .bind(last.unwrap_or(up_to).get())
    .bind(i64::from(CHUNK));
    let ids =
        database.rows(&unread).await?.iter().map(id).collect::<sqlx::Result<Vec<_>>>().map_err(internal)?;
    let is_full = ids.len() >= CHUNK as usize;
    let last = if is_full { ids.last().copied() } else { last };
    Ok((ids, last))
}

pub(super) fn id(row: &PgRow) -> sqlx::Result<NotificationId> {
    NotificationId::new(row.try_get(0)?).map_err(corrupt)
}
