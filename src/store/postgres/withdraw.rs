//! Finds notifications that are to be withdrawn.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::ask;
use super::connect::Database;
use super::error::{corrupt, internal};
use crate::domain::{NotificationId, Result, TenantId, UserId};
use crate::store::collapse::CollapseHash;

/// Collapse keys that one read looks at.
const SCAN: i64 = 20_000;

pub(super) async fn owners(
    database: &Database,
    tenant: &TenantId,
    ids: &[NotificationId],
) -> Result<Vec<(UserId, NotificationId)>> {
    let owners = ask("SELECT n.user_id, n.id
           FROM unnest($2::bigint[]) AS wanted (id)
           JOIN notification n ON n.id = wanted.id AND n.tenant = $1
          WHERE EXISTS (SELECT FROM inbox i
                         WHERE i.tenant = n.tenant AND i.user_id = n.user_id AND i.id = n.id)
             OR EXISTS (SELECT FROM deleted d WHERE d.id = n.id)")
    .bind(tenant.as_str())
    .bind(ids.iter().map(|id| id.get()).collect::<Vec<_>>());
    database.rows(&owners).await?.iter().map(owner).collect::<sqlx::Result<_>>().map_err(internal)
}

/// The key stands behind the user in the table's own key, so a read looks at those of many users.
pub(super) async fn collapsed(
    database: &Database,
    tenant: &TenantId,
    key: CollapseHash,
    after: Option<UserId>,
) -> Result<(Vec<(UserId, NotificationId)>, Option<UserId>)> {
    let after = after.map_or(0, UserId::get);
    let last = ask("SELECT user_id FROM collapse WHERE tenant = $1 AND user_id > $2
          ORDER BY user_id LIMIT 1 OFFSET $3")
    .bind(tenant.as_str())
    .bind(after)
    .bind(SCAN);
    let last = database.rows(&last).await?;
    let last: Option<i64> = last.first().map(|row| row.try_get(0)).transpose().map_err(internal)?;
    let found = ask("SELECT c.user_id, c.id FROM collapse c
          WHERE c.tenant = $1 AND c.user_id > $2 AND c.user_id <= $3 AND c.key = $4
            AND (EXISTS (SELECT FROM inbox i
                          WHERE i.tenant = c.tenant AND i.user_id = c.user_id AND i.id = c.id)
                 OR EXISTS (SELECT FROM deleted d WHERE d.id = c.id))")
    .bind(tenant.as_str())
    .bind(after)
    .bind(last.unwrap_or(i64::MAX))
    .bind(key.0.as_slice());
    let found = database.rows(&found).await?;
    let found = found.iter().map(owner).collect::<sqlx::Result<_>>().map_err(internal)?;
    let last = last.map(|user| UserId::new(user).map_err(corrupt)).transpose().map_err(internal)?;
    Ok((found, last))
}

pub(super) fn owner(row: &PgRow) -> sqlx::Result<(UserId, NotificationId)> {
    let user = UserId::new(row.try_get(0)?).map_err(corrupt)?;
    Ok((user, NotificationId::new(row.try_get(1)?).map_err(corrupt)?))
}
