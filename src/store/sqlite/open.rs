//! Opens the database: the lock beside it, the settings that make a commit durable, the schema.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, SqliteConnection};

use super::{
    backup::finish_restore, copy::unfinished, reads::SqliteReads, sound::make_sure, writes::SqliteEngine,
};
use crate::config::check_store_url;
use crate::store::{self, Options, space::Space};

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one that the store knows.
    #[error("the store's URL {0}")]
    Url(String),
    /// The folder of the database is missing or cannot be used.
    #[error("the store's folder {0} cannot be used: {1}")]
    Folder(PathBuf, std::io::Error),
    /// Another process has the database.
    #[error("another process uses {0}: its lock file {1} is held by process {2}")]
    InUse(PathBuf, PathBuf, String),
    /// The lock file cannot be made or locked.
    #[error("the lock file {0} cannot be used: {1}")]
    Lock(PathBuf, std::io::Error),
    /// A setting that durability needs did not take.
    #[error("the database keeps {setting} at {found}, and must be at {wanted}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// The database cannot be opened or read.
    #[error("the database {0} cannot be opened: {1}")]
    Database(PathBuf, sqlx::Error),
    /// What is there cannot be read.
    #[error("the database cannot be read: {0}")]
    Read(sqlx::Error),
    /// The database can be read only.
    #[error("the database {0} cannot be written: {1}")]
    ReadOnly(PathBuf, sqlx::Error),
    /// Part of the database is not what was written.
    #[error(
        "the database {0} is damaged, at least in {1}: {2}; put a backup in its place with `bellboard restore`"
    )]
    Damaged(PathBuf, String, String),
    /// The schema cannot be brought up to date.
    #[error("the database {0} cannot be migrated: {1}")]
    Migrate(PathBuf, MigrateError),
    /// A newer version was here. None runs beside this one, so nothing needs it to go on.
    #[error(
        "the database {0} has the schema {1} of a newer version; this version knows {2}: run the newer one, or put a \
         backup from before it in its place with `bellboard restore`"
    )]
    Newer(PathBuf, i64, i64),
}

impl OpenError {
    /// Why the schema could not be brought up to date.
    pub(super) fn migrate(path: &Path, error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(found) if found > newest_schema() => {
                Self::Newer(path.to_owned(), found, newest_schema())
            }
            other => Self::Migrate(path.to_owned(), other),
        }
    }
}

/// Holds the database for this process. The lock is on a file of its own: whoever opens and closes
/// the database file itself drops SQLite's own locks on it.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the open file")] File);

pub(in crate::store) async fn open(
    url: &str,
    settings: &Options,
) -> Result<(SqliteEngine, SqliteReads), store::OpenError> {
    let path = path_of(url)?;
    let lock = lock(&path)?;
    let space = Arc::new(Space::of(path.clone(), settings.min_free_space));
    let options = options(&path, settings.wait).pragma("journal_size_limit", space.kept_wal().to_string());
    let failed = |e| store::OpenError::from(OpenError::Database(path.clone(), e));
    finish_restore(&path).map_err(|e| failed(e.into()))?;
    create_private(&path).map_err(|e| failed(e.into()))?;
    let mut writer = connect_writer(&options).await.map_err(failed)?;
    make_sure(&mut writer, &path).await?;
    migrations().run(&mut writer).await.map_err(|e| OpenError::migrate(&path, e))?;
    if let Some(source) = unfinished(&mut writer).await.map_err(failed)? {
        return Err(store::OpenError::Unfinished(path.display().to_string(), source));
    }
    assert_durable(&mut writer).await?;
    let engine = SqliteEngine::new(options.clone(), writer, lock, space).await.map_err(failed)?;
    let pool = readers(&options, settings).await.map_err(failed)?;
    Ok((engine, SqliteReads::new(pool)))
}

/// Opens the connections that read.
pub(super) async fn readers(
    options: &SqliteConnectOptions,
    settings: &Options,
) -> sqlx::Result<sqlx::SqlitePool> {
    // A read holds no cursor and no state: a new connection is as good as a tested one.
    SqlitePoolOptions::new()
        .max_connections(settings.readers.max(1))
        .min_connections(1)
        .test_before_acquire(false)
        .acquire_timeout(settings.wait)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone().read_only(true).pragma("mmap_size", MAPPED))
        .await
}

/// The number of this version's schema.
pub(super) fn newest_schema() -> i64 {
    migrations().iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Every migration, oldest first. One that was released never changes.
pub(super) fn migrations() -> Migrator {
    let all = [
        (1, "inboxes", include_str!("../../../migrations/sqlite/0001_inboxes.sql")),
        (2, "audit", include_str!("../../../migrations/sqlite/0002_audit.sql")),
        (3, "stream", include_str!("../../../migrations/sqlite/0003_stream.sql")),
        (4, "restore", include_str!("../../../migrations/sqlite/0004_restore.sql")),
    ];
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(all.into_iter().map(migration).collect())
}

/// The database that a URL names.
pub(in crate::store) fn path_of(url: &str) -> Result<PathBuf, OpenError> {
    check_store_url(url).map_err(OpenError::Url)?;
    let named = Path::new(url.strip_prefix("sqlite://").unwrap_or(url));
    let Some(name) = named.file_name() else { return Err(OpenError::Url("names no file".into())) };
    // One lock file however the database is named. Neither step opens the database file.
    if let Ok(real) = named.canonicalize() {
        return Ok(real);
    }
    let folder = named.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|e| OpenError::Folder(folder.to_owned(), e))?;
    Ok(folder.join(name))
}

/// Makes the database's file, that only this user may read; SQLite gives its log the same mode. One
/// that is there stays as it is, and is not opened.
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    match private().create_new(true).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Opens for writing; what it creates is this user's alone.
pub(super) fn private() -> OpenOptions {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

pub(super) fn lock(path: &Path) -> Result<Lock, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = private().create(true).truncate(false).open(&name);
    let mut file = file.map_err(|e| OpenError::Lock(name.clone(), e))?;
    match file.try_lock() {
        Ok(()) => {
            // For the error of another process that finds it taken; on a full disk it goes without.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            Ok(Lock(file))
        }
        Err(TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(&name).ok().filter(|text| !text.is_empty());
            let holder = holder.unwrap_or_else(|| "not known".into());
            Err(OpenError::InUse(path.to_owned(), name, holder))
        }
        Err(TryLockError::Error(e)) => Err(OpenError::Lock(name, e)),
    }
}

pub(super) fn options(path: &Path, wait: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        // Only a tool from outside can hold the database; callers wait no longer for it than for the queue.
        .busy_timeout(wait)
        // One statement for each number of rows.
        .statement_cache_capacity(512)
        .row_buffer_size(256)
        .foreign_keys(false)
        .disable_statement_logging()
}

/// Opens the one connection that writes. Checkpoints are rare, as each holds up a batch, and the same pages
/// change again and again. The cache is small: after each commit that split a page SQLite walks through all of
/// it. What it does not hold is read from the mapped file (all measured).
pub(super) async fn connect_writer(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    let options = options
        .clone()
        .page_size(4096)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-8192")
        .pragma("mmap_size", MAPPED)
        .pragma("wal_autocheckpoint", "20000");
    SqliteConnection::connect_with(&options).await
}

/// How many bytes of the database are mapped at most: all of any that one machine serves. A mapped page is read
/// without a copy, and is the system's to keep or to drop.
const MAPPED: &str = "1099511627776";

/// What the live connection says, not what was asked of it.
pub(super) async fn assert_durable(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    for (setting, query, wanted) in
        [("journal_mode", "PRAGMA journal_mode", "wal"), ("synchronous", "PRAGMA synchronous", "2")]
    {
        let row: Result<sqlx::sqlite::SqliteRow, _> = sqlx::query(query).fetch_one(&mut *connection).await;
        let found = row.and_then(|row| text_of(&row)).unwrap_or_else(|e| e.to_string());
        if found != wanted {
            return Err(OpenError::Setting { setting, wanted, found });
        }
    }
    Ok(())
}

/// A pragma's value, whether it is a word or a number.
fn text_of(row: &sqlx::sqlite::SqliteRow) -> sqlx::Result<String> {
    use sqlx::Row;
    row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|n| n.to_string()))
}
