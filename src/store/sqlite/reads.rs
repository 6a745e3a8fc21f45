//! Reads, each one statement on one of a few read-only connections.

use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Row, query::Query};

use super::error::{corrupt, internal};
use super::open::OpenError;
use super::values::made;
use super::{answers, audit, drift, events, marks, page, sent, users, withdraw};
use crate::domain::{AuditRecord, Head, NotificationId, Result, TenantId, Timestamp, User, UserId};
use crate::store::audit::AuditWindow;
use crate::store::collapse::CollapseHash;
use crate::store::command::InboxKey;
use crate::store::engine::{Keep, Reads, UserRange};
use crate::store::events::Raw;
use crate::store::idempotency::{Kept, Name};
use crate::store::page::{Page, PageQuery};
use crate::store::sent::{Sent, SentWindow, Window};

pub(in crate::store) struct SqliteReads {
    pool: SqlitePool,
}

impl SqliteReads {
    /// The newest time that was stamped.
    pub(in crate::store) async fn newest_stamp(&self) -> std::result::Result<Timestamp, OpenError> {
        let query = "SELECT max(
            ifnull((SELECT created_at FROM notification ORDER BY id DESC LIMIT 1), 0),
            ifnull((SELECT at FROM change ORDER BY seq DESC LIMIT 1), 0),
            ifnull((SELECT max(at) FROM probe), 0))";
        let newest = sqlx::query_scalar(query).fetch_one(&self.pool).await;
        newest.map(Timestamp).map_err(OpenError::Read)
    }

    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl Reads for SqliteReads {
    async fn head(&self, inbox: &InboxKey) -> Result<Option<Head>> {
        let query = "SELECT rev, unread, next_expiry, erased_upto, (SELECT epoch FROM history)
                       FROM head WHERE tenant = ? AND user_id = ?";
        let row = of(inbox, sqlx::query(query)).fetch_optional(&self.pool).await.map_err(internal)?;
        row.as_ref().map(page::head).transpose()
    }

    async fn page(&self, inbox: &InboxKey, query: &PageQuery) -> Result<Option<Page>> {
        page::page(&self.pool, inbox, query).await
    }

    async fn events(&self, inbox: &InboxKey, after: i64) -> Result<Raw> {
        events::events(&self.pool, inbox, after).await
    }

    async fn epoch(&self) -> Result<i64> {
        events::epoch(&self.pool).await
    }

    async fn unread(
        &self,
        inbox: &InboxKey,
        after: Option<NotificationId>,
        up_to: NotificationId,
    ) -> Result<(Vec<NotificationId>, Option<NotificationId>)> {
        marks::unread(&self.pool, inbox, after, up_to).await
    }

    async fn newest(&self, inbox: &InboxKey) -> Result<Option<NotificationId>> {
        let query = "SELECT id FROM inbox WHERE tenant = ? AND user_id = ? AND id < 9223372036854775807
                      ORDER BY id DESC LIMIT 1";
        let row = of(inbox, sqlx::query(query)).fetch_optional(&self.pool).await.map_err(internal)?;
        row.map_or(Ok(None), |row| id_at(&row, 0))
    }

    async fn user(&self, inbox: &InboxKey) -> Result<Option<User>> {
        let query = made(format!(
            "SELECT {} FROM directory WHERE tenant = ? AND id = ? AND erased_at IS NULL",
            users::COLUMNS
        ));
        let row = of(inbox, query).fetch_optional(&self.pool).await.map_err(internal)?;
        row.as_ref().map(users::user).transpose().map_err(internal)
    }

    async fn users(&self, tenant: &TenantId, after: Option<UserId>, limit: u32) -> Result<Vec<User>> {
        let query = made(format!(
            "SELECT {} FROM directory WHERE tenant = ? AND id > ? AND erased_at IS NULL ORDER BY id LIMIT ?",
            users::COLUMNS
        ));
        let query = query.bind(tenant.as_str()).bind(after.map_or(0, UserId::get)).bind(limit);
        let rows = query.fetch_all(&self.pool).await.map_err(internal)?;
        rows.iter().map(users::user).collect::<sqlx::Result<_>>().map_err(internal)
    }

    async fn answer(&self, name: &Name<'_>, since: Timestamp) -> Result<Option<Kept>> {
        answers::answer(&self.pool, name, since).await
    }

    async fn audit(&self, tenant: &TenantId, window: &AuditWindow<'_>) -> Result<Window<AuditRecord>> {
        audit::window(&self.pool, tenant, window).await
    }

    async fn sent(&self, tenant: &TenantId, window: &SentWindow<'_>) -> Result<Window<Sent>> {
        sent::window(&self.pool, tenant, window).await
    }

    async fn owners(
        &self,
        tenant: &TenantId,
        ids: &[NotificationId],
    ) -> Result<Vec<(UserId, NotificationId)>> {
        withdraw::owners(&self.pool, tenant, ids).await
    }

    async fn collapsed(
        &self,
        tenant: &TenantId,
        key: CollapseHash,
        after: Option<UserId>,
    ) -> Result<(Vec<(UserId, NotificationId)>, Option<UserId>)> {
        withdraw::collapsed(&self.pool, tenant, key, after).await
    }

    async fn tenants(&self) -> Result<Vec<TenantId>> {
        // From one tenant's first row to the next, not through all users.
        let query = "WITH RECURSIVE step (tenant) AS (
            SELECT min(tenant) FROM directory
            UNION ALL
            SELECT (SELECT min(tenant) FROM directory WHERE tenant > step.tenant)
              FROM step WHERE step.tenant IS NOT NULL)
            SELECT tenant FROM step WHERE tenant IS NOT NULL";
        let names: Vec<String> = sqlx::query_scalar(query).fetch_all(&self.pool).await.map_err(internal)?;
        names.iter().map(|name| TenantId::new(name).map_err(corrupt)).collect()
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<InboxKey>> {
        let query = "SELECT tenant, user_id FROM inbox WHERE next_expiry <= ? ORDER BY next_expiry LIMIT ?";
        let rows = sqlx::query(query).bind(now.0).bind(limit).fetch_all(&self.pool).await;
        rows.map_err(internal)?.iter().map(drift::inbox).collect()
    }

    async fn erased(&self, limit: u32) -> Result<Vec<InboxKey>> {
        let query = sqlx::query("SELECT tenant, user_id FROM erasure LIMIT ?").bind(limit);
        query.fetch_all(&self.pool).await.map_err(internal)?.iter().map(drift::inbox).collect()
    }

    async fn last_before(&self, at: Timestamp) -> Result<Option<NotificationId>> {
        // Ids grow with time, so halving finds it without an index by time.
        let range = "SELECT ifnull(min(id), 1), ifnull(max(id), 0) + 1 FROM notification";
        let row = sqlx::query(range).fetch_one(&self.pool).await.map_err(internal)?;
        let (mut low, mut high): (i64, i64) =
            (row.try_get(0).map_err(internal)?, row.try_get(1).map_err(internal)?);
        while low < high {
            let middle = low + (high - low) / 2;
            let first = "SELECT created_at FROM notification WHERE id >= ? ORDER BY id LIMIT 1";
            let created: Option<i64> =
                sqlx::query_scalar(first).bind(middle).fetch_optional(&self.pool).await.map_err(internal)?;
            if created.is_some_and(|created| created < at.0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(NotificationId::new(low - 1).ok())
    }

    async fn outlived(
        &self,
        users: &UserRange<'_>,
        keep: &Keep,
        limit: u32,
    ) -> Result<Vec<(UserId, NotificationId)>> {
        // Materialized, so that how far each user's inbox goes is found once a user, not once a row. What is too old by
        // its id must be so by its own stamp.
        let query = "WITH bound AS MATERIALIZED (
            SELECT h.tenant, h.user_id, h.erased_upto, CASE WHEN ?6 < 0 THEN 0 ELSE ifnull(
                (SELECT j.id FROM inbox j
                  WHERE j.tenant = h.tenant AND j.user_id = h.user_id AND j.id < 9223372036854775807
                  ORDER BY j.id DESC LIMIT 1 OFFSET ?6), 0) END AS surplus_upto
              FROM directory d CROSS JOIN head h ON h.tenant = d.tenant AND h.user_id = d.id
             WHERE d.tenant = ?1 AND d.id > ?2 AND d.id <= ?3)
            SELECT i.user_id, i.id FROM bound b
             CROSS JOIN inbox i ON i.tenant = b.tenant AND i.user_id = b.user_id
                    AND i.id > b.erased_upto AND i.id <= max(?4, ?5, b.surplus_upto)
             WHERE i.id <= b.surplus_upto OR EXISTS (
                   SELECT 1 FROM notification n WHERE n.id = i.id AND n.tenant = i.tenant
                      AND (i.id <= ?5 AND n.created_at < ?8
                           OR i.id <= ?4 AND i.read_at IS NOT NULL AND n.created_at < ?9))
             LIMIT ?7";
        let rows = sqlx::query(query)
            .bind(users.tenant.as_str())
            .bind(users.after.map_or(0, UserId::get))
            .bind(users.through.get())
            .bind(keep.read_up_to.map_or(0, NotificationId::get))
            .bind(keep.all_up_to.map_or(0, NotificationId::get))
            .bind(keep.newest.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX)))
            .bind(limit)
            .bind(keep.all_before.0)
            .bind(keep.read_before.0)
            .fetch_all(&self.pool)
            .await
            .map_err(internal)?;
        let outlived = |row: &SqliteRow| {
            let user = UserId::new(row.try_get(0).map_err(internal)?).map_err(corrupt)?;
            Ok((user, NotificationId::new(row.try_get(1).map_err(internal)?).map_err(corrupt)?))
        };
        rows.iter().map(outlived).collect()
    }

    async fn drifted(&self, after: Option<&InboxKey>) -> Result<(Vec<InboxKey>, Option<InboxKey>)> {
        drift::drifted(&self.pool, after).await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// Binds the inbox as the first two parameters.
fn of<'q>(inbox: &InboxKey, query: Query<'q, Sqlite, SqliteArguments>) -> Query<'q, Sqlite, SqliteArguments> {
    query.bind(inbox.tenant.as_str().to_owned()).bind(inbox.user.get())
}

fn id_at(row: &SqliteRow, column: usize) -> Result<Option<NotificationId>> {
    let id: Option<i64> = row.try_get(column).map_err(internal)?;
    id.map(NotificationId::new).transpose().map_err(corrupt)
}
