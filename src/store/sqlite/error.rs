//! What SQLite's failures mean to the store.

use sqlx::error::DatabaseError;

use crate::domain::Error;
use crate::store::engine::Failure;

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        // The low byte of SQLite's extended code is the kind of failure: https://sqlite.org/rescode.html
        let code = error.as_database_error().and_then(DatabaseError::code);
        let extended = code.and_then(|c| c.parse::<u32>().ok());
        let text = error.to_string();
        match (extended.map(|code| code & 0xff), &error) {
            // IOERR_FSYNC, IOERR_DIR_FSYNC
            _ if matches!(extended, Some(1034 | 1290)) => Self::Fatal(text),
            // IOERR_WRITE, IOERR_TRUNCATE, IOERR_SHMOPEN, IOERR_SHMSIZE, IOERR_SHMMAP: quotas and disks that
            // can only be read. What a failed write leaves is written anew before anything after it counts.
            _ if matches!(extended, Some(778 | 1546 | 4618 | 4874 | 5386)) => Self::Busy(text),
            (Some(5 | 6 | 8 | 13 | 14), _) => Self::Busy(text), // BUSY, LOCKED, READONLY, FULL, CANTOPEN
            // TOOBIG, CONSTRAINT, MISMATCH, RANGE; CORRUPT, as a damaged page must fail nobody else's commands
            (Some(11 | 18 | 19 | 20 | 25), _) => Self::Row(text),
            (None, sqlx::Error::Encode(_) | sqlx::Error::Decode(_)) => Self::Row(text),
            // Every reader is taken, or the store is closing.
            (None, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => Self::Busy(text),
            _ => Self::Broken(text),
        }
    }
}

/// A read's failure as the core sees it.
pub(super) fn internal(error: sqlx::Error) -> Error {
    Failure::from(error).to_error()
}

/// A stored number that is no id: the database was changed by other hands.
pub(super) fn corrupt(what: impl std::fmt::Display) -> Error {
    Error::Internal(format!("the database holds what the store cannot have written: {what}"))
}
