//! Applies a batch of commands in one transaction, and makes sure of what became of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use tokio::time::timeout;

use super::alone::{self, Mark};
use super::ask::{Ask, Session};
use super::connect::Database;
use super::doubt::Doubt;
use super::error::{failure, is_passing, leaves_connection, timed_out};
use super::flush::{Arrival, flush};
use super::heads::Heads;
use super::hints::Hints;
use super::notices::Notices;
use super::{answers, audit, deleted, drift, marks, purge, random, remove, send, users};
use crate::domain::{AuditEntry, Change, ChangeKind, NotificationId, TenantId, Timestamp};
use crate::store::command::{Command, InboxKey, Outcome};
use crate::store::engine::{Applied, Engine, Failure};
use crate::store::time::BatchTime;

/// One lane: a writer's connection, and the number of its last batch.
pub(in crate::store) struct PostgresEngine {
    database: Arc<Database>,
    hints: Arc<Hints>,
    /// `None` after a failure: the next batch opens another.
    connection: Option<PgConnection>,
    notices: Notices,
    lane: i64,
    /// The number of the last batch that was begun, and of the last that is known to have been committed.
    batch: i64,
    committed: i64,
}

/// A batch while it is applied.
pub(super) struct Batch<'a> {
    pub on: Session<'a>,
    pub now: Timestamp,
    /// What has expired by this time is not shown any more.
    pub expiry: Timestamp,
    pub heads: Heads,
    pub outcomes: Vec<Option<Outcome>>,
    /// All changes, in the order of revisions; those before `written` are in the database.
    pub changes: Vec<Change>,
    pub written: usize,
    /// What has arrived and is not in the database yet.
    pub arrivals: Vec<Arrival<'a>>,
    /// What is to be recorded at the end.
    pub entries: Vec<(&'a TenantId, AuditEntry)>,
}

impl Batch<'_> {
    /// Says what became of the command at a place in the batch.
    pub fn settle(&mut self, place: usize, outcome: Outcome) {
        self.outcomes[place] = Some(outcome);
    }

    /// Moves a head by one change. There must be such a user.
    pub fn step(
        &mut self,
        inbox: &InboxKey,
        kind: ChangeKind,
        notification: Option<NotificationId>,
        unread: i64,
    ) -> sqlx::Result<()> {
        let head = self.heads.get(inbox).ok_or(sqlx::Error::RowNotFound)?;
        head.rev += 1;
        head.unread += unread;
        head.is_moved = true;
        let (tenant, user, rev, unread) = (inbox.tenant.clone(), inbox.user, head.rev, head.unread);
        self.changes.push(Change { tenant, user, rev, unread, kind, notification });
        Ok(())
    }
}

/// Why a batch was not applied at the first go.
enum Stop {
    /// Before its COMMIT was sent.
    Failed(sqlx::Error),
    /// Users are to be created first, or sends to be held back.
    Unknown,
    /// Its COMMIT was sent, or it is one by itself, and whether it took place is not known.
    Doubt,
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// What a transaction came to before its COMMIT.
enum Done {
    Applied(Applied),
    /// Whether what is in doubt took place.
    Looked(bool),
}

/// How often a batch is tried that failed of what passes.
const TRIES: u32 = 3;
/// Between two looks whether a batch was committed.
const LOOK: Duration = Duration::from_millis(100);

impl PostgresEngine {
    pub(super) fn new(database: Arc<Database>, hints: Arc<Hints>) -> Self {
        Self {
            database,
            hints,
            connection: None,
            notices: Notices::new(),
            lane: random(),
            batch: 0,
            committed: 0,
        }
    }

    /// Tries a batch until it is known what became of it, or the time for that is over.
    async fn resolve(&mut self, commands: &[Command], time: BatchTime) -> Result<Applied, Failure> {
        let mut doubt: Option<Doubt> = None;
        let mut end: Option<Instant> = None;
        let (mut tries, mut create) = (0, false);
        loop {
            match self.attempt(commands, time, create, &mut doubt).await {
                Ok(Some(applied)) => return Ok(applied),
                Ok(None) => {}
                Err(Stop::Unknown) => create = true,
                Err(Stop::Failed(error)) if doubt.is_none() => {
                    tries += 1;
                    if tries >= TRIES || !is_passing(&error) {
                        return Err(failure(&error));
                    }
                }
                Err(Stop::Failed(error)) => {
                    tracing::debug!(%error, "whether a batch was committed is not known yet")
                }
                Err(Stop::Doubt) => {
                    let now = Instant::now();
                    if end.is_none() {
                        tracing::warn!("a commit had no clear answer; the lane looks whether it took place");
                        // Time for one more commit that takes long.
                        end = Some(now + 2 * self.database.times().commit);
                    }
                }
            }
            if let (Some(end), Some(doubt)) = (end, &doubt) {
                if Instant::now() >= end {
                    return Err(Failure::Unresolved(format!("batch {} of lane {}", doubt.batch, self.lane)));
                }
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// One go. Where a commit is in doubt it is to look alone: `None` where that one did not take place.
    async fn attempt(
        &mut self,
        commands: &[Command],
        time: BatchTime,
        create: bool,
        doubt: &mut Option<Doubt>,
    ) -> Result<Option<Applied>, Stop> {
        if self.connection.is_none() {
            self.connection = Some(self.database.connect_lane().await?);
        }
        let database = self.database.clone();
        self.batch += 1;
        let mark = Mark { lane: self.lane, before: self.committed, number: self.batch };
        let may_be_alone = doubt.is_none() && !create && database.named;
        if let Some(sends) = alone::sends(commands).filter(|_| may_be_alone) {
            let all = alone::all(&sends, time.now, &mark, database.times());
            return self.do_alone(all, commands, time.now, mark.number, doubt).await.map(Some);
        }
        let Some(connection) = &mut self.connection else { return Err(timed_out().into()) };
        let go = async {
            let mut on = Session { connection, named: database.named };
            database.begin(on.connection).await?;
            match doubt {
                Some(doubt) => Ok(Done::Looked(doubt.look(&mut on, commands, &mark, time.now).await?)),
                None => run(on, commands, time, create, &mark).await.map(Done::Applied),
            }
        };
        // Statements have a time each by the server's clock; this is for a network that has gone silent.
        let went = timeout(2 * database.times().statement, go).await;
        let mut last = mark.number;
        match went.unwrap_or_else(|_| Err(timed_out().into())) {
            Ok(Done::Applied(applied)) => {
                *doubt = Some(Doubt { batch: mark.number, applied: Some(applied) });
                self.commit().await?;
            }
            // What was in doubt is lasting once this is.
            Ok(Done::Looked(true)) => {
                self.commit().await?;
                last = doubt.as_ref().map_or(last, |doubt| doubt.batch);
            }
            Ok(Done::Looked(false)) => {
                self.commit().await?;
                *doubt = None;
            }
            Err(stop) => {
                self.roll_back(&stop).await;
                return Err(stop);
            }
        }
        self.committed = last;
        Ok(doubt.take().and_then(|doubt| doubt.applied))
    }

    /// Does all of a batch by one statement that is a transaction by itself: where that has no clear answer it may have
    /// been committed.
    async fn do_alone(
        &mut self,
        all: Ask,
        commands: &[Command],
        now: Timestamp,
        number: i64,
        doubt: &mut Option<Doubt>,
    ) -> Result<Applied, Stop> {
        let times = self.database.times();
        let Some(connection) = &mut self.connection else { return Err(timed_out().into()) };
        let rows = async { all.rows(&mut Session { connection, named: true }).await };
        let (answer, warned) = self.notices.during(timeout(times.statement + times.commit, rows)).await;
        let applied = match answer {
            Ok(Ok(rows)) if !warned => {
                let Some(row) = rows.first() else { return Err(Stop::Unknown) };
                row.try_get::<Vec<i64>, _>(0).and_then(|all| alone::applied(commands, &all, now)).ok()
            }
            Ok(Err(error)) if leaves_connection(&error) => return Err(error.into()),
            _ => None,
        };
        let Some(applied) = applied else {
            self.connection = None;
            *doubt = Some(Doubt { batch: number, applied: None });
            return Err(Stop::Doubt);
        };
        self.committed = number;
        Ok(applied)
    }

    /// Commits. An answer other than plain success says nothing.
    async fn commit(&mut self) -> Result<(), Stop> {
        let Some(connection) = &mut self.connection else { return Err(Stop::Doubt) };
        let commit = async { sqlx::raw_sql("COMMIT").execute(&mut *connection).await };
        let (answer, warned) = self.notices.during(timeout(self.database.times().commit, commit)).await;
        match answer {
            Ok(Ok(_)) if !warned => Ok(()),
            _ => {
                // It is dropped, never cancelled: a backend that commits must come to its end.
                self.connection = None;
                Err(Stop::Doubt)
            }
        }
    }

    /// Leaves a connection that is as good as before, or none.
    async fn roll_back(&mut self, stop: &Stop) {
        let sound = match (&mut self.connection, stop) {
            (Some(connection), Stop::Failed(error)) if leaves_connection(error) => Some(connection),
            (Some(connection), Stop::Unknown) => Some(connection),
            _ => None,
        };
        let rolled_back = match sound {
            Some(connection) => {
                let roll_back = async { sqlx::raw_sql("ROLLBACK").execute(connection).await };
                matches!(timeout(self.database.times().connect, roll_back).await, Ok(Ok(_)))
            }
            None => false,
        };
        if !rolled_back {
            self.connection = None;
        }
    }
}

/// The commands grouped by kind, as those of one batch have no order among them: users first who come to be, then
/// all that moves inboxes, then users, so that an erased user's inbox is moved by nothing after that.
async fn run(
    mut on: Session<'_>,
    commands: &[Command],
    time: BatchTime,
    create: bool,
    mark: &Mark,
) -> Result<Applied, Stop> {
    let created = users::create(&mut on, commands, time.now, create).await?;
    let heads = Heads::lock(&mut on, commands).await?;
    let mut batch = Batch {
        on,
        now: time.now,
        expiry: time.expiry,
        heads,
        outcomes: commands.iter().map(|_| None).collect(),
        changes: Vec::new(),
        written: 0,
        arrivals: Vec::new(),
        entries: Vec::new(),
    };
    users::revive(&mut batch, commands, &created);
    if !send::knows_all(&mut batch, commands) {
        return Err(Stop::Unknown);
    }
    drift::apply(&mut batch, commands).await?;
    deleted::restore(&mut batch, commands).await?;
    remove::apply(&mut batch, commands).await?;
    marks::apply(&mut batch, commands).await?;
    send::hold_back(&mut batch, commands);
    let repeats = answers::look(&mut batch, commands).await?;
    send::apply(&mut batch, commands, &repeats).await?;
    users::apply(&mut batch, commands).await?;
    purge::apply(&mut batch, commands).await?;
    audit::apply(&mut batch, commands).await?;
    flush(&mut batch, Some(mark)).await?;
    answers::keep(&mut batch, repeats).await?;
    let outcomes: Option<Vec<_>> = batch.outcomes.into_iter().collect();
    let outcomes = outcomes.ok_or_else(|| sqlx::Error::Protocol("a command has no outcome".into()))?;
    Ok(Applied { outcomes, changes: batch.changes })
}

#[async_trait]
impl Engine for PostgresEngine {
    async fn apply(&mut self, commands: &[Command], time: BatchTime) -> Result<Applied, Failure> {
        let applied = self.resolve(commands, time).await?;
        self.hints.note(&applied.changes);
        Ok(applied)
    }

    async fn close(mut self: Box<Self>) {
        if let Some(connection) = self.connection.take() {
            // Nothing is lost by a connection that does not end well.
            let _ = timeout(self.database.times().connect, connection.close()).await;
        }
    }
}
