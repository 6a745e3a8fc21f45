//! Folds the log into the database beside the writer: what stands in the log is read a copied page at a time, and what
//! stands in the database straight from memory, so a list of fifty costs two thirds (measured). And the writer, which
//! folds a log that has grown long while all wait for it, has little left to fold.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{Connection, Row, SqliteConnection};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::store::engine::Failure;
use crate::store::space::Space;

/// How often the disk's free space is looked at: below the floor no send is written that would reset the WAL, so it
/// is reset and truncated here.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is logged that a reader prevents that.
const WARN: Duration = Duration::from_secs(60);

/// How long after a write the log is folded.
const AFTER: Duration = Duration::from_millis(250);

/// Folds while the writer goes on behind what is folded, and waits for nothing.
pub(super) struct Folds {
    wrote: watch::Sender<()>,
    /// Dropped to end it.
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
    /// The sync of a fold that failed.
    fatal: Arc<OnceLock<String>>,
}

impl Folds {
    /// Begins; to be called where tokio runs.
    pub fn begin(options: SqliteConnectOptions, space: Arc<Space>) -> Self {
        let (wrote, writes) = watch::channel(());
        let fatal = Arc::<OnceLock<String>>::default();
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(fold_after_writes(
            options.synchronous(SqliteSynchronous::Full),
            space,
            writes,
            ended,
            fatal.clone(),
        ));
        Self { wrote, end, task, fatal }
    }

    /// Something was written.
    pub fn wrote(&self) {
        self.wrote.send_replace(());
    }

    /// Fails once the sync of a fold has: a later one of the writer's may then be called good without what it had.
    pub fn check(&self) -> Result<(), Failure> {
        self.fatal.get().map_or(Ok(()), |text| Err(Failure::Fatal(text.clone())))
    }

    /// Ends, once a fold that runs is done.
    pub async fn end(self) {
        drop((self.wrote, self.end));
        // It can only have panicked, which is told where it happens.
        let _ = self.task.await;
    }
}

async fn fold_after_writes(
    options: SqliteConnectOptions,
    space: Arc<Space>,
    mut writes: watch::Receiver<()>,
    mut ended: oneshot::Receiver<()>,
    fatal: Arc<OnceLock<String>>,
) {
    let mut connection = None;
    let mut warned: Option<Instant> = None;
    loop {
        let written = tokio::select! {
            written = writes.changed() => written.map(|()| true),
            () = tokio::time::sleep(LOOK) => Ok(false),
        };
        let low = match written {
            Err(_) => break,
            Ok(true) => {
                tokio::select! {
                    () = tokio::time::sleep(AFTER) => {}
                    _ = &mut ended => break,
                }
                writes.mark_unchanged();
                space.is_low()
            }
            Ok(false) if space.look() => true,
            Ok(false) => continue,
        };
        match fold(connection.take(), &options, &space, low).await {
            Ok((open, reset)) => {
                connection = Some(open);
                if low && reset {
                    space.look();
                    warned = None;
                } else if low && warned.is_none_or(|at| at.elapsed() > WARN) {
                    space.log_holders();
                    warned = Some(Instant::now());
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the database's log was not folded in");
                // Anything else passes: it stays in the log, where nothing of it is lost, and is folded later.
                if let Failure::Fatal(text) = error.into() {
                    let _ = fatal.set(text);
                }
            }
        }
    }
    if let Some(connection) = connection {
        let _ = connection.close().await;
    }
}

/// Folds what no reader holds back. `truncate` resets the WAL too and gives its space back, unless somebody reads or
/// writes; says whether it did.
async fn fold(
    connection: Option<SqliteConnection>,
    options: &SqliteConnectOptions,
    space: &Space,
    truncate: bool,
) -> sqlx::Result<(SqliteConnection, bool)> {
    let mut connection = match connection {
        Some(open) => open,
        None => SqliteConnection::connect_with(options).await?,
    };
    let folded = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&mut connection).await?;
    tracing::trace!(pages = folded.try_get::<i64, _>(2)?, "folded the log");
    let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let size: i64 = sqlx::query_scalar(size).fetch_one(&mut connection).await?;
    space.note_size(u64::try_from(size).unwrap_or(0));
    let mut reset = false;
    if truncate {
        // It waits for readers with the writer's lock held: so not at all.
        let query = "PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)";
        let row = sqlx::raw_sql(query).fetch_all(&mut connection).await?;
        let busy = row.last().map(|row| row.try_get::<i64, _>(0)).transpose()?;
        reset = busy == Some(0);
    }
    Ok((connection, reset))
}
