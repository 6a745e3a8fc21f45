//! The writer: commits together what waits together, tells the listener, then answers.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::command::{Command, Outcome};
use super::engine::{Engine, Failure};
use super::queue::{Answer, Queue};
use super::time::Time;
use super::whole;
use crate::domain::{Change, Error, TenantId, UserId};

/// Told what each commit did, after the commit and before any caller has its answer. It must be
/// quick and must not wait: the writer does.
pub trait CommitListener: Send + Sync {
    /// The changes, in the order of revisions within each inbox, as far as they were made here.
    fn committed(&self, changes: &[Change]);

    /// Told of what other nodes changed, as quick as of commits here. These are hints alone: they come after the
    /// commit, late, twice or never.
    fn moved_elsewhere(&self, _: Elsewhere<'_>) {}
}

/// Whose head another node moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere<'a> {
    /// This user's.
    Inbox(&'a TenantId, UserId),
    /// Anyone's may be: too many were moved to name them, or nothing was heard for a while.
    Anywhere,
}

/// Nobody listens.
impl CommitListener for () {
    fn committed(&self, _: &[Change]) {}
}

/// Told how the writer does, after a commit and before any answer, as quick as a listener.
pub trait Observer: Send + Sync {
    /// A batch of so many commands was committed, and how long that took.
    fn batch(&self, commands: usize, commit: Duration);
    /// A notification of that type was stored, whether or not its sender still waits.
    fn stored(&self, tenant: &TenantId, kind: &str);
}

/// Nobody observes.
impl Observer for () {
    fn batch(&self, _: usize, _: Duration) {}
    fn stored(&self, _: &TenantId, _: &str) {}
}

pub(super) struct Writer {
    pub engine: Box<dyn Engine>,
    pub queue: Arc<Queue>,
    /// The lane of the queue that it serves.
    pub lane: usize,
    pub time: Arc<Time>,
    pub batch_max: usize,
    pub listener: Arc<dyn CommitListener>,
    pub observer: Arc<dyn Observer>,
    pub refusals: Refusals,
    /// Closed when the writer ends, however it does.
    pub _running: watch::Sender<()>,
}

/// Logs what is not stored. A disk can be full for long: that is told once a second, with how much it was.
#[derive(Default)]
pub(super) struct Refusals {
    told: Option<Instant>,
    untold: usize,
}

impl Refusals {
    fn tell(&mut self, commands: usize, failure: &Failure) {
        self.untold += commands;
        let again = self.told.is_some_and(|told| told.elapsed() < Duration::from_secs(1));
        if !(again && matches!(failure, Failure::Busy(_))) {
            tracing::error!(commands = self.untold, %failure, "commands were not stored");
            *self = Self { told: Some(Instant::now()), untold: 0 };
        }
    }
}

/// However the writer ends, nobody may wait for it any longer.
struct Abandon(Arc<Queue>, usize);

impl Drop for Abandon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the store's writer has failed: nothing is stored until a restart");
        }
        self.0.abandon(self.1);
    }
}

impl Writer {
    /// Serves its lane until the queue is closed and it is empty, or nothing can be stored any more.
    pub async fn run(mut self) {
        let _abandon = Abandon(self.queue.clone(), self.lane);
        while let Some((commands, answers)) = self.queue.take(self.lane, self.batch_max).await {
            if self.serve(&commands, answers).await.is_break() {
                // Nothing is folded into the database: the log may not be what is on the disk.
                return;
            }
        }
        self.engine.close().await;
    }

    /// Applies a batch; where a row fails, halves it until that row fails alone, or with what is stored only with it.
    /// Breaks where nothing more can be stored.
    async fn serve(&mut self, commands: &[Command], answers: Vec<Answer>) -> ControlFlow<()> {
        let mut parts = vec![(commands, answers)];
        while let Some((commands, mut answers)) = parts.pop() {
            let start = Instant::now();
            match self.engine.apply(commands, self.time.for_batch()).await {
                Ok(applied) => {
                    self.observer.batch(commands.len(), start.elapsed());
                    if !applied.changes.is_empty() {
                        self.listener.committed(&applied.changes);
                    }
                    for (command, outcome) in commands.iter().zip(&applied.outcomes) {
                        if let (Command::Send(tenant, new), Outcome::Stored(_)) = (command, outcome) {
                            self.observer.stored(tenant, &new.sealed.kind);
                        }
                    }
                    let mut outcomes = applied.outcomes.into_iter();
                    for answer in answers {
                        let outcome =
                            outcomes.next().ok_or_else(|| Error::Internal("a command has no outcome".into()));
                        // A caller that hung up needs no answer.
                        let _ = answer.send(outcome);
                    }
                }
                Err(failure) => {
                    let is_row = matches!(failure, Failure::Row(_));
                    if let Some(middle) = whole::middle(commands).filter(|_| is_row) {
                        let (first, second) = commands.split_at(middle);
                        let rest = answers.split_off(middle);
                        parts.push((second, rest));
                        parts.push((first, answers));
                        continue;
                    }
                    self.refusals.tell(commands.len(), &failure);
                    for answer in answers {
                        let _ = answer.send(Err(failure.to_error()));
                    }
                    if let Failure::Fatal(_) = failure {
                        return ControlFlow::Break(());
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }
}
