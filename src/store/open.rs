//! Chooses the engine by the scheme of the store's URL: the one place that knows there are several.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copy::{self, CopyError, Use};
use super::engine::{Engine, Reads};
use super::space::Space;
use super::sqlite::{BackupError, Contents};
use crate::config::check_store_url;
use crate::domain::Timestamp;

use super::{CommitListener, Options, PostgresError, SqliteError, postgres, sqlite};

/// Why the store cannot be opened. No text of it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one that the store knows.
    #[error("the store's URL must be sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE")]
    Scheme,
    /// The database in a file.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// The database on a server.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// A server's clock, or the newest time stored there, cannot be read.
    #[error("the clock of the store's server cannot be read: {0}")]
    Clock(crate::domain::Error),
    /// A copy into the database was begun and has not come to its end.
    #[error("{0} holds an unfinished copy of {1}: end it with `bellboard store copy`, or delete it")]
    Unfinished(String, String),
}

/// Why there is no copy of a store, or it was not put in place.
#[derive(Debug, thiserror::Error)]
pub enum FileCopyError {
    /// The database is a server's.
    #[error(
        "`bellboard backup` and `restore` are for a store in a file: back up PostgreSQL with its own tools, such as pg_dump"
    )]
    Server,
    /// The database in a file.
    #[error(transparent)]
    File(#[from] BackupError),
}

/// An open database: who writes in each lane, who reads, and the disk that it is on, where it is this machine's.
pub(super) struct Opened {
    pub lanes: Vec<Box<dyn Engine>>,
    pub reads: Box<dyn Reads>,
    pub space: Option<Arc<Space>>,
    /// The newest stamp in the database.
    pub newest: Timestamp,
    /// What a server's clock says.
    pub server_time: Option<Timestamp>,
}

/// Opens the database at a URL, creates or migrates it. The listener is told of what other nodes change.
pub(super) async fn open(
    url: &str,
    options: &Options,
    listener: &Arc<dyn CommitListener>,
) -> Result<Opened, OpenError> {
    match scheme(url) {
        Some(Scheme::Sqlite) => {
            let (engine, reads) = sqlite::open(url, options).await?;
            let space = engine.space();
            let newest = reads.newest_stamp().await?;
            let (lanes, reads): (Vec<Box<dyn Engine>>, _) = (vec![Box::new(engine)], Box::new(reads));
            Ok(Opened { lanes, reads, space: Some(space), newest, server_time: None })
        }
        Some(Scheme::Postgres) => {
            let (lanes, reads) = postgres::open(url, options, listener.clone()).await?;
            let lanes = lanes.into_iter().map(|lane| Box::new(lane) as Box<dyn Engine>).collect();
            let server_time = reads.server_time().await.map_err(OpenError::Clock)?;
            let newest = reads.newest_stamp().await.map_err(OpenError::Clock)?;
            Ok(Opened { lanes, reads: Box::new(reads), space: None, newest, server_time })
        }
        None => Err(OpenError::Scheme),
    }
}

/// Opens a database for a copy: to read a whole one, or to fill one with this version's schema.
pub(super) async fn open_end(url: &str, use_as: Use) -> Result<copy::Opened, CopyError> {
    let (end, reads): (Box<dyn copy::End>, Box<dyn Reads>) = match scheme(url) {
        Some(Scheme::Sqlite) => {
            let (end, reads) = sqlite::open_end(url, use_as).await?;
            (Box::new(end), Box::new(reads))
        }
        Some(Scheme::Postgres) => {
            let (end, reads) = postgres::open_end(url, use_as).await?;
            (Box::new(end), Box::new(reads))
        }
        None => return Err(OpenError::Scheme.into()),
    };
    Ok(copy::Opened { end, reads, shown: shown(url) })
}

/// Whether two URLs name one database, as far as that can be seen.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let file = |url| sqlite::path_of(url).ok();
    one == other || file(one).is_some_and(|file_of_one| file(other) == Some(file_of_one))
}

/// Copies the database that a URL names into a new file. Whoever uses it goes on; the copy is that of one moment.
///
/// # Errors
/// [`FileCopyError::Server`] where it is in no file. Any leaves no file behind, but one that comes when the whole copy
/// has its name and the folder cannot be synced.
pub async fn backup(url: &str, to: &Path) -> Result<Contents, FileCopyError> {
    refuse_server(url)?;
    Ok(sqlite::backup(url, to).await?)
}

/// Puts a copy of a backup in the place of the database that a URL names; gives where the database that was there
/// is kept.
///
/// # Errors
/// [`FileCopyError::Server`] where it is in no file. Any leaves the database as it was, so while a gateway runs on it.
pub async fn restore(url: &str, from: &Path) -> Result<(Contents, Option<PathBuf>), FileCopyError> {
    refuse_server(url)?;
    Ok(sqlite::restore(url, from).await?)
}

fn refuse_server(url: &str) -> Result<(), FileCopyError> {
    match scheme(url) {
        Some(Scheme::Postgres) => Err(FileCopyError::Server),
        _ => Ok(()),
    }
}

/// Whether other nodes than this process may write to the store at a URL.
pub fn is_shared(url: &str) -> bool {
    matches!(scheme(url), Some(Scheme::Postgres))
}

/// A store's URL as it may be shown: what stands before an `@` may be a password, and so may what stands behind
/// a `?`.
pub fn shown(url: &str) -> String {
    if check_store_url(url).is_err() {
        // A password may stand anywhere in it.
        let scheme = ["sqlite", "postgres"].into_iter().find(|scheme| url.starts_with(*scheme));
        return format!("{}://…", scheme.unwrap_or(""));
    }
    let Some(Scheme::Postgres) = scheme(url) else { return url.to_owned() };
    let (address, _) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = address.split_once("://").unwrap_or(("postgres", ""));
    let at = rest.rsplit_once('@').map_or(rest, |(_, at)| at);
    format!("{scheme}://{at}")
}

enum Scheme {
    Sqlite,
    Postgres,
}

fn scheme(url: &str) -> Option<Scheme> {
    match url.split_once(':')?.0 {
        "sqlite" => Some(Scheme::Sqlite),
        "postgres" | "postgresql" => Some(Scheme::Postgres),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_password_is_not_shown() {
        for (url, says) in [
            ("sqlite:///var/lib/a@b.db", "sqlite:///var/lib/a@b.db"),
            ("postgres://bell:se%40cret@db:5432/bell?password=x", "postgres://db:5432/bell"),
            ("postgres://bell:correct-horse?battery@db/bell", "postgres://…"),
            ("postgres://bell:correct/horse@db/bell", "postgres://…"),
            ("sqlite://bell:correct-horse@h/bell.db", "sqlite://…"),
            ("postgresql:///bell?host=/run/pg&password=x", "postgresql:///bell"),
            ("postgres://db", "postgres://db"),
        ] {
            assert_eq!(shown(url), says);
        }
    }
}
