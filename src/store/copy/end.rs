//! One end of a copy: what an engine must be able to do, and what follows from it for every engine.

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::CopyError;
use super::table::{DIRECTORY, Kind, Row, TABLES, Table, Value};
use crate::store::engine::Reads;

/// A database, held for a copy: nobody else writes to it meanwhile.
#[async_trait]
pub(crate) trait End: Send {
    /// What holds a table as [`TABLES`] describes it.
    fn relation(&self, table: &Table) -> &'static str;
    /// Asks: the values that come are of these kinds.
    async fn rows(&mut self, query: &str, arguments: &[Value], kinds: &[Kind]) -> sqlx::Result<Vec<Row>>;
    /// Stores rows that come behind all that there are: all of them lastingly, or none.
    async fn store(&mut self, table: &Table, rows: &[Row]) -> sqlx::Result<()>;
    /// Runs statements in one transaction.
    async fn run(&mut self, statements: &str) -> sqlx::Result<()>;
    /// Whether it bears the note of a copy that has not ended.
    async fn is_marked(&mut self) -> sqlx::Result<bool>;
    /// The last id that a notification was given.
    async fn last_id(&mut self) -> sqlx::Result<i64>;
    /// Ends a copy: whatever counts goes on behind what was copied, ids behind this one.
    async fn settle(&mut self, last_id: i64) -> sqlx::Result<()>;
    /// Lets go of the database.
    async fn close(self: Box<Self>);
}

/// An end as it was opened.
pub(crate) struct Opened {
    pub end: Box<dyn End>,
    pub reads: Box<dyn Reads>,
    /// Its name, without a password.
    pub shown: String,
}

/// What is there as long as a copy into a database has not ended: where it is from, and the state of that.
pub(crate) const MARK: &str = "bellboard_copy";

/// Rows that are read or stored at once.
pub(super) const PAGE: usize = 500;

impl Opened {
    /// Some rows of a table, in the order of keys.
    pub async fn page(&mut self, table: &Table, after: Option<&[Value]>) -> Result<Vec<Row>, CopyError> {
        let query = table.page(self.end.relation(table), after.is_some(), PAGE);
        self.rows(&query, after.unwrap_or_default(), &table.kinds()).await
    }

    /// The last key of a table.
    pub async fn last(&mut self, table: &Table) -> Result<Option<Row>, CopyError> {
        let query = table.last(self.end.relation(table));
        Ok(self.rows(&query, &[], &table.kinds()[..table.key]).await?.pop())
    }

    /// How many rows each table has.
    pub async fn counts(&mut self) -> Result<Vec<u64>, CopyError> {
        let mut counts = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            let query = format!("SELECT count(*) FROM {}", self.end.relation(table));
            let rows = self.rows(&query, &[], &[Kind::Number]).await?;
            counts.push(number(rows, 0).unsigned_abs());
        }
        Ok(counts)
    }

    /// What every change of a site changes: how much there is, and how far the heads have come.
    pub async fn state(&mut self, counts: &[u64]) -> Result<String, CopyError> {
        let mut state = Sha256::new();
        for count in counts {
            state.update(count.to_le_bytes());
        }
        for table in TABLES {
            for value in self.last(table).await?.iter().flatten() {
                value.digest(&mut state);
            }
        }
        let heads = TABLES.iter().find(|table| table.name == DIRECTORY).map(|table| self.end.relation(table));
        let query = format!(
            "SELECT CAST(coalesce(sum(rev), 0) AS bigint), coalesce(max(updated_at), 0) FROM {}",
            heads.unwrap_or(DIRECTORY)
        );
        for value in self.rows(&query, &[], &[Kind::Number, Kind::Number]).await?.iter().flatten() {
            value.digest(&mut state);
        }
        Ok(Value::Bytes(state.finalize().to_vec()).to_string())
    }

    /// Of an unfinished copy: where it is from, and the state of that.
    pub async fn mark(&mut self) -> Result<Option<(String, String)>, CopyError> {
        if !self.end.is_marked().await.map_err(|e| self.failed(e))? {
            return Ok(None);
        }
        let query = format!("SELECT source, state FROM {MARK}");
        let row = self.rows(&query, &[], &[Kind::Text, Kind::Text]).await?.pop().unwrap_or_default();
        let text = |place: usize| row.get(place).and_then(Value::text).unwrap_or_default().to_owned();
        Ok(Some((text(0), text(1))))
    }

    /// Begins a copy.
    pub async fn set_mark(&mut self, source: &str, state: &str) -> Result<(), CopyError> {
        let quoted = |text: &str| text.replace('\'', "''");
        let statements = format!(
            "CREATE TABLE {MARK} (source text NOT NULL, state text NOT NULL);
             INSERT INTO {MARK} (source, state) VALUES ('{}', '{}')",
            quoted(source),
            quoted(state)
        );
        self.end.run(&statements).await.map_err(|e| self.failed(e))
    }

    /// Ends a copy.
    pub async fn remove_mark(&mut self) -> Result<(), CopyError> {
        self.end.run(&format!("DROP TABLE {MARK}")).await.map_err(|e| self.failed(e))
    }

    pub fn failed(&self, error: sqlx::Error) -> CopyError {
        CopyError::Database(self.shown.clone(), error)
    }

    pub async fn close(self) {
        self.reads.close().await;
        self.end.close().await;
    }

    async fn rows(
        &mut self,
        query: &str,
        arguments: &[Value],
        kinds: &[Kind],
    ) -> Result<Vec<Row>, CopyError> {
        self.end.rows(query, arguments, kinds).await.map_err(|e| self.failed(e))
    }
}

fn number(rows: Vec<Row>, column: usize) -> i64 {
    rows.first().and_then(|row| row.get(column)).and_then(Value::number).unwrap_or_default()
}
