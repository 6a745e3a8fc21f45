//! Reads, each one statement on one of a few connections.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::{Ask, ask};
use super::connect::Database;
use super::error::{corrupt, internal};
use super::hear::Neighbours;
use super::together::{self, Together};
use super::{answers, audit, drift, events, marks, page, sent, users, withdraw};
use crate::domain::{AuditRecord, EventId, Head, NotificationId, Result, TenantId, Timestamp, User, UserId};
use crate::store::audit::AuditWindow;
use crate::store::collapse::CollapseHash;
use crate::store::command::InboxKey;
use crate::store::engine::{Keep, Reads, UserRange};
use crate::store::events::Raw;
use crate::store::idempotency::{Kept, Name};
use crate::store::page::{Page, PageQuery};
use crate::store::sent::{Sent, SentWindow, Window};

pub(in crate::store) struct PostgresReads {
    database: Arc<Database>,
    together: Together,
    /// They go with it; who reads alone has none.
    neighbours: Option<Neighbours>,
}

impl PostgresReads {
    pub(super) fn new(database: Arc<Database>, neighbours: Option<Neighbours>) -> Self {
        Self { database, together: Together::default(), neighbours }
    }

    /// Returns the newest time that was stamped: two look-ups in primary keys.
    pub(in crate::store) async fn newest_stamp(&self) -> Result<Timestamp> {
        let newest = ask("SELECT greatest(
                (SELECT created_at FROM notification ORDER BY id DESC LIMIT 1),
                (SELECT at FROM change ORDER BY seq DESC LIMIT 1), 0)");
        let newest = self.first(newest, |row| row.try_get(0)).await?;
        Ok(Timestamp(newest.unwrap_or(0)))
    }

    /// Asks, and makes something of every row.
    async fn all<T>(&self, ask: Ask, make: impl Fn(&PgRow) -> sqlx::Result<T>) -> Result<Vec<T>> {
        self.database.rows(&ask).await?.iter().map(make).collect::<sqlx::Result<_>>().map_err(internal)
    }

    async fn first<T>(&self, ask: Ask, make: impl Fn(&PgRow) -> sqlx::Result<T>) -> Result<Option<T>> {
        self.database.rows(&ask).await?.first().map(make).transpose().map_err(internal)
    }
}

#[async_trait]
impl Reads for PostgresReads {
    async fn head(&self, inbox: &InboxKey) -> Result<Option<Head>> {
        self.together.head(&self.database, inbox).await
    }

    fn coalesces_heads(&self) -> bool {
        true
    }

    async fn page(&self, inbox: &InboxKey, query: &PageQuery) -> Result<Option<Page>> {
        page::page(&self.database, inbox, query).await
    }

    async fn events(&self, inbox: &InboxKey, after: i64) -> Result<Raw> {
        events::events(&self.database, inbox, after).await
    }

    async fn epoch(&self) -> Result<i64> {
        events::epoch(&self.database).await
    }

    async fn places(&self, inboxes: &[InboxKey]) -> Result<Vec<Option<EventId>>> {
        let heads = together::heads(&self.database, inboxes).await?;
        Ok(heads.into_iter().map(|head| head.map(|head| head.event_id())).collect())
    }

    async fn unread(
        &self,
        inbox: &InboxKey,
        after: Option<NotificationId>,
        up_to: NotificationId,
    ) -> Result<(Vec<NotificationId>, Option<NotificationId>)> {
        marks::unread(&self.database, inbox, after, up_to).await
    }

    async fn newest(&self, inbox: &InboxKey) -> Result<Option<NotificationId>> {
        let newest = "SELECT id FROM inbox WHERE tenant = $1 AND user_id = $2 ORDER BY id DESC LIMIT 1";
        self.first(of(inbox, newest), marks::id).await
    }

    async fn user(&self, inbox: &InboxKey) -> Result<Option<User>> {
        let user = "SELECT id, display_name, locale, time_zone, created_at, updated_at FROM directory
                     WHERE tenant = $1 AND id = $2 AND erased_at IS NULL";
        self.first(of(inbox, user), users::user).await
    }

    async fn users(&self, tenant: &TenantId, after: Option<UserId>, limit: u32) -> Result<Vec<User>> {
        let users = ask("SELECT id, display_name, locale, time_zone, created_at, updated_at FROM directory
              WHERE tenant = $1 AND id > $2 AND erased_at IS NULL ORDER BY id LIMIT $3")
        .bind(tenant.as_str())
        .bind(after.map_or(0, UserId::get))
        .bind(i64::from(limit));
        self.all(users, users::user).await
    }

    async fn answer(&self, name: &Name<'_>, since: Timestamp) -> Result<Option<Kept>> {
        self.first(answers::answer(name, since), answers::kept).await
    }

    async fn audit(&self, tenant: &TenantId, window: &AuditWindow<'_>) -> Result<Window<AuditRecord>> {
        audit::window(&self.database, tenant, window).await
    }

    async fn sent(&self, tenant: &TenantId, window: &SentWindow<'_>) -> Result<Window<Sent>> {
        sent::window(&self.database, tenant, window).await
    }

    async fn owners(
        &self,
        tenant: &TenantId,
        ids: &[NotificationId],
    ) -> Result<Vec<(UserId, NotificationId)>> {
        withdraw::owners(&self.database, tenant, ids).await
    }

    async fn collapsed(
        &self,
        tenant: &TenantId,
        key: CollapseHash,
        after: Option<UserId>,
    ) -> Result<(Vec<(UserId, NotificationId)>, Option<UserId>)> {
        withdraw::collapsed(&self.database, tenant, key, after).await
    }

    async fn tenants(&self) -> Result<Vec<TenantId>> {
        // From one tenant's first row to the next, not through all users.
        let tenants = ask("WITH RECURSIVE step (tenant) AS (
                SELECT min(tenant) FROM directory
                UNION ALL
                SELECT (SELECT min(d.tenant) FROM directory d WHERE d.tenant > step.tenant)
                  FROM step WHERE step.tenant IS NOT NULL)
             SELECT tenant FROM step WHERE tenant IS NOT NULL");
        self.all(tenants, |row| TenantId::new(row.try_get(0)?).map_err(corrupt)).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<InboxKey>> {
        let due =
            ask("SELECT tenant, id FROM directory WHERE next_expiry <= $1 ORDER BY next_expiry LIMIT $2");
        self.all(due.bind(now.0).bind(i64::from(limit)), drift::inbox).await
    }

    async fn erased(&self, limit: u32) -> Result<Vec<InboxKey>> {
        let erased = ask("SELECT tenant, user_id FROM erasure LIMIT $1").bind(i64::from(limit));
        self.all(erased, drift::inbox).await
    }

    async fn server_time(&self) -> Result<Option<Timestamp>> {
        let clock = ask("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
        self.first(clock, |row| row.try_get(0).map(Timestamp)).await
    }

    async fn last_before(&self, at: Timestamp) -> Result<Option<NotificationId>> {
        // Ids grow with time, so halving finds it without an index by time.
        let range = ask("SELECT coalesce(min(id), 1), coalesce(max(id), 0) + 1 FROM notification");
        let range = self.first(range, |row| Ok((row.try_get(0)?, row.try_get(1)?))).await?;
        let (mut low, mut high): (i64, i64) = range.unwrap_or((1, 1));
        while low < high {
            let middle = low + (high - low) / 2;
            let first =
                ask("SELECT created_at FROM notification WHERE id >= $1 ORDER BY id LIMIT 1").bind(middle);
            let created: Option<i64> = self.first(first, |row| row.try_get(0)).await?;
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
        // Materialized, so that how far each user's inbox goes is found once a user, not once a row.
        // What is too old by its id must be so by its own stamp.
        let outlived = ask("WITH bound AS MATERIALIZED (
                SELECT d.tenant, d.id AS user_id, d.erased_upto, CASE WHEN $6 < 0 THEN 0 ELSE coalesce(
                    (SELECT j.id FROM inbox j WHERE j.tenant = d.tenant AND j.user_id = d.id
                      ORDER BY j.id DESC LIMIT 1 OFFSET greatest($6, 0)), 0) END AS surplus_upto
                  FROM directory d WHERE d.tenant = $1 AND d.id > $2 AND d.id <= $3 AND d.erased_at IS NULL)
             SELECT i.user_id, i.id FROM bound b
              CROSS JOIN LATERAL (
                    SELECT x.user_id, x.id FROM inbox x WHERE x.tenant = b.tenant AND x.user_id = b.user_id
                       AND x.id > b.erased_upto AND x.id <= greatest($4, $5, b.surplus_upto)
                       AND (x.id <= b.surplus_upto OR EXISTS (
                            SELECT FROM notification n WHERE n.id = x.id AND n.tenant = x.tenant
                               AND (x.id <= $5 AND n.created_at < $8
                                    OR x.id <= $4 AND x.read_at IS NOT NULL AND n.created_at < $9)))
                     ORDER BY x.id LIMIT $7) AS i
              LIMIT $7")
        .bind(users.tenant.as_str())
        .bind(users.after.map_or(0, UserId::get))
        .bind(users.through.get())
        .bind(keep.read_up_to.map_or(0, NotificationId::get))
        .bind(keep.all_up_to.map_or(0, NotificationId::get))
        .bind(keep.newest.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX)))
        .bind(i64::from(limit))
        .bind(keep.all_before.0)
        .bind(keep.read_before.0);
        self.all(outlived, withdraw::owner).await
    }

    async fn drifted(&self, after: Option<&InboxKey>) -> Result<(Vec<InboxKey>, Option<InboxKey>)> {
        drift::drifted(&self.database, after).await
    }

    async fn close(&self) {
        if let Some(neighbours) = &self.neighbours {
            neighbours.part();
        }
        self.database.close().await;
    }
}

/// Binds the inbox as the first two parameters.
fn of(inbox: &InboxKey, text: &'static str) -> Ask {
    ask(text).bind(inbox.tenant.as_str()).bind(inbox.user.get())
}
