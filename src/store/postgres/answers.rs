//! Answers kept under idempotency keys: looked up before a send is stored, kept with it.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::{Ask, ask};
use super::error::corrupt;
use super::writes::Batch;
use crate::domain::Timestamp;
use crate::store::command::{CHUNK, Command};
use crate::store::idempotency::{Kept, Keyed, Name, Repeats, oldest};
use crate::store::key;

/// Asks for what is kept under a name since a time. Of a user who was erased since, none counts.
pub(super) fn answer(name: &Name<'_>, since: Timestamp) -> Ask {
    ask("SELECT k.body, k.answer FROM idempotency k
          WHERE k.tenant = $1 AND k.principal = $2 AND k.key = $3 AND k.at >= $4
            AND NOT EXISTS (SELECT FROM erasure e WHERE e.tenant = k.tenant AND e.user_id = k.user_id
                               AND e.upto >= k.notification_id)")
    .bind(name.tenant.as_str())
    .bind(name.principal)
    .bind(name.key.as_slice())
    .bind(since.0)
}

/// The columns `body, answer`.
pub(super) fn kept(row: &PgRow) -> sqlx::Result<Kept> {
    Ok(Kept { body: row.try_get(0)?, answer: row.try_get(1)? })
}

/// Stands for a name among the locks: on every node, whatever its build, the same.
fn lock(name: &Name<'_>) -> i64 {
    let hash = Sha256::new()
        .chain_update(name.key)
        .chain_update(name.tenant.as_str())
        .chain_update([0])
        .chain_update(name.principal)
        .finalize();
    hash.iter().take(8).fold(0, |number, byte| number << 8 | i64::from(*byte))
}

/// Finds what repeats another send, and settles what repeats one from before.
///
/// Who stores under a key holds a lock on it until the end of the transaction, so what another one stores is seen
/// when the lock is had, and what it rolls back has left nothing. Locks are taken in one order, after those of the
/// heads, and nothing that is waited for after them is held by one who waits for them.
pub(super) async fn look<'a>(batch: &mut Batch<'_>, commands: &'a [Command]) -> sqlx::Result<Repeats<'a>> {
    let keyed = Keyed::all(commands);
    if keyed.is_empty() {
        return Ok(Repeats::default());
    }
    let locks: BTreeSet<i64> = keyed.iter().map(|send| lock(&send.name())).collect();
    ask("SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number")
        .bind(locks.into_iter().collect::<Vec<_>>())
        .run(&mut batch.on)
        .await?;
    // A statement of its own: it sees what was committed until the locks were had.
    let rows = ask("SELECT k.body, k.answer, w.number
           FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[]) AS w (number, tenant, principal, key)
           JOIN idempotency k ON k.tenant = w.tenant AND k.principal = w.principal AND k.key = w.key
          WHERE k.at >= $5
            AND NOT EXISTS (SELECT FROM erasure e WHERE e.tenant = k.tenant AND e.user_id = k.user_id
                               AND e.upto >= k.notification_id)")
    .bind((0_i64..).take(keyed.len()).collect::<Vec<_>>())
    .bind(keyed.iter().map(|send| send.tenant.as_str()).collect::<Vec<_>>())
    .bind(keyed.iter().map(|send| &*send.by.principal).collect::<Vec<_>>())
    .bind(keyed.iter().map(|send| send.by.key.as_slice()).collect::<Vec<_>>())
    .bind(oldest(batch.expiry).0)
    .rows(&mut batch.on)
    .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        found.insert(usize::try_from(row.try_get::<i64, _>(2)?).map_err(corrupt)?, kept(row)?);
    }
    let Batch { heads, outcomes, .. } = batch;
    let can_be_stored = |send: &Keyed| heads.has(&key(send.tenant, send.new.sealed.user));
    Ok(Repeats::of(keyed, &found, can_be_stored, |place, outcome| outcomes[place] = Some(outcome)))
}

/// Answers the repetitions within the batch, and keeps the answers to what was stored. What is there under one of
/// the keys counts no longer.
pub(super) async fn keep(batch: &mut Batch<'_>, repeats: Repeats<'_>) -> sqlx::Result<()> {
    let all = repeats.answer(&mut batch.outcomes);
    if all.is_empty() {
        return Ok(());
    }
    ask("INSERT INTO idempotency (tenant, principal, key, body, user_id, notification_id, at, answer)
         SELECT tenant, principal, key, body, user_id, notification_id, at, answer
           FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[], $7::text[],
                       $8::bigint[])
                AS k (tenant, principal, key, body, user_id, notification_id, answer, at)
             ON CONFLICT (tenant, principal, key) DO UPDATE
                SET body = excluded.body, user_id = excluded.user_id, at = excluded.at,
                    notification_id = excluded.notification_id, answer = excluded.answer")
    .bind(all.iter().map(|(send, ..)| send.tenant.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|(send, ..)| &*send.by.principal).collect::<Vec<_>>())
    .bind(all.iter().map(|(send, ..)| send.by.key.as_slice()).collect::<Vec<_>>())
    .bind(all.iter().map(|(_, _, kept)| kept.body.as_slice()).collect::<Vec<_>>())
    .bind(all.iter().map(|(send, ..)| send.new.sealed.user.get()).collect::<Vec<_>>())
    .bind(all.iter().map(|(_, stored, _)| stored.id.get()).collect::<Vec<_>>())
    .bind(all.iter().map(|(_, _, kept)| kept.answer.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|(send, ..)| send.dated(batch.now).0).collect::<Vec<_>>())
    .run(&mut batch.on)
    .await
    .map(drop)
}

/// Purges the oldest. What a send replaces just now is passed over, here and below, as that send may wait for what
/// this has purged.
pub(super) async fn purge(batch: &mut Batch<'_>, before: Timestamp) -> sqlx::Result<u64> {
    ask("DELETE FROM idempotency WHERE (tenant, principal, key) IN
            (SELECT tenant, principal, key FROM idempotency WHERE at < $1 ORDER BY at LIMIT $2
                FOR UPDATE SKIP LOCKED)")
    .bind(before.0)
    .bind(i64::from(CHUNK))
    .run(&mut batch.on)
    .await
}

/// Purges some of what is kept of notifications to an erased user, and under the user's own keys.
pub(super) async fn purge_user(
    batch: &mut Batch<'_>,
    tenant: &str,
    user: i64,
    upto: i64,
) -> sqlx::Result<u64> {
    ask("DELETE FROM idempotency WHERE (tenant, principal, key) IN
            (SELECT tenant, principal, key FROM idempotency
              WHERE tenant = $1 AND (user_id = $2 OR principal = 'user:' || $2::bigint) AND notification_id <= $3
              LIMIT $4 FOR UPDATE SKIP LOCKED)")
    .bind(tenant)
    .bind(user)
    .bind(upto)
    .bind(i64::from(CHUNK))
    .run(&mut batch.on)
    .await
}
