//! What SQLite's failures mean to the store.

use sqlx::error::DatabaseError;

use crate::domain::Error;
use crate::store::engine::Failure;

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        // The low byte of SQLite's extended code is the kind of failure: https://sqlite.org/rescode.html
        let code = error.as_database_error().and_then(DatabaseError::code);
        let primary = code.and_then(|c| c.parse::<u32>().ok()).map(|c| c & 0xff);
        let text = error.to_string();
        match (primary, &error) {
            (Some(5 | 6 | 13), _) => Self::Busy(text), // BUSY, LOCKED, FULL
            (Some(18 | 19 | 20 | 25), _) => Self::Row(text), // TOOBIG, CONSTRAINT, MISMATCH, RANGE
            (None, sqlx::Error::Encode(_)) => Self::Row(text),
            // Every reader is taken, or the store is closing.
            (None, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => Self::Busy(text),
            _ => Self::Broken(text),
        }
    }
}

/// A read's failure as the core sees it.
pub(super) fn internal(error: sqlx::Error) -> Error {
    match Failure::from(error) {
        busy @ Failure::Busy(_) => busy.to_error(),
        Failure::Row(text) | Failure::Broken(text) => Error::Internal(text),
    }
}

/// A stored number that is no id: the database was changed by other hands.
pub(super) fn corrupt(what: impl std::fmt::Display) -> Error {
    Error::Internal(format!("the database holds what the store cannot have written: {what}"))
}
