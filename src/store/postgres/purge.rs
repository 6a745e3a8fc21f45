//! Purges, some hundred rows a command: what erased users left, what only old changes kept, the audit record.

use std::collections::BTreeMap;

use sqlx::Row;

use super::ask::ask;
use super::writes::Batch;
use super::{answers, deleted};
use crate::domain::Timestamp;
use crate::store::command::{AHEAD, CHUNK, Command, InboxKey, Outcome};

/// How long the mark of a lane is kept that commits nothing.
const KEEP_LANE: i64 = 24 * 3600 * 1_000_000;

pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    let purges = |command: &Command| {
        matches!(
            command,
            Command::PurgeErased(_)
                | Command::PurgeChanges(_)
                | Command::PurgeDeleted(_)
                | Command::PurgeAnswers(_)
                | Command::PurgeAudit(_)
        )
    };
    if commands.iter().any(purges) {
        // One at a time on all nodes, as purges meet in rows of many users. Its lock ends with the transaction.
        ask("SELECT pg_advisory_xact_lock(1651270005, 0)").rows(&mut batch.on).await?;
    }
    for (place, command) in commands.iter().enumerate() {
        let outcome = match command {
            Command::PurgeErased(inbox) => Outcome::Rows(purge_erased(batch, inbox).await?),
            Command::PurgeChanges(before) => Outcome::Rows(purge_changes(batch, *before).await?),
            Command::PurgeDeleted(before) => Outcome::Rows(deleted::purge(batch, *before).await?),
            Command::PurgeAnswers(before) => Outcome::Rows(answers::purge(batch, *before).await?),
            Command::PurgeAudit(before) => Outcome::Rows(purge_audit(batch, *before).await?),
            // Each batch is marked as committed: that is a small durable write.
            Command::Probe => Outcome::Done,
            _ => continue,
        };
        batch.settle(place, outcome);
    }
    Ok(())
}

/// Purges the oldest changes, and the contents of what they took out of an inbox; notes for streams how far that went.
/// A seq grows with time, so no index by time is needed.
async fn purge_changes(batch: &mut Batch<'_>, before: Timestamp) -> sqlx::Result<u64> {
    let rows = ask("WITH gone AS (
            DELETE FROM change WHERE (at < $1 OR at > $3) AND seq IN (SELECT seq FROM change ORDER BY seq LIMIT $2)
         RETURNING tenant, user_id, rev, notification_id, kind),
         noted AS (
            INSERT INTO forgotten (tenant, user_id, rev)
            SELECT tenant, user_id, max(rev) FROM gone GROUP BY tenant, user_id
                ON CONFLICT (tenant, user_id) DO UPDATE SET rev = greatest(forgotten.rev, excluded.rev))
         SELECT tenant, notification_id, kind IN ('deleted', 'expired') FROM gone")
    .bind(before.0)
    .bind(i64::from(CHUNK))
    .bind(batch.now.0.saturating_add(AHEAD))
    .rows(&mut batch.on)
    .await?;
    let mut gone: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in &rows {
        if let (Some(id), true) = (row.try_get::<Option<i64>, _>(1)?, row.try_get(2)?) {
            gone.entry(row.try_get(0)?).or_default().push(id);
        }
    }
    for (tenant, ids) in gone {
        forget(batch, &tenant, ids).await?;
    }
    ask("DELETE FROM lane WHERE id IN (SELECT id FROM lane WHERE at < $1 FOR UPDATE SKIP LOCKED)")
        .bind(batch.now.0.saturating_sub(KEEP_LANE))
        .run(&mut batch.on)
        .await?;
    Ok(rows.len() as u64)
}

/// Purges one step of what an erased user left: kept answers, rows of the inbox, then what was deleted before, then the user's
/// id where others' notifications name it, as the one they tell of or as their sender. No rows: all is purged.
async fn purge_erased(batch: &mut Batch<'_>, inbox: &InboxKey) -> sqlx::Result<u64> {
    let (tenant, user) = (inbox.tenant.as_str(), inbox.user.get());
    let erasure = ask("SELECT upto, rev FROM erasure WHERE tenant = $1 AND user_id = $2");
    let erasure = erasure.bind(tenant).bind(user).rows(&mut batch.on).await?;
    let Some(erasure) = erasure.first() else { return Ok(0) };
    let (upto, rev): (i64, i64) = (erasure.try_get(0)?, erasure.try_get(1)?);

    let answers = answers::purge_user(batch, tenant, user, upto).await?;
    if answers > 0 {
        return Ok(answers);
    }
    // The marks and deletions before the erasure: every content they name is this user's.
    for (delete, end) in [(ROWS, upto), (CHANGES, rev)] {
        let delete = ask(delete).bind(tenant).bind(user).bind(end).bind(i64::from(CHUNK));
        let rows = delete.rows(&mut batch.on).await?;
        if !rows.is_empty() {
            let ids: Vec<Option<i64>> = rows.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<_>>()?;
            forget(batch, tenant, ids.into_iter().flatten().collect()).await?;
            return Ok(rows.len() as u64);
        }
    }
    for update in [CLEAR_RELATED, CLEAR_SENDER] {
        let update = ask(update).bind(tenant).bind(user).bind(upto).bind(i64::from(CHUNK));
        let cleared = update.run(&mut batch.on).await?;
        if cleared > 0 {
            return Ok(cleared);
        }
    }
    ask("WITH keys AS (DELETE FROM collapse WHERE tenant = $1 AND user_id = $2 AND id <= $3)
         DELETE FROM erasure WHERE tenant = $1 AND user_id = $2
            AND NOT EXISTS (SELECT FROM idempotency k
                             WHERE k.tenant = $1 AND k.user_id = $2 AND k.notification_id <= $3)")
    .bind(tenant)
    .bind(user)
    .bind(upto)
    .run(&mut batch.on)
    .await?;
    Ok(0)
}

const ROWS: &str = "DELETE FROM inbox WHERE tenant = $1 AND user_id = $2 AND id IN
    (SELECT id FROM inbox WHERE tenant = $1 AND user_id = $2 AND id <= $3 ORDER BY id LIMIT $4)
 RETURNING id";

const CHANGES: &str = "DELETE FROM change WHERE seq IN
    (SELECT seq FROM change WHERE tenant = $1 AND user_id = $2 AND rev < $3 LIMIT $4)
 RETURNING notification_id";

const CLEAR_RELATED: &str = "UPDATE notification SET related_user_id = NULL WHERE id IN
    (SELECT id FROM notification WHERE tenant = $1 AND related_user_id = $2 AND id <= $3 LIMIT $4)";

/// The index is of what users sent alone, so the statement says that in the index's words.
const CLEAR_SENDER: &str = "UPDATE notification SET sender = 'user:erased' WHERE id IN
    (SELECT id FROM notification WHERE tenant = $1 AND sender = 'user:' || $2::bigint
        AND left(sender, 5) = 'user:' AND id <= $3 LIMIT $4)";

/// Purges contents, and the collapse keys that point to them; one that a send moves on just now no longer does.
async fn forget(batch: &mut Batch<'_>, tenant: &str, ids: Vec<i64>) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    for delete in [
        "DELETE FROM notification WHERE id = ANY ($1) AND tenant = $2",
        "DELETE FROM collapse WHERE (tenant, user_id, key) IN
            (SELECT tenant, user_id, key FROM collapse WHERE id = ANY ($1) AND tenant = $2 FOR UPDATE SKIP LOCKED)",
    ] {
        ask(delete).bind(ids.as_slice()).bind(tenant).run(&mut batch.on).await?;
    }
    Ok(())
}

/// Purges some of the oldest records. From one tenant's first to the next tenant's, as the tenant leads the key.
async fn purge_audit(batch: &mut Batch<'_>, before: Timestamp) -> sqlx::Result<u64> {
    ask("WITH RECURSIVE step (tenant) AS (
            SELECT min(tenant) FROM audit
            UNION ALL
            SELECT (SELECT min(a.tenant) FROM audit a WHERE a.tenant > step.tenant)
              FROM step WHERE step.tenant IS NOT NULL),
         old AS (
            SELECT a.tenant, a.seq FROM step
             CROSS JOIN LATERAL (
                   SELECT x.tenant, x.seq FROM audit x WHERE x.tenant = step.tenant AND x.seq < $1
                    ORDER BY x.seq LIMIT $2) AS a
             LIMIT $2)
         DELETE FROM audit USING old WHERE audit.tenant = old.tenant AND audit.seq = old.seq")
    .bind(before.0)
    .bind(i64::from(CHUNK))
    .run(&mut batch.on)
    .await
}
