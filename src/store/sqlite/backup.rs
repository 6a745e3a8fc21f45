//! Copies a database while it is used, and puts a copy in the database's place.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use super::open::{OpenError, lock, newest_schema, path_of, private};

/// What a copy holds, counted in the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Users who are not erased.
    pub users: u64,
    /// Notifications in their inboxes.
    pub notifications: u64,
}

/// Why there is no copy, or it was not put in place.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A backup never takes the place of a file.
    #[error("{0} exists already; a backup is a new file")]
    Exists(PathBuf),
    /// A file could not be made, synced or named.
    #[error("{0} cannot be written: {1}")]
    File(PathBuf, io::Error),
    /// The database could not be read to its end.
    #[error("{0} cannot be copied: {1}")]
    Read(PathBuf, sqlx::Error),
    /// The copy is not what it should be.
    #[error("{0} is not sound: {1}")]
    Unsound(PathBuf, String),
    /// The database is in use, or cannot be.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// How long a copy waits for a program that holds the database.
const WAIT: Duration = Duration::from_secs(10);

/// Copies the database that a URL names into a new file. Whoever uses it goes on; the copy is that of one moment.
///
/// # Errors
/// Any leaves no file behind, but one that comes when the whole copy has its name and the folder cannot be synced.
pub async fn backup(url: &str, to: &Path) -> Result<Contents, BackupError> {
    let from = path_of(url)?;
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let copy = Partial(beside(to, &format!(".partial-{}", std::process::id())));
    let contents = copied(&from, &copy.0).await?;
    let written = |e| BackupError::File(to.to_owned(), e);
    // A link takes no file's place, as a renaming would; but not every disk has links.
    match fs::hard_link(&copy.0, to) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(BackupError::Exists(to.to_owned())),
        Err(_) => fs::rename(&copy.0, to).map_err(written)?,
        Ok(()) => drop(copy),
    }
    sync_folder(to).map_err(written)?;
    Ok(contents)
}

/// Puts a copy of a backup in the place of the database that a URL names; gives where the database that was
/// there is kept.
///
/// # Errors
/// Any leaves the database as it was. [`OpenError::InUse`] while a gateway runs on it.
pub async fn restore(url: &str, from: &Path) -> Result<(Contents, Option<PathBuf>), BackupError> {
    let path = path_of(url)?;
    let _lock = lock(&path)?;
    let written = |e| BackupError::File(path.clone(), e);
    finish_restore(&path).map_err(written)?;
    let copy = Partial(beside(&path, ".restoring"));
    let contents = copied(from, &copy.0).await?;
    let kept = keep_aside(&path).map_err(written)?;
    fs::rename(&copy.0, beside(&path, RESTORED)).map_err(written)?;
    // From here on the next start would finish it as well.
    sync_folder(&path).and_then(|()| finish_restore(&path)).map_err(written)?;
    Ok((contents, kept))
}

/// What ends the name of a whole copy that is to take the database's place.
const RESTORED: &str = ".restored";

/// Puts a restored copy in place, where one waits. The log beside the old database must be gone first: SQLite would
/// take it for the new one's. Whoever calls holds the lock.
pub(super) fn finish_restore(path: &Path) -> io::Result<()> {
    let restored = beside(path, RESTORED);
    if !restored.try_exists()? {
        return Ok(());
    }
    for ending in ["-wal", "-shm"] {
        match fs::remove_file(beside(path, ending)) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    sync_folder(path)?;
    fs::rename(restored, path)?;
    sync_folder(path)
}

/// Gives the database and its log second names, under which they stay.
fn keep_aside(path: &Path) -> io::Result<Option<PathBuf>> {
    if !path.try_exists()? {
        return Ok(None);
    }
    for number in 1.. {
        let aside = beside(path, &format!(".before-restore-{number}"));
        match fs::hard_link(path, &aside) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
            linked => linked?,
        }
        match fs::hard_link(beside(path, "-wal"), beside(&aside, "-wal")) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => return Ok(Some(aside)),
        }
    }
    Ok(None)
}

/// A file that is not whole yet; it goes with this value.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Copies one state of a database, verifies the copy and syncs it.
async fn copied(from: &Path, to: &Path) -> Result<Contents, BackupError> {
    let written = |e| BackupError::File(to.to_owned(), e);
    let read = |e| BackupError::Read(from.to_owned(), e);
    let target = to.to_str().ok_or_else(|| written(io::Error::other("its name is not UTF-8")))?;
    // Made beforehand, so that it is nobody else's to read; what was cut off before goes.
    let _ = fs::remove_file(to);
    private().create_new(true).open(to).map_err(written)?;
    let mut source = reading(from).await.map_err(read)?;
    sqlx::query("VACUUM INTO ?").bind(target).execute(&mut source).await.map_err(read)?;
    source.close().await.map_err(read)?;
    begin_history(to).await.map_err(read)?;
    let contents = verified(to).await.map_err(|why| BackupError::Unsound(from.to_owned(), why))?;
    File::open(to).and_then(|file| file.sync_all()).map_err(written)?;
    Ok(contents)
}

/// A copy that goes on by itself has a history of its own: what streams know of the other says nothing of it. (One of
/// an older version has none yet.)
async fn begin_history(path: &Path) -> sqlx::Result<()> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(WAIT);
    let mut copy = options.disable_statement_logging().connect().await?;
    let known = "SELECT count(*) FROM sqlite_schema WHERE name = 'history'";
    if sqlx::query_scalar::<_, i64>(known).fetch_one(&mut copy).await? > 0 {
        sqlx::query("UPDATE history SET epoch = random()").execute(&mut copy).await?;
    }
    copy.close().await
}

async fn reading(path: &Path) -> sqlx::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(WAIT);
    options.disable_statement_logging().connect().await
}

/// Reads all of a copy: every page is whole, it is a store of this version or an older one, every count is that of
/// its rows and every row has its content.
async fn verified(path: &Path) -> Result<Contents, String> {
    let told = |e: sqlx::Error| e.to_string();
    let mut copy = reading(path).await.map_err(told)?;
    let found: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut copy).await.map_err(told)?;
    if found != "ok" {
        return Err(found);
    }
    let schema: Result<Option<i64>, _> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut copy).await;
    match schema {
        Ok(Some(version)) if version <= newest_schema() => {}
        Ok(Some(_)) => return Err("a newer version of the gateway wrote it".into()),
        Ok(None) | Err(_) => return Err("it is no store of the gateway".into()),
    }
    let counts = "WITH shown AS MATERIALIZED (
            SELECT h.tenant, h.user_id, h.unread, count(i.id) AS rows, count(n.id) AS contents,
                   count(i.id) FILTER (WHERE i.read_at IS NULL) AS unread_rows
              FROM head h
              LEFT JOIN inbox i ON i.tenant = h.tenant AND i.user_id = h.user_id AND i.id > h.erased_upto
                    AND i.id < 9223372036854775807
              LEFT JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
             GROUP BY h.tenant, h.user_id)
        SELECT count(*), ifnull(sum(rows), 0), ifnull(sum(unread <> unread_rows), 0),
               ifnull(sum(rows - contents), 0) FROM shown";
    let row = sqlx::query(counts).fetch_one(&mut copy).await.map_err(told)?;
    let number = |column: usize| row.try_get::<i64, _>(column).map_err(told);
    match (number(2)?, number(3)?) {
        (0, 0) => {}
        (heads, contents) => {
            return Err(format!("{heads} counts differ from their rows, {contents} rows have no content"));
        }
    }
    let contents = Contents { users: number(0)?.unsigned_abs(), notifications: number(1)?.unsigned_abs() };
    copy.close().await.map_err(told)?;
    Ok(contents)
}

/// A file beside another, whose name goes on so.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Makes what was named in a file's folder lasting.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
