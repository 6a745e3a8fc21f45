//! A connection from outside to a store's database, whatever its engine.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, PgConnection, Row, SqliteConnection};

/// A program with a connection of its own.
pub enum Tool {
    File(SqliteConnection),
    Server(PgConnection),
}

/// What stands in a column: a number (or whether something is so), a text, or nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Number(i64),
    Text(String),
    Nothing,
}

impl Tool {
    pub async fn of(url: &str) -> Self {
        if url.starts_with("sqlite") {
            Self::File(SqliteConnection::connect(url).await.expect("connects"))
        } else {
            Self::Server(PgConnection::connect(url).await.expect("connects"))
        }
    }

    /// Runs statements.
    pub async fn run(&mut self, statements: &'static str) {
        let statements = sqlx::raw_sql(statements);
        match self {
            Self::File(file) => statements.execute(file).await.map(drop),
            Self::Server(server) => statements.execute(server).await.map(drop),
        }
        .expect("runs");
    }

    /// Changes heads.
    pub async fn set_heads(&mut self, set: &str, of: &str) {
        let change = match self {
            Self::File(_) => format!("UPDATE inbox SET {set} WHERE id = 9223372036854775807 AND {of}"),
            Self::Server(_) => format!("UPDATE head SET {set} WHERE {of}"),
        };
        let change = sqlx::raw_sql(sqlx::AssertSqlSafe(change));
        match self {
            Self::File(file) => change.execute(file).await.map(drop),
            Self::Server(server) => change.execute(server).await.map(drop),
        }
        .expect("runs");
    }

    /// Holds the database, so that others only read, until it lets go.
    pub async fn hold(&mut self) {
        self.run(match self {
            Self::File(_) => "BEGIN IMMEDIATE",
            Self::Server(_) => "BEGIN; LOCK TABLE directory, lane IN EXCLUSIVE MODE",
        })
        .await;
    }

    pub async fn let_go(&mut self) {
        self.run("ROLLBACK").await;
    }

    /// All rows of a query.
    pub async fn rows(&mut self, query: &'static str) -> Vec<Vec<Cell>> {
        match self {
            Self::File(file) => {
                let rows = sqlx::query(query).fetch_all(file).await.expect("runs");
                rows.iter().map(|row| (0..row.len()).map(|column| in_file(row, column)).collect()).collect()
            }
            Self::Server(server) => {
                let rows = sqlx::query(query).fetch_all(server).await.expect("runs");
                rows.iter().map(|row| (0..row.len()).map(|column| on_server(row, column)).collect()).collect()
            }
        }
    }

    /// The number that a query gives.
    pub async fn number(&mut self, query: &'static str) -> i64 {
        self.rows(query).await[0][0].number()
    }
}

impl Cell {
    pub fn number(&self) -> i64 {
        self.maybe_number().expect("a number")
    }

    pub fn maybe_number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Nothing => None,
            Self::Text(text) => panic!("{text:?} is no number"),
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }
}

fn in_file(row: &SqliteRow, column: usize) -> Cell {
    let number = row.try_get::<Option<i64>, _>(column).map(|number| number.map(Cell::Number));
    let text = || row.get::<Option<String>, _>(column).map(Cell::Text);
    number.unwrap_or_else(|_| text()).unwrap_or(Cell::Nothing)
}

fn on_server(row: &PgRow, column: usize) -> Cell {
    let number = row.try_get::<Option<i64>, _>(column).map(|number| number.map(Cell::Number));
    let truth =
        || row.try_get::<Option<bool>, _>(column).map(|truth| truth.map(|so| Cell::Number(so.into())));
    let text = || row.get::<Option<String>, _>(column).map(Cell::Text);
    number.or_else(|_| truth()).unwrap_or_else(|_| text()).unwrap_or(Cell::Nothing)
}
