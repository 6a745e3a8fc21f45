//! Reads a window of what was sent.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::ask;
use super::connect::Database;
use super::error::{corrupt, internal};
use super::page;
use crate::domain::{Result, TenantId, UserId};
use crate::store::sent::{Sent, SentWindow, Window};

macro_rules! columns {
    ($source:literal) => {
        concat!(
            "SELECT n.id, n.type, n.doc, n.related_user_id, n.created_at, i.read_at, i.expires_at,
                    n.user_id, n.sender, n.request_id FROM ",
            $source,
            " AND ($5::text IS NULL OR n.sender = $5) AND ($6::text IS NULL OR n.type = $6)
              AND (i.id IS NOT NULL OR $9 AND EXISTS (SELECT FROM deleted x WHERE x.id = n.id))
              AND (n.expires_at IS NULL OR n.expires_at > $7) AND n.created_at >= $10 AND n.created_at < $11
              ORDER BY n.id DESC LIMIT $8"
        )
    };
}

/// By id: whole windows of the table of contents, in which other tenants' rows are passed over.
const BY_ID: &str = columns!(
    "notification n
     JOIN directory d ON d.tenant = n.tenant AND d.id = n.user_id AND d.erased_at IS NULL
     LEFT JOIN inbox i ON i.tenant = n.tenant AND i.user_id = n.user_id AND i.id = n.id AND i.id > d.erased_upto
    WHERE n.tenant = $1 AND n.id < $2 AND n.id >= $3 AND $4::bigint IS NULL"
);

/// By user: the inbox's own key.
const BY_USER: &str = columns!(
    "directory d
     JOIN inbox i ON i.tenant = d.tenant AND i.user_id = d.id AND i.id > d.erased_upto
     JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
    WHERE d.tenant = $1 AND d.id = $4 AND d.erased_at IS NULL AND i.id < $2 AND i.id >= $3"
);

pub(super) async fn window(
    database: &Database,
    tenant: &TenantId,
    window: &SentWindow<'_>,
) -> Result<Window<Sent>> {
    let floor = floor(database, tenant, window).await?;
    let rows = ask(if window.user.is_some() { BY_USER } else { BY_ID })
        .bind(tenant.as_str())
        .bind(window.before)
        .bind(floor.unwrap_or(window.from))
        .bind(window.user.map(UserId::get))
        .bind(window.sender)
        .bind(window.kind)
        .bind(window.now.0)
        .bind(i64::from(window.limit) + 1)
        .bind(window.deleted)
        .bind(window.since.0)
        .bind(window.until.0);
    let rows = database.rows(&rows).await?;
    Ok(Window { found: rows.iter().map(sent).collect::<sqlx::Result<_>>().map_err(internal)?, floor })
}

/// The last id that one call looks at, where there are so many.
async fn floor(database: &Database, tenant: &TenantId, window: &SentWindow<'_>) -> Result<Option<i64>> {
    let floor = match window.user {
        Some(user) => ask("SELECT id FROM inbox WHERE id < $1 AND id >= $2 AND tenant = $4 AND user_id = $5
              ORDER BY id DESC LIMIT 1 OFFSET $3")
        .bind(window.before)
        .bind(window.from)
        .bind(i64::from(window.scan.saturating_sub(1)))
        .bind(tenant.as_str())
        .bind(user.get()),
        None => {
            ask("SELECT id FROM notification WHERE id < $1 AND id >= $2 ORDER BY id DESC LIMIT 1 OFFSET $3")
                .bind(window.before)
                .bind(window.from)
                .bind(i64::from(window.scan.saturating_sub(1)))
        }
    };
    let rows = database.rows(&floor).await?;
    rows.first().map(|row| row.try_get(0)).transpose().map_err(internal)
}

fn sent(row: &PgRow) -> sqlx::Result<Sent> {
    let user = UserId::new(row.try_get(7)?).map_err(corrupt)?;
    let notification = page::notification(user, row)?;
    Ok(Sent { notification, sender: row.try_get(8)?, request_id: row.try_get(9)? })
}
