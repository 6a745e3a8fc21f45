//! Copies a site from one database to another, whatever their engines, and compares the two.
//!
//! Rows go in the order of keys, so what is there already says where an interrupted copy goes on; only that it is a
//! copy, and of what, is noted beside. That note goes when both sides were read again and are the same.

mod end;
mod table;
mod verify;

pub(super) use end::{End, MARK, Opened};
pub(super) use table::{Kind, Row, TABLES, Table, Value};
pub use verify::Sum;

use super::open::{self, OpenError};
use end::PAGE;

/// Why a site was not copied, or is not the same. No text of it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of them cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Both are one.
    #[error("both are one store: {0}")]
    Same(String),
    /// Gateways are connected.
    #[error(
        "{0} is in use: {1} connections of a gateway; stop every gateway on it (a pooler may hold connections for a \
         while)"
    )]
    InUse(String, i64),
    /// The schema is not that of this version.
    #[error("{0} has not the schema of this version; bring it there with `bellboard migrate`")]
    Schema(String),
    /// There is something in the store that is to be filled.
    #[error("{0} is not empty: a site is copied into a store that holds nothing")]
    NotEmpty(String),
    /// An unfinished copy of something else is there.
    #[error(
        "{to} holds an unfinished copy of {source_then}, which is another store than {from} or was written to since; \
         empty {to} and begin anew"
    )]
    Changed {
        /// What is to be filled.
        to: String,
        /// What was copied there.
        source_then: String,
        /// What is to be copied.
        from: String,
    },
    /// A database failed.
    #[error("{0}: {1}")]
    Database(String, sqlx::Error),
    /// The rows are not the same.
    #[error("{table} differs, at first in the row of {key}: the source has {from} rows, the copy {to}")]
    Differs {
        /// The table.
        table: &'static str,
        /// The first key that differs.
        key: String,
        /// How many rows the source has.
        from: u64,
        /// How many rows the copy has.
        to: u64,
    },
    /// The next id could be one that was given already.
    #[error("ids would be given again: the last one was {0} in the source, and is {1} in the copy")]
    Ids(i64, i64),
    /// Unread counts or expiries differ from what is in the inboxes.
    #[error("the counts of {0} users differ from their inboxes, at first of user {2} of the tenant {1}")]
    Heads(usize, String, i64),
    /// The heads could not be compared.
    #[error("the counts cannot be compared with the inboxes: {0}")]
    Unread(String),
}

/// What an end of a copy is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// To be read: it must be a whole site.
    Read,
    /// To be filled.
    Fill,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Rows are copied.
    Copying,
    /// Both are read and compared.
    Verifying,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// With which table.
    pub table: &'static str,
    /// Rows of all tables that are done.
    pub done: u64,
    /// Rows of all tables.
    pub total: u64,
}

/// Who is told how far it is.
type Tell<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Copies a site into a store that holds nothing, or goes on with a copy of the same that was cut off; gives each
/// table's checksum, equal on both sides.
///
/// # Errors
/// A copy that is not whole cannot be served; but for [`CopyError::Differs`] and what follows it, the next call goes
/// on with it.
pub async fn copy(from: &str, to: &str, tell: Tell<'_>) -> Result<Vec<Sum>, CopyError> {
    let (mut source, mut target) = open(from, to, Use::Fill).await?;
    let copied = fill(&mut source, &mut target, tell).await;
    source.close().await;
    target.close().await;
    copied
}

/// Compares two sites; gives each table's checksum, equal on both sides.
///
/// # Errors
/// The first difference.
pub async fn verify(from: &str, to: &str, tell: Tell<'_>) -> Result<Vec<Sum>, CopyError> {
    let (mut source, mut target) = open(from, to, Use::Read).await?;
    let sums = verify::verify(&mut source, &mut target, tell).await;
    source.close().await;
    target.close().await;
    sums
}

/// The target is not touched where the source cannot be read.
async fn open(from: &str, to: &str, target: Use) -> Result<(Opened, Opened), CopyError> {
    if open::is_same(from, to) {
        return Err(CopyError::Same(open::shown(from)));
    }
    let mut source = open::open_end(from, Use::Read).await?;
    refuse_unfinished(&mut source).await?;
    let mut opened = open::open_end(to, target).await?;
    if target == Use::Read {
        refuse_unfinished(&mut opened).await?;
    }
    Ok((source, opened))
}

async fn refuse_unfinished(end: &mut Opened) -> Result<(), CopyError> {
    match end.mark().await? {
        Some((source, _)) => Err(OpenError::Unfinished(end.shown.clone(), source).into()),
        None => Ok(()),
    }
}

async fn fill(source: &mut Opened, target: &mut Opened, tell: Tell<'_>) -> Result<Vec<Sum>, CopyError> {
    let counts = source.counts().await?;
    let state = source.state(&counts).await?;
    let there = target.counts().await?;
    match target.mark().await? {
        Some((_, of)) if of == state => {}
        Some((source_then, _)) => {
            let (to, from) = (target.shown.clone(), source.shown.clone());
            return Err(CopyError::Changed { to, source_then, from });
        }
        None if there.iter().any(|rows| *rows > 0) => {
            return Err(CopyError::NotEmpty(target.shown.clone()));
        }
        None => target.set_mark(&source.shown, &state).await?,
    }
    let total = counts.iter().sum();
    let mut done = there.iter().sum();
    for table in TABLES {
        let mut after = target.last(table).await?;
        loop {
            tell(Progress { stage: Stage::Copying, table: table.name, done, total });
            let rows = source.page(table, after.as_deref()).await?;
            if rows.is_empty() {
                break;
            }
            target.end.store(table, &rows).await.map_err(|e| target.failed(e))?;
            done += rows.len() as u64;
            let is_last = rows.len() < PAGE;
            after = rows.last().map(|row| row[..table.key].to_vec());
            if is_last {
                break;
            }
        }
    }
    let last_id = source.end.last_id().await.map_err(|e| source.failed(e))?;
    target.end.settle(last_id).await.map_err(|e| target.failed(e))?;
    let sums = verify::verify(source, target, tell).await?;
    target.remove_mark().await?;
    Ok(sums)
}
