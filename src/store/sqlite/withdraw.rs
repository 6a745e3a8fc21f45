//! Withdraws notifications, and finds those that are to be withdrawn.

use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::error::{corrupt, internal};
use super::marks::remove;
use super::values::id_array;
use super::writes::Batch;
use super::{audit, deleted};
use crate::domain::{AuditEntry, ChangeKind, NotificationId, Result, TenantId, UserId};
use crate::store::collapse::CollapseHash;
use crate::store::command::{Command, Outcome};
use crate::store::key;

/// Collapse keys that one read looks at.
const SCAN: i64 = 20_000;

pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    for (place, command) in commands.iter().enumerate() {
        if let Command::Withdraw(tenant, owners, entry) = command {
            let rows = withdraw(batch, tenant, owners, entry).await?;
            batch.settle(place, Outcome::Rows(rows));
        }
    }
    Ok(())
}

async fn withdraw(
    batch: &mut Batch<'_>,
    tenant: &TenantId,
    owners: &[(UserId, NotificationId)],
    entry: &AuditEntry,
) -> sqlx::Result<u64> {
    let mut owners = owners.to_vec();
    owners.sort_unstable();
    let mut gone = Vec::new();
    for of_one in owners.chunk_by(|a, b| a.0 == b.0) {
        let inbox = key(tenant, of_one[0].0);
        let ids: Vec<i64> = of_one.iter().map(|(_, id)| id.get()).collect();
        let removed = remove(batch, &inbox, &ids, ChangeKind::Deleted).await?;
        gone.extend(removed.iter().filter_map(|change| change.notification).map(NotificationId::get));
        batch.pending.extend(removed);
    }
    deleted::let_go(batch, tenant, owners.iter().map(|(_, id)| *id)).await?;
    let rows = gone.len();
    if rows > 0 {
        audit::write(batch, tenant, &entry.clone().with("count", rows).with("ids", gone)).await?;
    }
    Ok(rows as u64)
}

pub(super) async fn owners(
    pool: &SqlitePool,
    tenant: &TenantId,
    ids: &[NotificationId],
) -> Result<Vec<(UserId, NotificationId)>> {
    let query = "SELECT n.user_id, n.id FROM json_each(?2) AS wanted
         CROSS JOIN notification n ON n.id = wanted.value AND n.tenant = ?1
         WHERE EXISTS (SELECT 1 FROM inbox i
                        WHERE i.tenant = n.tenant AND i.user_id = n.user_id AND i.id = n.id)
            OR EXISTS (SELECT 1 FROM deleted d WHERE d.id = n.id)";
    let rows = sqlx::query(query)
        .bind(tenant.as_str())
        .bind(id_array(ids.iter().map(|id| id.get())))
        .fetch_all(pool)
        .await
        .map_err(internal)?;
    rows.iter().map(owner).collect()
}

/// The key stands behind the user in the table's own key, so a read looks at those of many users.
pub(super) async fn collapsed(
    pool: &SqlitePool,
    tenant: &TenantId,
    hash: CollapseHash,
    after: Option<UserId>,
) -> Result<(Vec<(UserId, NotificationId)>, Option<UserId>)> {
    let after = after.map_or(0, UserId::get);
    let last = "SELECT user_id FROM collapse WHERE tenant = ? AND user_id > ?
                 ORDER BY user_id LIMIT 1 OFFSET ?";
    let last: Option<i64> = sqlx::query_scalar(last)
        .bind(tenant.as_str())
        .bind(after)
        .bind(SCAN)
        .fetch_optional(pool)
        .await
        .map_err(internal)?;
    let query = "SELECT c.user_id, c.id FROM collapse c
         WHERE c.tenant = ? AND c.user_id > ? AND c.user_id <= ? AND c.key = ?
           AND (EXISTS (SELECT 1 FROM inbox i
                         WHERE i.tenant = c.tenant AND i.user_id = c.user_id AND i.id = c.id)
                OR EXISTS (SELECT 1 FROM deleted d WHERE d.id = c.id))";
    let rows = sqlx::query(query)
        .bind(tenant.as_str())
        .bind(after)
        .bind(last.unwrap_or(i64::MAX))
        .bind(hash.0.as_slice())
        .fetch_all(pool)
        .await
        .map_err(internal)?;
    let found = rows.iter().map(owner).collect::<Result<_>>()?;
    Ok((found, last.map(UserId::new).transpose().map_err(corrupt)?))
}

fn owner(row: &SqliteRow) -> Result<(UserId, NotificationId)> {
    let user = UserId::new(row.try_get(0).map_err(internal)?).map_err(corrupt)?;
    Ok((user, NotificationId::new(row.try_get(1).map_err(internal)?).map_err(corrupt)?))
}
