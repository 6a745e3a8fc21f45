//! Appends to the audit record, reads a window of it, purges it.

use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::error::internal;
use super::writes::Batch;
use crate::domain::{AuditAction, AuditEntry, AuditRecord, Result, TenantId, Timestamp};
use crate::store::audit::AuditWindow;
use crate::store::command::{Command, Outcome};
use crate::store::sent::Window;

/// Rows in one purge.
const CHUNK: i64 = 300;

pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    for (place, command) in commands.iter().enumerate() {
        let outcome = match command {
            Command::Record(tenant, entry) => {
                write(batch, tenant, entry).await?;
                Outcome::Done
            }
            Command::PurgeAudit(before) => Outcome::Rows(purge(batch, *before).await?),
            _ => continue,
        };
        batch.settle(place, outcome);
    }
    Ok(())
}

/// Appends one entry, in the transaction of what it tells.
pub(super) async fn write(batch: &mut Batch<'_>, tenant: &TenantId, entry: &AuditEntry) -> sqlx::Result<()> {
    let detail = serde_json::to_string(&entry.detail).map_err(|e| sqlx::Error::Encode(Box::new(e)))?;
    sqlx::query(
        "INSERT INTO audit (tenant, seq, at, action, principal, request_id, detail)
         VALUES (?1, max(?2, 1 + ifnull((SELECT max(seq) FROM audit WHERE tenant = ?1), 0)), ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(tenant.as_str())
    .bind(batch.now.0)
    .bind(entry.action.as_str())
    .bind(entry.principal.as_deref())
    .bind(entry.request_id.as_deref())
    .bind(detail)
    .execute(&mut *batch.connection)
    .await?;
    Ok(())
}

/// Purges some of the oldest. From one tenant's first record to the next tenant's, as the tenant leads
/// the key.
async fn purge(batch: &mut Batch<'_>, before: Timestamp) -> sqlx::Result<u64> {
    let purged = sqlx::query(
        "WITH RECURSIVE step (tenant) AS (
            SELECT min(tenant) FROM audit
            UNION ALL
            SELECT (SELECT min(tenant) FROM audit WHERE tenant > step.tenant)
              FROM step WHERE step.tenant IS NOT NULL)
         DELETE FROM audit WHERE (tenant, seq) IN
            (SELECT a.tenant, a.seq FROM step CROSS JOIN audit a ON a.tenant = step.tenant AND a.seq < ?1
              LIMIT ?2)",
    )
    .bind(before.0)
    .bind(CHUNK)
    .execute(&mut *batch.connection)
    .await?;
    Ok(purged.rows_affected())
}

pub(super) async fn window(
    pool: &SqlitePool,
    tenant: &TenantId,
    window: &AuditWindow<'_>,
) -> Result<Window<AuditRecord>> {
    let floor = "SELECT seq FROM audit WHERE tenant = ? AND seq < ? AND seq >= ?
                  ORDER BY seq DESC LIMIT 1 OFFSET ?";
    let floor: Option<i64> = sqlx::query_scalar(floor)
        .bind(tenant.as_str())
        .bind(window.before)
        .bind(window.from)
        .bind(window.scan.saturating_sub(1))
        .fetch_optional(pool)
        .await
        .map_err(internal)?;
    let query = "SELECT seq, at, action, principal, request_id, detail FROM audit
                  WHERE tenant = ?1 AND seq < ?2 AND seq >= ?3
                    AND (?4 IS NULL OR action = ?4) AND (?5 IS NULL OR principal = ?5)
                  ORDER BY seq DESC LIMIT ?6";
    let rows = sqlx::query(query)
        .bind(tenant.as_str())
        .bind(window.before)
        .bind(floor.unwrap_or(window.from))
        .bind(window.action.map(AuditAction::as_str))
        .bind(window.principal)
        .bind(i64::from(window.limit) + 1)
        .fetch_all(pool)
        .await
        .map_err(internal)?;
    let found = rows.iter().map(record).collect::<sqlx::Result<_>>().map_err(internal)?;
    Ok(Window { found, floor })
}

fn record(row: &SqliteRow) -> sqlx::Result<AuditRecord> {
    Ok(AuditRecord {
        seq: row.try_get(0)?,
        at: Timestamp(row.try_get(1)?),
        action: row.try_get(2)?,
        principal: row.try_get(3)?,
        request_id: row.try_get(4)?,
        detail: row.try_get(5)?,
    })
}
