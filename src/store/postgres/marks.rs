//! Marks notifications read.

use std::collections::HashSet;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::ask;
use super::connect::Database;
use super::error::{corrupt, internal};
use super::page;
use super::writes::Batch;
use crate::domain::{ChangeKind, NotificationId, Result};
use crate::store::command::{CHUNK, Command, InboxKey, Outcome};

/// Rows that one read looks at.
const SCAN: i64 = 10_000;

pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    mark_some(batch, commands).await?;
    mark_single(batch, commands).await
}

/// Marks those that are unread: one change for each command, however many rows.
async fn mark_some(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    let mut wanted = Vec::new();
    let mut seen = HashSet::new();
    let mut last: Vec<(usize, &InboxKey, Option<NotificationId>, i64)> = Vec::new();
    for (place, command) in commands.iter().enumerate() {
        let Command::MarkSome(inbox, ids) = command else { continue };
        let number = last.len();
        last.push((place, inbox, ids.last().copied(), 0));
        for id in ids {
            if batch.heads.shows(inbox, *id) && seen.insert((inbox, *id)) {
                wanted.push((number, inbox, *id));
            }
        }
    }
    if !wanted.is_empty() {
        let rows = ask("UPDATE inbox i SET read_at = $5
               FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS w (number, tenant, user_id, id)
              WHERE i.tenant = w.tenant AND i.user_id = w.user_id AND i.id = w.id AND i.read_at IS NULL
                AND (i.expires_at IS NULL OR i.expires_at > $5)
             RETURNING w.number")
        .bind(wanted.iter().map(|(number, ..)| i64::try_from(*number).unwrap_or_default()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, inbox, _)| inbox.tenant.as_str()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, inbox, _)| inbox.user.get()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(.., id)| id.get()).collect::<Vec<_>>())
        .bind(batch.now.0)
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

/// Marks and reads in one statement. What it reads is as it was before it: so those stand there unread that it
/// marks.
const MARK: &str = "WITH w AS MATERIALIZED (
        SELECT number, tenant, user_id, id
          FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS w (number, tenant, user_id, id)),
     marked AS (
        UPDATE inbox i SET read_at = $5 FROM w
         WHERE i.tenant = w.tenant AND i.user_id = w.user_id AND i.id = w.id AND i.read_at IS NULL
           AND (i.expires_at IS NULL OR i.expires_at > $5))
SELECT n.id, n.type, n.doc, n.related_user_id, n.created_at, i.read_at, i.expires_at, w.number
  FROM w
  JOIN inbox i ON i.tenant = w.tenant AND i.user_id = w.user_id AND i.id = w.id
       AND (i.expires_at IS NULL OR i.expires_at > $5)
  JOIN notification n ON n.id = i.id AND n.tenant = i.tenant";

async fn mark_single(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    let mut wanted = Vec::new();
    for (place, command) in commands.iter().enumerate() {
        if let Command::MarkRead(inbox, id) = command {
            batch.settle(place, Outcome::NoNotification);
            if batch.heads.shows(inbox, *id) {
                wanted.push((place, inbox, *id));
            }
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let rows = ask(MARK)
        .bind((0_i64..).take(wanted.len()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, inbox, _)| inbox.tenant.as_str()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, inbox, _)| inbox.user.get()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(.., id)| id.get()).collect::<Vec<_>>())
        .bind(batch.now.0)
        .rows(&mut batch.on)
        .await?;
    // A second mark of the same one makes no second change.
    let mut marked = HashSet::new();
    for row in &rows {
        let number = usize::try_from(row.try_get::<i64, _>(7)?).map_err(corrupt)?;
        let (place, inbox, id) = *wanted.get(number).ok_or(sqlx::Error::RowNotFound)?;
        let mut notification = page::notification(inbox.user, row)?;
        if notification.read_at.is_none() && marked.insert((inbox, id)) {
            batch.step(inbox, ChangeKind::Read, Some(id), -1)?;
        }
        notification.read_at.get_or_insert(batch.now);
        batch.settle(place, Outcome::Marked(Box::new(notification)));
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
