//! The store: every user's inbox, durable. One writer changes each; a few readers read them.
//!
//! The engines know their database; what holds for all of them (the queue, group commit, expiry
//! before reads, long work in chunks) is here and in the files beside.

mod audit;
mod batch;
mod collapse;
mod command;
mod copy;
mod drift;
mod engine;
mod events;
mod idempotency;
mod maintain;
mod marks;
mod open;
mod page;
mod postgres;
mod queue;
mod sent;
mod space;
mod sqlite;
mod time;
mod turns;
mod whole;
mod withdraw;
mod writer;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use audit::{AuditPage, AuditQuery};
pub use batch::Kept;
pub use command::{NewNotification, Stored};
pub use copy::{CopyError, Progress, Stage, Sum, copy, verify};
pub use drift::{Checked, Walk};
pub use events::{Followed, Since};
pub use idempotency::{ANSWER_LIFETIME, Answer, Answered, Idempotency};
pub use maintain::Maintained;
pub use marks::Each;
pub use open::{FileCopyError, OpenError, backup, is_shared, restore, shown};
pub use page::{Page, PageQuery};
pub use postgres::PostgresError;
pub use sent::{Sent, SentPage, SentQuery};
pub use space::{DEFAULT_MIN_FREE_SPACE, Disk, Holder};
pub use sqlite::{BackupError, Contents, OpenError as SqliteError};
pub use whole::Whole;
pub use withdraw::{Matched, Withdrawal};
pub use writer::{CommitListener, Elsewhere, Observer};

use crate::clock::Clock;
use crate::domain::{
    Actor, AuditAction, AuditEntry, Error, Head, Profile, Result, TenantId, Timestamp, User, UserId,
};
use command::{Command, InboxKey, Outcome, key};
use queue::Queue;
use space::Space;
use time::Time;
use turns::Readers;
use writer::{Refusals, Writer};

/// How the store is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tells the time of everything stored.
    pub clock: Clock,
    /// How far the clock may stray from the monotonic clock before it is not believed.
    pub clock_leeway: Duration,
    /// How many commands may wait; one tenant may hold half.
    pub queue_capacity: usize,
    /// How many commands are committed together at most.
    pub batch_max: usize,
    /// How long a command may wait before it is withdrawn.
    pub wait: Duration,
    /// How many connections read.
    pub readers: u32,
    /// How many commit at once, of an engine that lets several.
    pub lanes: usize,
    /// How long connecting to a server may take, and waiting for a connection that reads.
    pub connect_timeout: Duration,
    /// How long a server may take for one statement.
    pub statement_timeout: Duration,
    /// How long a transaction on a server may wait for another's lock, and sit idle with its own.
    pub lock_timeout: Duration,
    /// How long a commit on a server may take, and half of how long finding out then whether it took place may.
    pub commit_timeout: Duration,
    /// How long changes, and the contents of what was deleted, are kept for streams that resume.
    pub keep_changes: Duration,
    /// Below so many free bytes of its disk the store takes no notifications. `None` is
    /// [`DEFAULT_MIN_FREE_SPACE`], but no more than a twentieth of the disk.
    pub min_free_space: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            clock_leeway: Duration::from_secs(3_600),
            queue_capacity: 8_192,
            batch_max: 256,
            wait: Duration::from_secs(5),
            readers: 4,
            lanes: 2,
            connect_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(3),
            commit_timeout: Duration::from_secs(4),
            keep_changes: Duration::from_secs(24 * 3600),
            min_free_space: None,
        }
    }
}

/// The store. Cheap to clone; [`Store::close`] once at the end.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    queue: Arc<Queue>,
    reads: Readers,
    time: Arc<Time>,
    wait: Duration,
    keep_changes: Duration,
    space: Option<Arc<Space>>,
    /// How many batches were asked for that are stored whole or not at all.
    wholes: AtomicU64,
    running: watch::Receiver<()>,
    writers: Mutex<Vec<JoinHandle<()>>>,
}

/// The writers end with their last caller.
impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// When expiring is tried again that failed, for the same inbox.
const EXPIRY_RETRY_SECONDS: i64 = 1;

impl Store {
    /// Opens the database at `sqlite://PATH` or `postgres://…`, creates or migrates it, and starts the writers.
    pub async fn open(
        url: &str,
        options: Options,
        listener: Arc<dyn CommitListener>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, OpenError> {
        let opened = open::open(url, &options, &listener).await?;
        let queue = Arc::new(Queue::new(options.queue_capacity, opened.lanes.len()));
        let time = Time::new(options.clock, options.clock_leeway, opened.newest, opened.server_time);
        let time = Arc::new(time);
        let (runs, running) = watch::channel(());
        let writer = |(lane, engine)| Writer {
            engine,
            queue: queue.clone(),
            lane,
            time: time.clone(),
            batch_max: options.batch_max.max(1),
            listener: listener.clone(),
            observer: observer.clone(),
            refusals: Refusals::default(),
            _running: runs.clone(),
        };
        let writers =
            opened.lanes.into_iter().enumerate().map(writer).map(|writer| tokio::spawn(writer.run()));
        let writers = Mutex::new(writers.collect());
        Ok(Self(Arc::new(Inner {
            queue,
            reads: Readers::new(opened.reads, options.readers, options.wait),
            time,
            wait: options.wait,
            keep_changes: options.keep_changes,
            space: opened.space,
            wholes: AtomicU64::default(),
            running,
            writers,
        })))
    }

    /// Stores a notification. It is durable when this returns.
    ///
    /// # Errors
    /// [`Error::UserNotFound`] unless the user exists or is to be created; [`Error::Busy`] when
    /// nothing was stored for want of room or time; [`Error::Unresolved`] when a server's answer to the commit was
    /// lost, and so was the way to find out. Dropping the future withdraws the
    /// notification, unless the writer has claimed it: then it is stored all the same.
    pub async fn send(&self, tenant: &TenantId, new: NewNotification) -> Result<Stored> {
        match self.send_once(tenant, new).await? {
            Answered::Stored(stored) => Ok(stored),
            Answered::Before(_) => Err(Error::Internal("a send without a key repeats none".into())),
        }
    }

    /// The same of one that may have come before, if it has an idempotency key. However many come at once, one is
    /// stored, and its answer is kept with it.
    ///
    /// # Errors
    /// [`Error::KeyReused`] too, where the key was used with another body.
    pub async fn send_once(&self, tenant: &TenantId, new: NewNotification) -> Result<Answered> {
        let user = new.sealed.user;
        self.has_space()?;
        match self.submit(Command::Send(tenant.clone(), Box::new(new))).await? {
            Outcome::Stored(stored) => Ok(Answered::Stored(stored)),
            Outcome::Repeated(answer) => Ok(Answered::Before(answer)),
            Outcome::KeyReused => Err(Error::KeyReused),
            Outcome::NoUser => Err(Error::UserNotFound(user)),
            other => Err(unexpected(&other)),
        }
    }

    /// Whether the disk has room for notifications.
    fn has_space(&self) -> Result<()> {
        if self.0.space.as_ref().is_some_and(|space| space.is_low()) {
            return Err(Error::Busy { retry_after: space::RETRY });
        }
        Ok(())
    }

    /// Creates a user or replaces their profile; says whether they were created. Who did it is
    /// recorded with it, unless that is recorded otherwise.
    pub async fn put_user(
        &self,
        tenant: &TenantId,
        user: UserId,
        profile: Profile,
        by: Option<&Actor>,
    ) -> Result<(User, bool)> {
        let entry = by.map(|actor| AuditEntry::about_user(actor, AuditAction::UserPut, user));
        match self.submit(Command::PutUser(key(tenant, user), profile, entry)).await? {
            Outcome::User(user, created) => Ok((user, created)),
            other => Err(unexpected(&other)),
        }
    }

    /// Creates those users whom the directory has never had. One who was erased stays erased.
    pub async fn seed_users(&self, tenant: &TenantId, users: &[(UserId, Profile)]) -> Result<()> {
        for some in users.chunks(256) {
            // Where all are there nothing is written: so a gateway can start at a standby.
            let ids: Vec<_> = some.iter().map(|(user, _)| *user).collect();
            let mut some: Vec<_> = some.iter().zip(self.places(tenant, &ids).await?).collect();
            some.retain(|(_, place)| place.is_none());
            if !some.is_empty() {
                let missing = some.into_iter().map(|(user, _)| user.clone()).collect();
                self.submit(Command::SeedUsers(tenant.clone(), missing)).await?;
            }
        }
        Ok(())
    }

    /// Erases a user: hidden with their whole inbox at once, purged by [`Store::maintain`]. Who did it
    /// is recorded with it.
    ///
    /// # Errors
    /// [`Error::UserNotFound`].
    pub async fn erase_user(&self, tenant: &TenantId, user: UserId, by: Option<&Actor>) -> Result<()> {
        let entry = by.map(|actor| AuditEntry::about_user(actor, AuditAction::UserErased, user));
        match self.submit(Command::EraseUser(key(tenant, user), entry)).await? {
            Outcome::Done => Ok(()),
            Outcome::NoUser => Err(Error::UserNotFound(user)),
            other => Err(unexpected(&other)),
        }
    }

    /// The head of an inbox, after what is due was expired.
    ///
    /// # Errors
    /// [`Error::UserNotFound`].
    pub async fn head(&self, tenant: &TenantId, user: UserId) -> Result<Head> {
        let inbox = key(tenant, user);
        let now = self.0.time.for_expiry();
        loop {
            let head = self.0.reads.head(&inbox).await?.ok_or(Error::UserNotFound(user))?;
            if let Some(head) = self.without_due(&inbox, head, now).await {
                return Ok(head);
            }
        }
    }

    /// Expires what is due in an inbox, after which its head is to be read again: then gives none. Where expiring fails,
    /// as on a full disk or a standby, a read goes on with the state before, in which list, count and stream agree; the
    /// head that this gives says when to try again.
    async fn without_due(&self, inbox: &InboxKey, head: Head, now: Timestamp) -> Option<Head> {
        if !head.expiry_due(now) {
            return Some(head);
        }
        let expired = self.submit(Command::Expire(inbox.clone(), now)).await;
        let error = expired.err()?;
        tracing::debug!(%error, "what has expired could not be taken out");
        Some(Head { next_expiry: Some(now.plus_seconds(EXPIRY_RETRY_SECONDS)), ..head })
    }

    /// One user.
    ///
    /// # Errors
    /// [`Error::UserNotFound`].
    pub async fn user(&self, tenant: &TenantId, user: UserId) -> Result<User> {
        self.0.reads.of(tenant).await?.user(&key(tenant, user)).await?.ok_or(Error::UserNotFound(user))
    }

    /// Users after one, in the order of ids, and whether there are more.
    pub async fn users(
        &self,
        tenant: &TenantId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<(Vec<User>, bool)> {
        let mut users = self.0.reads.of(tenant).await?.users(tenant, after, limit.saturating_add(1)).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = users.len() > limit;
        users.truncate(limit);
        Ok((users, more))
    }

    /// Proves that the store can write, by a small durable write through the writer's queue.
    pub async fn probe(&self) -> Result<()> {
        self.submit(Command::Probe).await.map(drop)
    }

    /// Returns whether the writers run. Once they do not, only a restart brings them back.
    pub fn is_alive(&self) -> bool {
        // A writer that has ended for [`Store::ended`] may not be finished for its handle yet.
        let has_ended = self.0.running.has_changed().is_err();
        let writers = self.0.writers.lock().unwrap_or_else(PoisonError::into_inner);
        !has_ended && !writers.is_empty() && !writers.iter().any(JoinHandle::is_finished)
    }

    /// Returns once every writer has ended, as one does by itself only where nothing can be stored any more.
    pub async fn ended(&self) {
        let mut running = self.0.running.clone();
        while running.changed().await.is_ok() {}
    }

    /// The disk that the database is on, where it is this machine's.
    pub fn disk(&self) -> Option<Disk> {
        self.0.space.as_ref().map(|space| space.disk())
    }

    /// The time by which the store stamps. It never goes backwards.
    pub fn now(&self) -> Timestamp {
        self.0.time.now()
    }

    /// Returns the time by which the store decides what has expired: the wall clock, where stamps are ahead of it.
    pub fn expiry_time(&self) -> Timestamp {
        self.0.time.for_expiry()
    }

    /// How far the clock is ahead of where it should be, where that is more than the leeway: meanwhile retention and
    /// purges by age pause.
    pub fn clock_ahead(&self) -> Option<Duration> {
        self.0.time.ahead()
    }

    /// Returns by how much the clock is behind the newest stamp in the store, where that is more than the leeway:
    /// meanwhile retention and purges by age pause too.
    pub fn clock_behind(&self) -> Option<Duration> {
        self.0.time.behind()
    }

    /// How many commands wait for the writer.
    pub fn queue_depth(&self) -> usize {
        self.0.queue.depth()
    }

    /// Takes no more, answers what it accepted, and leaves the database in order.
    pub async fn close(&self) {
        self.0.queue.close();
        let writers = std::mem::take(&mut *self.0.writers.lock().unwrap_or_else(PoisonError::into_inner));
        for writer in writers {
            if let Err(error) = writer.await {
                tracing::error!(%error, "the store's writer failed");
            }
        }
        self.0.reads.close().await;
    }

    async fn submit(&self, command: Command) -> Result<Outcome> {
        self.0.queue.push(vec![command])?.outcome(self.0.wait).await
    }

    /// Submits commands of one tenant that are committed together: unless a row cannot be stored, in one transaction.
    async fn submit_all(&self, commands: Vec<Command>) -> Result<Vec<Result<Outcome>>> {
        self.0.queue.push(commands)?.outcomes(self.0.wait).await
    }
}

fn unexpected(outcome: &Outcome) -> Error {
    Error::Internal(format!("the writer gave {outcome:?}"))
}
