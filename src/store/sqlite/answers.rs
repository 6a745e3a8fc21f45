//! Answers kept under idempotency keys: looked up before a send is stored, kept with it.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::error::internal;
use super::values::{ROWS, made, values};
use super::writes::Batch;
use crate::domain::{Result, Timestamp};
use crate::store::command::{CHUNK, Command};
use crate::store::idempotency::{Kept, Keyed, Name, Repeats, oldest};
use crate::store::key;

/// Of a user who was erased since, none counts.
const COUNTS: &str = "k.at >= ? AND NOT EXISTS (SELECT 1 FROM erasure e
    WHERE e.tenant = k.tenant AND e.user_id = k.user_id AND e.upto >= k.notification_id)";

pub(super) async fn answer(pool: &SqlitePool, name: &Name<'_>, since: Timestamp) -> Result<Option<Kept>> {
    let query = made(format!(
        "SELECT k.body, k.answer FROM idempotency k
          WHERE k.tenant = ? AND k.principal = ? AND k.key = ? AND {COUNTS}"
    ));
    let query = query.bind(name.tenant.as_str()).bind(name.principal).bind(name.key.as_slice()).bind(since.0);
    let row = query.fetch_optional(pool).await.map_err(internal)?;
    row.as_ref().map(kept).transpose().map_err(internal)
}

/// The columns `body, answer`.
fn kept(row: &SqliteRow) -> sqlx::Result<Kept> {
    Ok(Kept { body: row.try_get(0)?, answer: row.try_get(1)? })
}

/// Finds what repeats another send, and settles what repeats one from before.
pub(super) async fn look<'a>(batch: &mut Batch<'_>, commands: &'a [Command]) -> sqlx::Result<Repeats<'a>> {
    let keyed = Keyed::all(commands);
    if keyed.is_empty() {
        return Ok(Repeats::default());
    }
    let inboxes = keyed.iter().map(|send| key(send.tenant, send.new.sealed.user));
    batch.heads.read(batch.connection, inboxes).await?;
    let mut found = HashMap::new();
    for (chunk, first) in keyed.chunks(ROWS).zip((0..).step_by(ROWS)) {
        let mut query = made(format!(
            "SELECT k.body, k.answer, v.column1 FROM (VALUES {}) AS v
              CROSS JOIN idempotency AS k
                 ON k.tenant = v.column2 AND k.principal = v.column3 AND k.key = v.column4
              WHERE {COUNTS}",
            values(chunk.len(), 4)
        ));
        for (number, send) in (0_i64..).zip(chunk) {
            let name = send.name();
            query =
                query.bind(number).bind(name.tenant.as_str()).bind(name.principal).bind(name.key.as_slice());
        }
        for row in query.bind(oldest(batch.expiry).0).fetch_all(&mut *batch.connection).await? {
            let number = usize::try_from(row.try_get::<i64, _>(2)?);
            found.insert(first + number.map_err(|e| sqlx::Error::Decode(Box::new(e)))?, kept(&row)?);
        }
    }
    let Batch { heads, outcomes, .. } = batch;
    let can_be_stored =
        |send: &Keyed| send.new.create_user || heads.knows(&key(send.tenant, send.new.sealed.user));
    Ok(Repeats::of(keyed, &found, can_be_stored, |place, outcome| outcomes[place] = Some(outcome)))
}

/// Answers the repetitions within the batch, and keeps the answers to what was stored. What is there under one of
/// the keys counts no longer.
pub(super) async fn keep(batch: &mut Batch<'_>, repeats: Repeats<'_>) -> sqlx::Result<()> {
    for chunk in repeats.answer(&mut batch.outcomes).chunks(ROWS) {
        let mut insert = made(format!(
            "INSERT OR REPLACE INTO idempotency
                (tenant, principal, key, body, user_id, notification_id, at, answer) VALUES {}",
            values(chunk.len(), 8)
        ));
        for (send, stored, kept) in chunk {
            let name = send.name();
            insert = insert
                .bind(name.tenant.as_str())
                .bind(name.principal)
                .bind(name.key.as_slice())
                .bind(kept.body.as_slice())
                .bind(send.new.sealed.user.get())
                .bind(stored.id.get())
                .bind(send.dated(stored.created_at).0)
                .bind(kept.answer.as_str());
        }
        insert.execute(&mut *batch.connection).await?;
    }
    Ok(())
}

pub(super) async fn purge(batch: &mut Batch<'_>, before: Timestamp) -> sqlx::Result<u64> {
    let purge = sqlx::query(
        "DELETE FROM idempotency WHERE (tenant, principal, key) IN
            (SELECT tenant, principal, key FROM idempotency WHERE at < ? ORDER BY at LIMIT ?)",
    );
    Ok(purge.bind(before.0).bind(CHUNK).execute(&mut *batch.connection).await?.rows_affected())
}

/// Purges some of what is kept of notifications to an erased user, and under the user's own keys.
pub(super) async fn purge_user(
    batch: &mut Batch<'_>,
    tenant: &str,
    user: i64,
    upto: i64,
) -> sqlx::Result<u64> {
    let purge = sqlx::query(
        "DELETE FROM idempotency WHERE (tenant, principal, key) IN (
            SELECT tenant, principal, key FROM idempotency
             WHERE tenant = ?1 AND user_id = ?2 AND notification_id <= ?3
             UNION
            SELECT tenant, principal, key FROM idempotency
             WHERE tenant = ?1 AND principal = 'user:' || ?2 AND notification_id <= ?3
             LIMIT ?4)",
    );
    let purge = purge.bind(tenant).bind(user).bind(upto).bind(CHUNK);
    Ok(purge.execute(&mut *batch.connection).await?.rows_affected())
}
