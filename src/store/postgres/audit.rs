//! Appends to the audit record, and reads a window of it.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::ask;
use super::connect::Database;
use super::error::internal;
use super::writes::Batch;
use crate::domain::{AuditAction, AuditRecord, Result, TenantId, Timestamp};
use crate::store::audit::AuditWindow;
use crate::store::command::{Command, Outcome};
use crate::store::sent::Window;

/// Appends what commands say, and what others of the batch left to be recorded with what they did. Who writes to
/// a tenant's record holds its lock, until the commit: two would give the same place twice.
pub(super) async fn apply<'a>(batch: &mut Batch<'a>, commands: &'a [Command]) -> sqlx::Result<()> {
    for (place, command) in commands.iter().enumerate() {
        if let Command::Record(tenant, entry) = command {
            batch.entries.push((tenant, entry.clone()));
            batch.settle(place, Outcome::Done);
        }
    }
    let entries = std::mem::take(&mut batch.entries);
    if entries.is_empty() {
        return Ok(());
    }
    let tenants: Vec<_> = entries.iter().map(|(tenant, _)| tenant.as_str()).collect();
    ask("SELECT pg_advisory_xact_lock(1651270004, key)
           FROM (SELECT DISTINCT hashtext(t.tenant) AS key FROM unnest($1::text[]) AS t (tenant) ORDER BY key) AS keys")
        .bind(tenants.clone())
        .rows(&mut batch.on)
        .await?;
    let mut before: HashMap<&str, i64> = HashMap::new();
    let mut numbers = Vec::with_capacity(entries.len());
    for tenant in &tenants {
        let number = before.entry(tenant).or_default();
        numbers.push(*number);
        *number += 1;
    }
    let detail = |detail| serde_json::to_string(detail).map_err(|e| sqlx::Error::Encode(Box::new(e)));
    let details = entries.iter().map(|(_, entry)| detail(&entry.detail)).collect::<sqlx::Result<Vec<_>>>()?;
    ask("INSERT INTO audit (tenant, seq, at, action, principal, request_id, detail)
         SELECT e.tenant,
                e.number + greatest($1, 1 + coalesce((SELECT max(a.seq) FROM audit a WHERE a.tenant = e.tenant), 0)),
                $1, e.action, e.principal, e.request_id, e.detail
           FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[])
                AS e (tenant, number, action, principal, request_id, detail)")
        .bind(batch.now.0)
        .bind(tenants)
        .bind(numbers)
        .bind(entries.iter().map(|(_, entry)| entry.action.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, entry)| entry.principal.as_deref()).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, entry)| entry.request_id.as_deref()).collect::<Vec<_>>())
        .bind(details)
        .run(&mut batch.on)
        .await
        .map(drop)
}

pub(super) async fn window(
    database: &Database,
    tenant: &TenantId,
    window: &AuditWindow<'_>,
) -> Result<Window<AuditRecord>> {
    let floor = ask("SELECT seq FROM audit WHERE tenant = $1 AND seq < $2 AND seq >= $3
          ORDER BY seq DESC LIMIT 1 OFFSET $4")
    .bind(tenant.as_str())
    .bind(window.before)
    .bind(window.from)
    .bind(i64::from(window.scan.saturating_sub(1)));
    let floor = database.rows(&floor).await?;
    let floor: Option<i64> = floor.first().map(|row| row.try_get(0)).transpose().map_err(internal)?;
    let records = ask("SELECT seq, at, action, principal, request_id, detail FROM audit
          WHERE tenant = $1 AND seq < $2 AND seq >= $3
            AND ($4::text IS NULL OR action = $4) AND ($5::text IS NULL OR principal = $5)
          ORDER BY seq DESC LIMIT $6")
    .bind(tenant.as_str())
    .bind(window.before)
    .bind(floor.unwrap_or(window.from))
    .bind(window.action.map(AuditAction::as_str))
    .bind(window.principal)
    .bind(i64::from(window.limit) + 1);
    let rows = database.rows(&records).await?;
    let found = rows.iter().map(record).collect::<sqlx::Result<_>>().map_err(internal)?;
    Ok(Window { found, floor })
}

fn record(row: &PgRow) -> sqlx::Result<AuditRecord> {
    Ok(AuditRecord {
        seq: row.try_get(0)?,
        at: Timestamp(row.try_get(1)?),
        action: row.try_get(2)?,
        principal: row.try_get(3)?,
        request_id: row.try_get(4)?,
        detail: row.try_get(5)?,
    })
}
