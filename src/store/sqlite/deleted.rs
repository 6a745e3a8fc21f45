//! Deletes for users, keeps for a while what they deleted, and puts it back.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::expire::find_next_expiry;
use super::heads::Pending;
use super::page;
use super::values::{ROWS, id_array, made, values};
use super::writes::Batch;
use crate::domain::{ChangeKind, Notification, NotificationId, TenantId, Timestamp};
use crate::store::command::{CHUNK, Command, InboxKey, Outcome};

/// What a user deleted, as it stood in the inbox.
pub(super) struct Deleted {
    inbox: InboxKey,
    id: NotificationId,
    rev: i64,
    unread: i64,
    read_at: Option<i64>,
}

/// Deletes what the inboxes show, each for the first that asks: a statement an inbox.
pub(super) async fn delete(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    let mut asked: HashMap<&InboxKey, Vec<(usize, NotificationId)>> = HashMap::new();
    for (place, command) in commands.iter().enumerate() {
        if let Command::Delete(inbox, id) = command {
            asked.entry(inbox).or_default().push((place, *id));
        }
    }
    for (inbox, asked) in asked {
        let rows = sqlx::query(
            "DELETE FROM inbox
              WHERE tenant = ?1 AND user_id = ?2 AND id IN (SELECT value FROM json_each(?3))
                AND (expires_at IS NULL OR expires_at > ?4)
                AND +id > (SELECT erased_upto FROM head WHERE tenant = ?1 AND user_id = ?2)
             RETURNING id, rev, unread, read_at",
        )
        .bind(inbox.tenant.as_str())
        .bind(inbox.user.get())
        .bind(id_array(asked.iter().map(|(_, id)| id.get())))
        .bind(batch.expiry.0)
        .fetch_all(&mut *batch.connection)
        .await?;
        let mut gone: HashMap<i64, SqliteRow> = HashMap::with_capacity(rows.len());
        for row in rows {
            gone.insert(row.try_get(0)?, row);
        }
        for (place, id) in asked {
            let Some(row) = gone.remove(&id.get()) else {
                batch.settle(place, Outcome::NoNotification);
                continue;
            };
            let (rev, unread, read_at) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            let deleted = Deleted { inbox: inbox.clone(), id, rev, unread, read_at };
            batch.pending.push(Pending {
                inbox: inbox.clone(),
                kind: ChangeKind::Deleted,
                notification: Some(id),
                unread: -i64::from(deleted.read_at.is_none()),
            });
            batch.deleted.push(deleted);
            batch.settle(place, Outcome::Done);
        }
    }
    Ok(())
}

/// Keeps what was deleted, now that the revisions are known.
pub(super) async fn keep(batch: &mut Batch<'_>) -> sqlx::Result<()> {
    let deleted = std::mem::take(&mut batch.deleted);
    if deleted.is_empty() {
        return Ok(());
    }
    let deletions = batch.changes.iter().filter(|change| change.kind == ChangeKind::Deleted);
    let revs: HashMap<_, _> = deletions.map(|change| (change.notification, change.rev)).collect();
    for chunk in deleted.chunks(ROWS) {
        let mut insert = made(format!(
            "INSERT INTO deleted (id, tenant, user_id, rev, unread, read_at, deleted_rev, deleted_at, is_latest)
             SELECT v.*, EXISTS (SELECT 1 FROM collapse c WHERE c.id = v.column1) FROM (VALUES {}) AS v",
            values(chunk.len(), 8)
        ));
        for one in chunk {
            insert = insert
                .bind(one.id.get())
                .bind(one.inbox.tenant.as_str())
                .bind(one.inbox.user.get())
                .bind(one.rev)
                .bind(one.unread)
                .bind(one.read_at)
                .bind(revs.get(&Some(one.id)).ok_or(sqlx::Error::RowNotFound)?)
                .bind(batch.now.0);
        }
        insert.execute(&mut *batch.connection).await?;
    }
    Ok(())
}

/// Lets go of what is withdrawn, so that nobody puts it back.
pub(super) async fn let_go(
    batch: &mut Batch<'_>,
    tenant: &TenantId,
    ids: impl Iterator<Item = NotificationId> + Clone,
) -> sqlx::Result<()> {
    // Of this batch too.
    batch.deleted.retain(|one| !ids.clone().any(|id| id == one.id));
    sqlx::query("DELETE FROM deleted WHERE id IN (SELECT value FROM json_each(?)) AND tenant = ?")
        .bind(id_array(ids.map(NotificationId::get)))
        .bind(tenant.as_str())
        .execute(&mut *batch.connection)
        .await
        .map(drop)
}

pub(super) async fn restore(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    for (place, command) in commands.iter().enumerate() {
        if let Command::Restore(inbox, id, since) = command {
            let mut shown = shown(batch, inbox, *id).await?;
            let is_back = shown.is_none() && put_back(batch, inbox, *id, *since).await?;
            if is_back {
                shown = self::shown(batch, inbox, *id).await?;
            }
            let marked = |shown| Outcome::Marked(Box::new(shown), is_back);
            let outcome = shown.map_or(Outcome::NoNotification, marked);
            batch.settle(place, outcome);
        }
    }
    Ok(())
}

async fn shown(
    batch: &mut Batch<'_>,
    inbox: &InboxKey,
    id: NotificationId,
) -> sqlx::Result<Option<Notification>> {
    let shown = page::some(batch.connection, &[(inbox, id)], batch.expiry).await?;
    Ok(shown.into_iter().flatten().next())
}

/// Puts one back that would still be there, had it not been deleted; says whether it did.
async fn put_back(
    batch: &mut Batch<'_>,
    inbox: &InboxKey,
    id: NotificationId,
    since: Timestamp,
) -> sqlx::Result<bool> {
    let rows = sqlx::query(
        "DELETE FROM deleted
          WHERE id = ?1 AND tenant = ?2 AND user_id = ?3 AND deleted_at > ?4
            AND id > (SELECT erased_upto FROM head WHERE tenant = ?2 AND user_id = ?3)
            AND EXISTS (SELECT 1 FROM notification n
                         WHERE n.id = ?1 AND n.tenant = ?2 AND (n.expires_at IS NULL OR n.expires_at > ?5))
            AND (is_latest = 0 OR read_at IS NOT NULL OR EXISTS (SELECT 1 FROM collapse c WHERE c.id = ?1))
         RETURNING rev, unread, read_at, deleted_rev, (SELECT expires_at FROM notification n WHERE n.id = ?1)",
    )
    .bind(id.get())
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .bind(since.0)
    .bind(batch.expiry.0)
    .fetch_all(&mut *batch.connection)
    .await?;
    let Some(row) = rows.first() else { return Ok(false) };
    let (read_at, expires_at): (Option<i64>, Option<i64>) = (row.try_get(2)?, row.try_get(4)?);
    sqlx::query(
        "INSERT INTO inbox (tenant, user_id, id, rev, unread, read_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .bind(id.get())
    .bind(row.try_get::<i64, _>(0)?)
    .bind(row.try_get::<i64, _>(1)?)
    .bind(read_at)
    .bind(expires_at)
    .execute(&mut *batch.connection)
    .await?;
    // The deletion is undone: with its change the content would be purged.
    sqlx::query("DELETE FROM change WHERE tenant = ? AND user_id = ? AND rev = ?")
        .bind(inbox.tenant.as_str())
        .bind(inbox.user.get())
        .bind(row.try_get::<i64, _>(3)?)
        .execute(&mut *batch.connection)
        .await?;
    if expires_at.is_some() {
        find_next_expiry(batch, inbox).await?;
    }
    batch.pending.push(Pending {
        inbox: inbox.clone(),
        kind: if read_at.is_none() { ChangeKind::Restored } else { ChangeKind::RestoredRead },
        notification: Some(id),
        unread: i64::from(read_at.is_none()),
    });
    Ok(true)
}

pub(super) async fn purge(batch: &mut Batch<'_>, before: Timestamp) -> sqlx::Result<u64> {
    let purge = "DELETE FROM deleted WHERE id IN (SELECT id FROM deleted WHERE deleted_at < ? LIMIT ?)";
    let purge = sqlx::query(purge).bind(before.0).bind(CHUNK);
    Ok(purge.execute(&mut *batch.connection).await?.rows_affected())
}
