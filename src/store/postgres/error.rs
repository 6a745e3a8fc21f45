//! What PostgreSQL's failures mean to the store.

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::domain::Error;
use crate::store::engine::Failure;

/// What a failure means before a COMMIT was sent: nothing was stored.
pub(super) fn failure(error: &sqlx::Error) -> Failure {
    let text = error.to_string();
    let Some(told) = told(error) else {
        return match error {
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                Failure::Row(text)
            }
            _ if is_lost(error) => Failure::Busy(text),
            _ => Failure::Broken(text),
        };
    };
    // The first two characters are the class: https://www.postgresql.org/docs/current/errcodes-appendix.html
    let code = told.code();
    match (code.get(..2).unwrap_or_default(), code) {
        // Data, integrity, limits, what a trigger raises; a damaged page must fail nobody else's commands.
        ("22" | "23" | "44" | "54", _) | (_, "P0001" | "XX001" | "XX002") => Failure::Row(text),
        // A statement that another client of the pooler prepared, or that was prepared on another connection.
        (_, "26000" | "42P05") => Failure::Broken(format!("{text}: {POOLER}")),
        // Connections, passwords, rolled back, resources, locks, stopped and cancelled, the system below.
        ("08" | "28" | "40" | "53" | "55" | "57" | "58", _) | (_, "25P03") => Failure::Busy(text),
        _ if is_of_standby(told) => Failure::Busy(text),
        _ => Failure::Broken(text),
    }
}

const POOLER: &str = "a pooler in transaction mode? write statement-cache-capacity=0 into the store's URL";

/// A read's failure as the core sees it.
pub(super) fn internal(error: sqlx::Error) -> Error {
    failure(&error).to_error()
}

/// A stored value that cannot be one: the database was changed by other hands.
pub(super) fn corrupt(what: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("the database holds what the store cannot have written: {what}").into())
}

/// Whether trying again from the beginning may well succeed: the connection is gone, or two transactions
/// waited for each other.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    match told(error) {
        Some(told) => told.code().starts_with("40") || is_end(told),
        None => is_lost(error),
    }
}

/// Whether the connection is as good as before, once its transaction is rolled back. One to a standby is not: a new one
/// may lead to the primary.
pub(super) fn leaves_connection(error: &sqlx::Error) -> bool {
    match told(error) {
        Some(told) => !is_end(told) && !is_of_standby(told),
        None => matches!(error, sqlx::Error::Encode(_) | sqlx::Error::Decode(_)),
    }
}

fn told(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error().and_then(|e| e.try_downcast_ref())
}

/// Whether PostgreSQL, or a pooler before it, ended the connection with this.
fn is_end(told: &PgDatabaseError) -> bool {
    let ends = matches!(told.severity(), PgSeverity::Fatal | PgSeverity::Panic);
    ends || told.code().starts_with("08") || told.code().starts_with("57P")
}

/// Whether a standby said it: of a transaction that is to write, or of a write.
fn is_of_standby(told: &PgDatabaseError) -> bool {
    matches!(told.code(), "0A000" | "25006")
}

fn is_lost(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
    matches!(error, Io(_) | Tls(_) | Protocol(_) | PoolTimedOut | PoolClosed | WorkerCrashed)
}

/// What waited too long for an answer.
pub(super) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database gave no answer in time"))
}
