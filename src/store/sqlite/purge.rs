//! Purges, some hundred rows a command: what erased users left, and contents that only old changes kept.

use std::collections::BTreeMap;

use sqlx::Row;

use super::values::{ROWS, id_array, made, values};
use super::writes::Batch;
use super::{answers, deleted};
use crate::domain::Timestamp;
use crate::store::command::{AHEAD, CHUNK, Command, InboxKey, Outcome};

pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    for (place, command) in commands.iter().enumerate() {
        let outcome = match command {
            Command::PurgeErased(inbox) => Outcome::Rows(purge_erased(batch, inbox).await?),
            Command::PurgeChanges(before) => Outcome::Rows(purge_changes(batch, *before).await?),
            Command::PurgeDeleted(before) => Outcome::Rows(deleted::purge(batch, *before).await?),
            Command::PurgeAnswers(before) => Outcome::Rows(answers::purge(batch, *before).await?),
            Command::Probe => {
                sqlx::query(
                    "INSERT INTO probe (id, at) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET at = ?1",
                )
                .bind(batch.now.0)
                .execute(&mut *batch.connection)
                .await?;
                Outcome::Done
            }
            _ => continue,
        };
        batch.settle(place, outcome);
    }
    Ok(())
}

/// Purges the oldest changes, and the contents of what they took out of an inbox; notes for streams how far that went.
/// A seq grows with time, so no index by time is needed.
async fn purge_changes(batch: &mut Batch<'_>, before: Timestamp) -> sqlx::Result<u64> {
    let rows = sqlx::query(
        "DELETE FROM change
          WHERE (at < ?1 OR at > ?3) AND seq IN (SELECT seq FROM change ORDER BY seq LIMIT ?2)
         RETURNING tenant, notification_id, kind IN ('deleted', 'expired'), user_id, rev",
    )
    .bind(before.0)
    .bind(CHUNK)
    .bind(batch.now.0.saturating_add(AHEAD))
    .fetch_all(&mut *batch.connection)
    .await?;
    let mut gone: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut last: BTreeMap<(String, i64), i64> = BTreeMap::new();
    for row in &rows {
        let rev = last.entry((row.try_get(0)?, row.try_get(3)?)).or_default();
        *rev = row.try_get::<i64, _>(4)?.max(*rev);
        if let (Some(id), true) = (row.try_get::<Option<i64>, _>(1)?, row.try_get(2)?) {
            gone.entry(row.try_get(0)?).or_default().push(id);
        }
    }
    for (tenant, ids) in gone {
        forget(batch, &tenant, ids).await?;
    }
    let last: Vec<_> = last.into_iter().collect();
    for chunk in last.chunks(ROWS) {
        let mut note = made(format!(
            "INSERT INTO forgotten (tenant, user_id, rev) VALUES {} ON CONFLICT (tenant, user_id) DO UPDATE
                SET rev = max(rev, excluded.rev)",
            values(chunk.len(), 3)
        ));
        for ((tenant, user), rev) in chunk {
            note = note.bind(tenant.as_str()).bind(user).bind(rev);
        }
        note.execute(&mut *batch.connection).await?;
    }
    Ok(rows.len() as u64)
}

/// Purges one step of what an erased user left: kept answers, rows of the inbox, then what was deleted before,
/// then the user's id where others' notifications name it, as the one they tell of or as their sender.
/// No rows: all is purged.
async fn purge_erased(batch: &mut Batch<'_>, inbox: &InboxKey) -> sqlx::Result<u64> {
    let (tenant, user) = (inbox.tenant.as_str(), inbox.user.get());
    let erasure = sqlx::query("SELECT upto, rev FROM erasure WHERE tenant = ? AND user_id = ?")
        .bind(tenant)
        .bind(user)
        .fetch_optional(&mut *batch.connection)
        .await?;
    let Some(erasure) = erasure else { return Ok(0) };
    let (upto, rev): (i64, i64) = (erasure.try_get(0)?, erasure.try_get(1)?);

    let answers = answers::purge_user(batch, tenant, user, upto).await?;
    if answers > 0 {
        return Ok(answers);
    }
    let ids: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM inbox WHERE tenant = ?1 AND user_id = ?2 AND id IN
            (SELECT id FROM inbox WHERE tenant = ?1 AND user_id = ?2 AND id <= ?3 ORDER BY id LIMIT ?4)
         RETURNING id",
    )
    .bind(tenant)
    .bind(user)
    .bind(upto)
    .bind(CHUNK)
    .fetch_all(&mut *batch.connection)
    .await?;
    if !ids.is_empty() {
        let rows = ids.len() as u64;
        forget(batch, tenant, ids).await?;
        return Ok(rows);
    }

    // The marks and deletions before the erasure; every content they name is this user's.
    let ids: Vec<Option<i64>> = sqlx::query_scalar(
        "DELETE FROM change WHERE seq IN
            (SELECT seq FROM change WHERE tenant = ?1 AND user_id = ?2 AND rev < ?3 LIMIT ?4)
         RETURNING notification_id",
    )
    .bind(tenant)
    .bind(user)
    .bind(rev)
    .bind(CHUNK)
    .fetch_all(&mut *batch.connection)
    .await?;
    if !ids.is_empty() {
        let rows = ids.len() as u64;
        forget(batch, tenant, ids.into_iter().flatten().collect()).await?;
        return Ok(rows);
    }

    let mut cleared = 0;
    for update in [CLEAR_RELATED, CLEAR_SENDER] {
        if cleared == 0 {
            let update = sqlx::query(update).bind(tenant).bind(user).bind(upto).bind(CHUNK);
            cleared = update.execute(&mut *batch.connection).await?.rows_affected();
        }
    }
    if cleared == 0 {
        sqlx::query("DELETE FROM erasure WHERE tenant = ? AND user_id = ?")
            .bind(tenant)
            .bind(user)
            .execute(&mut *batch.connection)
            .await?;
    }
    Ok(cleared)
}

const CLEAR_RELATED: &str = "UPDATE notification SET related_user_id = NULL WHERE id IN
    (SELECT id FROM notification WHERE tenant = ?1 AND related_user_id = ?2 AND id <= ?3 LIMIT ?4)";

/// The index is of what users sent alone, so the statement says that in the index's words.
const CLEAR_SENDER: &str = "UPDATE notification SET sender = 'user:erased' WHERE id IN
    (SELECT id FROM notification WHERE tenant = ?1 AND sender = 'user:' || ?2
        AND substr(sender, 1, 5) = 'user:' AND id <= ?3 LIMIT ?4)";

/// Purges contents, and the collapse keys that point to them.
async fn forget(batch: &mut Batch<'_>, tenant: &str, ids: Vec<i64>) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids = id_array(ids);
    for table in [
        "DELETE FROM notification WHERE id IN (SELECT value FROM json_each(?)) AND tenant = ?",
        "DELETE FROM collapse WHERE id IN (SELECT value FROM json_each(?)) AND tenant = ?",
    ] {
        sqlx::query(table).bind(ids.as_str()).bind(tenant).execute(&mut *batch.connection).await?;
    }
    Ok(())
}
