//! Statements of many rows: their text and their values.

use std::fmt::Write;

use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{AssertSqlSafe, query::Query};

/// Rows in one statement. Each number of rows is a statement of its own in the cache.
pub(super) const ROWS: usize = 64;

/// `(?2,?3),(?4,?5)`: so many rows of so many columns, numbered on from `first`.
pub(super) fn values(first: usize, rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 5);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            let comma = if column == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}?{}", first + row * columns + column);
        }
        text.push(')');
    }
    text
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
