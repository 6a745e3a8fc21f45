//! One round of upkeep: expiry, retention and purges, in chunks that no send waits behind.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::command::{CHUNK, Command, Outcome};
use super::engine::{Keep, UserRange};
use super::idempotency::oldest;
use super::{Store, key, unexpected};
use crate::config::Retention;
use crate::domain::{MAX_RESTORE_TIME, NotificationId, Result, TenantId, Timestamp, UserId};

/// What a round of upkeep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Notifications that had expired.
    pub expired: u64,
    /// Notifications that outlived their tenant's retention.
    pub retired: u64,
    /// Rows of erased users purged or cleared.
    pub erased: u64,
    /// Changes past keeping purged.
    pub changes: u64,
    /// Answers past keeping under idempotency keys purged.
    pub answers: u64,
}

/// How many seconds the stamps of commits that overlap may be in another order than their ids.
pub(super) const OVERLAP: i64 = 60;
/// Inboxes kept at once, so that they share commits.
const AT_ONCE: usize = 16;

impl Store {
    /// Does one round of upkeep. Call it again and again, every minute or so.
    ///
    /// # Errors
    /// The first that a step meets; the next round goes on from there.
    pub async fn maintain(
        &self,
        retention: &(dyn Fn(&TenantId) -> Retention + Send + Sync),
    ) -> Result<Maintained> {
        let server = self.0.reads.own().await?.server_time().await?;
        if let Some(server) = server {
            self.0.time.follow(server);
        }
        let now = self.0.time.for_expiry();
        let mut done = Maintained { expired: self.expire_due(now).await?, ..Maintained::default() };
        // By no age, so before anything pauses.
        loop {
            let inboxes = self.0.reads.own().await?.erased(CHUNK).await?;
            if inboxes.is_empty() {
                break;
            }
            for inbox in inboxes {
                done.erased += self.purge_erased(&inbox.tenant, inbox.user).await?;
            }
        }
        if let Some(ahead) = self.0.time.ahead() {
            tracing::warn!(
                ?ahead,
                "the clock has jumped ahead: retention and purges pause until it is right, or a restart takes it for right"
            );
            return Ok(done);
        }
        if let Some(behind) = self.0.time.behind() {
            tracing::warn!(
                ?behind,
                "the clock is behind the times in the store: retention and purges pause; set the clock right, or, if \
                 it is right, correct the times that were stored while it was ahead"
            );
            return Ok(done);
        }
        // Bound first: the turn ends with the statement, not with the loop.
        let tenants = self.0.reads.own().await?.tenants().await?;
        for tenant in tenants {
            let retention = retention(&tenant);
            if retention != Retention::default() {
                let now = self.0.time.for_expiry();
                done.retired += self.retire(&tenant, &retention, now).await?;
            }
        }
        let before = before(now, self.0.keep_changes);
        done.changes = self.repeat(|| Command::PurgeChanges(before)).await?;
        let before = self::before(now, MAX_RESTORE_TIME);
        self.repeat(|| Command::PurgeDeleted(before)).await?;
        let before = oldest(now);
        done.answers = self.repeat(|| Command::PurgeAnswers(before)).await?;
        Ok(done)
    }

    /// Purges all that an erased user left, and clears their id from others' notifications; says how
    /// many rows that were. Nothing to do for a user who is not erased.
    ///
    /// # Errors
    /// [`crate::domain::Error::Busy`] and the like; what is left then goes with [`Store::maintain`].
    pub async fn purge_erased(&self, tenant: &TenantId, user: UserId) -> Result<u64> {
        let inbox = key(tenant, user);
        self.repeat(|| Command::PurgeErased(inbox.clone())).await
    }

    async fn expire_due(&self, now: Timestamp) -> Result<u64> {
        let mut expired = 0;
        loop {
            let inboxes = self.0.reads.own().await?.due(now, CHUNK).await?;
            if inboxes.is_empty() {
                return Ok(expired);
            }
            let expire = |inbox| Command::Expire(inbox, now);
            expired += self.rows_of_all(inboxes.into_iter().map(expire).collect()).await?;
        }
    }

    async fn retire(&self, tenant: &TenantId, retention: &Retention, now: Timestamp) -> Result<u64> {
        let mut keep = Keep {
            read_up_to: None,
            all_up_to: None,
            read_before: Timestamp(0),
            all_before: Timestamp(0),
            newest: retention.newest,
        };
        if let Some(age) = retention.read {
            keep.read_before = before(now, age);
            keep.read_up_to = self.last_id_before(keep.read_before).await?;
        }
        if let Some(age) = retention.unread {
            keep.all_before = before(now, age);
            keep.all_up_to = self.last_id_before(keep.all_before).await?;
        }
        let (mut retired, mut after) = (0, None);
        loop {
            let users = self.0.reads.own().await?.users(tenant, after, CHUNK).await?;
            let Some(through) = users.last().map(|user| user.id) else { return Ok(retired) };
            let range = UserRange { tenant, after, through };
            loop {
                let outlived = self.0.reads.own().await?.outlived(&range, &keep, CHUNK).await?;
                if outlived.is_empty() {
                    break;
                }
                let retire = |(user, ids)| Command::Retire(key(tenant, user), ids);
                retired += self.rows_of_all(by_user(outlived).into_iter().map(retire).collect()).await?;
            }
            after = Some(through);
        }
    }

    /// The last id that may be from before a time. Ids and stamps agree but for commits that overlap, so it is looked
    /// for a while later.
    async fn last_id_before(&self, at: Timestamp) -> Result<Option<NotificationId>> {
        self.0.reads.own().await?.last_before(at.plus_seconds(OVERLAP)).await
    }

    /// Repeats a command of long work until nothing is left of it.
    pub(super) async fn repeat(&self, command: impl Fn() -> Command) -> Result<u64> {
        let mut total = 0;
        loop {
            match self.rows(command()).await? {
                0 => return Ok(total),
                rows => total += rows,
            }
        }
    }

    /// Some commands at a time, in any order.
    async fn rows_of_all(&self, commands: Vec<Command>) -> Result<u64> {
        let done = commands.into_iter().map(|command| self.rows(command));
        let mut done = stream::iter(done).buffer_unordered(AT_ONCE);
        let mut total = 0;
        while let Some(rows) = done.next().await {
            total += rows?;
        }
        Ok(total)
    }

    async fn rows(&self, command: Command) -> Result<u64> {
        match self.submit(command).await? {
            Outcome::Rows(rows) => Ok(rows),
            other => Err(unexpected(&other)),
        }
    }
}

pub(super) fn before(now: Timestamp, age: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)))
}

/// Gathers what stands together by user.
fn by_user(rows: Vec<(UserId, NotificationId)>) -> Vec<(UserId, Vec<NotificationId>)> {
    let mut users: Vec<(UserId, Vec<NotificationId>)> = Vec::new();
    for (user, id) in rows {
        match users.last_mut() {
            Some((last, ids)) if *last == user => ids.push(id),
            _ => users.push((user, vec![id])),
        }
    }
    users
}
