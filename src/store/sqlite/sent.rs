//! Reads a window of what was sent.

use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::error::{corrupt, internal};
use super::values::made;
use crate::domain::{Content, Notification, NotificationId, Result, TenantId, Timestamp, UserId};
use crate::store::sent::{Sent, SentWindow, Window};

/// By id: whole windows of the table of contents, in which other tenants' rows are passed over.
const BY_ID: &str = "notification n
    CROSS JOIN head h ON h.tenant = n.tenant AND h.user_id = n.user_id
    LEFT JOIN inbox i ON i.tenant = n.tenant AND i.user_id = n.user_id AND i.id = n.id AND i.id > h.erased_upto
    WHERE n.tenant = ?1 AND n.id < ?2 AND n.id >= ?3 AND ?4 IS NULL";

/// By user: the inbox's own key.
const BY_USER: &str = "head h
    CROSS JOIN inbox i ON i.tenant = h.tenant AND i.user_id = h.user_id AND i.id > h.erased_upto
    CROSS JOIN notification n ON n.id = i.id
    WHERE h.tenant = ?1 AND h.user_id = ?4 AND i.id < ?2 AND i.id >= ?3";

pub(super) async fn window(
    pool: &SqlitePool,
    tenant: &TenantId,
    window: &SentWindow<'_>,
) -> Result<Window<Sent>> {
    let floor = floor(pool, tenant, window).await.map_err(internal)?;
    let (source, order) = if window.user.is_some() { (BY_USER, "i.id") } else { (BY_ID, "n.id") };
    let query = made(format!(
        "SELECT n.id, n.user_id, n.type, n.doc, n.related_user_id, n.created_at, i.read_at, i.expires_at,
                n.sender, n.request_id
           FROM {source} AND (?5 IS NULL OR n.sender = ?5) AND (?6 IS NULL OR n.type = ?6)
            AND (i.id IS NOT NULL OR ?9 AND EXISTS (SELECT 1 FROM deleted d WHERE d.id = n.id))
            AND (n.expires_at IS NULL OR n.expires_at > ?7) AND n.created_at >= ?10 AND n.created_at < ?11
          ORDER BY {order} DESC LIMIT ?8"
    ));
    let rows = query
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
        .bind(window.until.0)
        .fetch_all(pool)
        .await
        .map_err(internal)?;
    Ok(Window { found: rows.iter().map(sent).collect::<Result<_>>()?, floor })
}

/// The last id that one call looks at, where there are so many.
async fn floor(pool: &SqlitePool, tenant: &TenantId, window: &SentWindow<'_>) -> sqlx::Result<Option<i64>> {
    let query = match window.user {
        Some(user) => sqlx::query_scalar(
            "SELECT id FROM inbox WHERE tenant = ? AND user_id = ? AND id < ? AND id >= ?
              ORDER BY id DESC LIMIT 1 OFFSET ?",
        )
        .bind(tenant.as_str())
        .bind(user.get()),
        None => sqlx::query_scalar(
            "SELECT id FROM notification WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT 1 OFFSET ?",
        ),
    };
    query.bind(window.before).bind(window.from).bind(window.scan.saturating_sub(1)).fetch_optional(pool).await
}

fn sent(row: &SqliteRow) -> Result<Sent> {
    let read = || -> sqlx::Result<_> {
        let ids: (i64, i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(4)?);
        let time = |column: usize| row.try_get::<Option<i64>, _>(column).map(|at| at.map(Timestamp));
        Ok((ids, Timestamp(row.try_get(5)?), time(6)?, time(7)?, row.try_get(2)?, row.try_get(3)?))
    };
    let ((id, user, related), created_at, read_at, expires_at, kind, doc) = read().map_err(internal)?;
    let notification = Notification {
        id: NotificationId::new(id).map_err(corrupt)?,
        user: UserId::new(user).map_err(corrupt)?,
        kind,
        content: Content::from_stored(doc),
        related_user: related.map(UserId::new).transpose().map_err(corrupt)?,
        created_at,
        read_at,
        expires_at,
    };
    let sender = row.try_get(8).map_err(internal)?;
    Ok(Sent { notification, sender, request_id: row.try_get(9).map_err(internal)? })
}
