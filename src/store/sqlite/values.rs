//! Statements of many rows: their text and their values.

use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{AssertSqlSafe, query::Query};

/// Rows in one statement. Each number of rows is a statement of its own in the cache.
pub(super) const ROWS: usize = 64;

/// `(?,?),(?,?)`: so many rows of so many columns. (Not numbered: numbers are names, and to bind by name SQLite
/// searches all of them each time.)
pub(super) fn values(rows: usize, columns: usize) -> String {
    let row = format!("(?{})", ",?".repeat(columns.saturating_sub(1)));
    vec![row; rows].join(",")
}

/// A statement made of the crate's own text; values only ever come as parameters.
pub(super) fn made<'q>(text: String) -> Query<'q, Sqlite, SqliteArguments> {
    sqlx::query(AssertSqlSafe(text))
}

/// A JSON array of ids, for `json_each`.
pub(super) fn id_array(ids: impl IntoIterator<Item = i64>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    format!("[{}]", ids.join(","))
}
