//! Applies a batch of commands in one transaction.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::deleted::Deleted;
use super::fold::Folds;
use super::heads::{Heads, Pending, move_heads};
use super::open::{Lock, assert_durable, connect_writer};
use super::{audit, deleted, drift, expire, marks, purge, send, users, withdraw};
use crate::domain::{Change, Timestamp};
use crate::store::command::{Command, Outcome};
use crate::store::engine::{Applied, Engine, Failure};
use crate::store::space::Space;
use crate::store::time::BatchTime;

pub(in crate::store) struct SqliteEngine {
    options: SqliteConnectOptions,
    /// `None` after a failure: the next batch opens another.
    connection: Option<SqliteConnection>,
    /// The id of the next notification. The writer alone hands ids out, and knows a row by its id.
    next_id: i64,
    heads: Heads,
    folds: Folds,
    space: Arc<Space>,
    /// Released once the connection is closed.
    _lock: Lock,
}

/// A batch while it is applied.
pub(super) struct Batch<'a> {
    pub connection: &'a mut SqliteConnection,
    pub now: Timestamp,
    /// What has expired by this time is not shown any more.
    pub expiry: Timestamp,
    pub next_id: &'a mut i64,
    pub heads: &'a mut Heads,
    pub outcomes: Vec<Option<Outcome>>,
    /// Changes whose heads are not yet moved.
    pub pending: Vec<Pending>,
    /// What users deleted, to be kept when the heads are moved.
    pub deleted: Vec<Deleted>,
    pub changes: Vec<Change>,
}

impl Batch<'_> {
    /// Says what became of the command at a place in the batch.
    pub fn settle(&mut self, place: usize, outcome: Outcome) {
        self.outcomes[place] = Some(outcome);
    }

    /// Moves the heads of what was changed so far.
    pub async fn move_heads(&mut self) -> sqlx::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        move_heads(self, &pending).await
    }
}

impl SqliteEngine {
    pub(super) async fn new(
        options: SqliteConnectOptions,
        mut connection: SqliteConnection,
        lock: Lock,
        space: Arc<Space>,
    ) -> sqlx::Result<Self> {
        let next_id = next_id(&mut connection).await?;
        let folds = Folds::begin(options.clone(), space.clone());
        let heads = Heads::default();
        Ok(Self { options, connection: Some(connection), next_id, heads, folds, space, _lock: lock })
    }

    /// The disk that the database is on.
    pub(in crate::store) fn space(&self) -> Arc<Space> {
        self.space.clone()
    }

    async fn connected(&mut self) -> Result<&mut SqliteConnection, Failure> {
        if self.connection.is_none() {
            let mut connection = connect_writer(&self.options).await?;
            assert_durable(&mut connection).await.map_err(|e| Failure::Broken(e.to_string()))?;
            self.next_id = next_id(&mut connection).await?;
            self.connection = Some(connection);
        }
        self.connection.as_mut().ok_or_else(|| Failure::Broken("no connection".into()))
    }

    async fn try_apply(&mut self, commands: &[Command], time: BatchTime) -> Result<Applied, Failure> {
        self.folds.check()?;
        self.connected().await?;
        let Self { connection: Some(connection), next_id, heads, .. } = self else {
            return Err(Failure::Broken("no connection".into()));
        };
        let mut batch = Batch {
            connection,
            now: time.now,
            expiry: time.expiry,
            next_id,
            heads,
            outcomes: commands.iter().map(|_| None).collect(),
            pending: Vec::new(),
            deleted: Vec::new(),
            changes: Vec::new(),
        };
        // What one statement does is a transaction by itself.
        let alone =
            marks::fits_one_statement(commands) || send::fits_one_statement(&mut batch, commands).await?;
        if !alone {
            sqlx::query("BEGIN IMMEDIATE").execute(&mut *batch.connection).await?;
        }
        apply_all(&mut batch, commands).await?;
        if !alone {
            sqlx::query("COMMIT").execute(&mut *batch.connection).await?;
        }
        self.folds.check()?;
        let Batch { outcomes, changes, .. } = batch;
        let outcomes: Option<Vec<_>> = outcomes.into_iter().collect();
        // Committed all the same: the writer answers what it has.
        Ok(Applied { outcomes: outcomes.unwrap_or_default(), changes })
    }
}

/// The commands grouped by kind, as those of one batch have no order among them: first all that
/// moves inboxes, then users, so that an erased user's inbox is moved by nothing after that.
async fn apply_all(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    send::apply(batch, commands).await?;
    deleted::restore(batch, commands).await?;
    marks::apply(batch, commands).await?;
    deleted::delete(batch, commands).await?;
    expire::apply(batch, commands).await?;
    withdraw::apply(batch, commands).await?;
    marks::apply_single(batch, commands).await?;
    batch.move_heads().await?;
    deleted::keep(batch).await?;
    drift::apply(batch, commands).await?;
    users::apply(batch, commands).await?;
    audit::apply(batch, commands).await?;
    purge::apply(batch, commands).await
}

pub(super) async fn next_id(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    let last = "SELECT seq FROM sqlite_sequence WHERE name = 'notification'";
    let last: Option<i64> = sqlx::query_scalar(last).fetch_optional(connection).await?;
    Ok(last.unwrap_or(0) + 1)
}

#[async_trait]
impl Engine for SqliteEngine {
    async fn apply(&mut self, commands: &[Command], time: BatchTime) -> Result<Applied, Failure> {
        let result = self.try_apply(commands, time).await;
        self.folds.wrote();
        if let Err(failure) = &result {
            self.heads.clear();
            // A row's failure leaves a sound connection with an open transaction, or none: a plain
            // statement has undone itself. After anything else only a new connection is trusted.
            let sound = match (&mut self.connection, failure) {
                (Some(connection), Failure::Row(_)) => {
                    let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
                    next_id(connection).await.ok()
                }
                _ => None,
            };
            match sound {
                Some(id) => self.next_id = id,
                None => self.connection = None,
            }
        }
        result
    }

    async fn close(self: Box<Self>) {
        let Self { connection, folds, _lock, .. } = *self;
        folds.end().await;
        if let Some(mut connection) = connection {
            let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await;
            if let Err(error) = checkpoint.and(connection.close().await) {
                tracing::warn!(%error, "the database's log was not folded in; the next start does it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{Profile, TenantId, UserId};
    use crate::store::{Options, command::InboxKey, sqlite::open};

    use super::*;

    fn at(micros: i64) -> BatchTime {
        BatchTime { now: Timestamp(micros), expiry: Timestamp(micros) }
    }

    fn put(user: i64) -> Command {
        let inbox = InboxKey { tenant: TenantId::default(), user: UserId::new(user).expect("an id") };
        let name = Some("x".repeat(100_000));
        Command::PutUser(inbox, Profile { display_name: name, ..Profile::default() }, None)
    }

    #[tokio::test]
    async fn a_full_disk_stores_nothing_and_is_got_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let (mut engine, reads) = open(&url, &Options::default()).await.expect("opens");
        let live = engine.connection.as_mut().expect("open");
        sqlx::query("PRAGMA max_page_count = 64").execute(live).await.expect("set");
        let batch: Vec<_> = (1..=5).map(put).collect();
        let full = engine.apply(&batch, at(1)).await;
        assert!(matches!(full, Err(Failure::Busy(_))), "{full:?}");
        let tenant = TenantId::default();
        use crate::store::engine::Reads;
        assert!(reads.users(&tenant, None, 9).await.expect("reads").is_empty(), "all or none");

        let applied = engine.apply(&batch, at(2)).await.expect("a new connection has room");
        assert_eq!(applied.outcomes.len(), 5);
        assert_eq!(reads.users(&tenant, None, 9).await.expect("reads").len(), 5);
    }

    #[tokio::test]
    async fn a_content_that_cannot_be_read_fails_only_who_asks_for_it() {
        use crate::domain::{Draft, Limits, NotificationId, Sealed};
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let (mut engine, _reads) = open(&url, &Options::default()).await.expect("opens");
        let send = |user_id: i64| {
            let draft = Draft { user_id, kind: "custom".into(), title: "t".into(), ..Draft::default() };
            let sealed = std::sync::Arc::new(Sealed::from_draft(draft, &Limits::default()).expect("good"));
            let (sender, request_id) = ("key:test".into(), String::new());
            let new = crate::store::NewNotification {
                sealed,
                sender,
                request_id,
                create_user: true,
                idempotency: None,
                whole: None,
            };
            Command::Send(TenantId::default(), Box::new(new))
        };
        engine.apply(&[send(1), send(2)], at(1)).await.expect("stored");
        let hand = engine.connection.as_mut().expect("open");
        let tampered = "UPDATE notification SET related_user_id = -1 WHERE id = 1";
        sqlx::query(tampered).execute(hand).await.expect("changed");
        let mark = |id: i64| {
            let user = UserId::new(id).expect("an id");
            let inbox = InboxKey { tenant: TenantId::default(), user };
            Command::MarkRead(inbox, NotificationId::new(id).expect("an id"))
        };
        let both = engine.apply(&[mark(1), mark(2)], at(2)).await;
        assert!(matches!(both, Err(Failure::Row(_))), "it is tried without the other: {both:?}");
        assert_eq!(engine.apply(&[mark(2)], at(2)).await.expect("marked").changes.len(), 1);
    }
}
