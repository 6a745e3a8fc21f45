//! A database on a server as one end of a copy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, Postgres, Row as _};

use super::ask::{Session, ask};
use super::connect::{Database, PostgresError};
use super::migrate;
use super::reads::PostgresReads;
use crate::store::copy::{CopyError, End, Kind, MARK, Row, TABLES, Table, Use, Value};
use crate::store::{OpenError, Options};

pub(in crate::store) struct PostgresEnd {
    database: Arc<Database>,
    connection: PgConnection,
}

/// How long the connections of a gateway that has just ended may stay.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks at them.
const LOOK: Duration = Duration::from_millis(100);

/// With time to read all of a large table in one statement.
fn options() -> Options {
    Options { statement_timeout: Duration::from_secs(3600), ..Options::default() }
}

/// Opens the database that a URL names, where no gateway is connected. One that is read is held in one transaction,
/// and all that others would write to it waits and is refused.
pub(in crate::store) async fn open_end(
    url: &str,
    use_as: Use,
) -> Result<(PostgresEnd, PostgresReads), CopyError> {
    let database = Arc::new(Database::of(url, &options()).map_err(OpenError::from)?);
    let shown = || database.shown.clone();
    let connect = |e| OpenError::from(PostgresError::Connect(shown(), e));
    let failed = |e| CopyError::Database(shown(), e);
    let mut connection = database.connect().await.map_err(connect)?;
    refuse_gateways(&database, &mut connection).await?;
    if use_as == Use::Fill {
        migrate::run(&database).await.map_err(OpenError::from)?;
    }
    if !migrate::is_exact(&mut connection).await.map_err(failed)? {
        return Err(CopyError::Schema(shown()));
    }
    if use_as == Use::Read {
        let tables: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        let hold = format!(
            "SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE {} IN SHARE MODE",
            tables.join(", ")
        );
        database.begin(&mut connection).await.map_err(failed)?;
        sqlx::raw_sql(AssertSqlSafe(hold)).execute(&mut connection).await.map_err(failed)?;
    }
    let reads = PostgresReads::new(database.clone(), None);
    Ok((PostgresEnd { database, connection }, reads))
}

/// Refuses where others are connected under the name that gateways have.
async fn refuse_gateways(database: &Database, connection: &mut PgConnection) -> Result<(), CopyError> {
    let failed = |e| CopyError::Database(database.shown.clone(), e);
    let others = ask("SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = $1")
    .bind(database.application());
    let start = Instant::now();
    loop {
        let mut on = Session { connection: &mut *connection, named: false };
        let others = others.rows(&mut on).await.map_err(failed)?;
        let others = others.first().map(|row| row.try_get(0)).transpose().map_err(failed)?.unwrap_or(0);
        if others == 0 {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            return Err(CopyError::InUse(database.shown.clone(), others));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A copy that has not ended is not to be served.
pub(super) async fn refuse_unfinished(database: &Database) -> Result<(), OpenError> {
    let connect = |e| PostgresError::Connect(database.shown.clone(), e);
    let mut connection = database.connect().await.map_err(connect)?;
    let source = unfinished(&mut connection).await.map_err(connect)?;
    // Nothing is lost by a connection that does not end well.
    let _ = connection.close().await;
    source.map_or(Ok(()), |source| Err(OpenError::Unfinished(database.shown.clone(), source)))
}

async fn unfinished(connection: &mut PgConnection) -> sqlx::Result<Option<String>> {
    if !is_marked(connection).await? {
        return Ok(None);
    }
    let mark = AssertSqlSafe(format!("SELECT source FROM {MARK}"));
    sqlx::raw_sql(mark).fetch_optional(connection).await?.map(|row| row.try_get(0)).transpose()
}

/// (With no statement to prepare: outside a transaction a pooler may lend another connection for the next step.)
async fn is_marked(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let query = AssertSqlSafe(format!("SELECT to_regclass('{MARK}') IS NOT NULL"));
    sqlx::raw_sql(query).fetch_one(connection).await?.try_get(0)
}

type Bound<'q> = Query<'q, Postgres, PgArguments>;

fn bind<'q>(query: Bound<'q>, value: &'q Value) -> Bound<'q> {
    match value {
        Value::Nothing => query.bind(None::<i64>),
        Value::Number(number) => query.bind(number),
        Value::Text(text) => query.bind(text.as_str()),
        Value::Bytes(bytes) => query.bind(bytes.as_slice()),
    }
}

/// Binds a column of many rows as one array.
fn bind_column<'q>(query: Bound<'q>, rows: &'q [Row], column: usize, kind: Kind) -> Bound<'q> {
    let values = rows.iter().map(|row| &row[column]);
    match kind {
        Kind::Number => query.bind(values.map(Value::number).collect::<Vec<_>>()),
        Kind::Text => query.bind(values.map(Value::text).collect::<Vec<_>>()),
        Kind::Bytes => query.bind(values.map(Value::bytes).collect::<Vec<_>>()),
    }
}

fn value(row: &PgRow, column: usize, kind: Kind) -> sqlx::Result<Value> {
    Ok(match kind {
        Kind::Number => row.try_get::<Option<i64>, _>(column)?.map(Value::Number),
        Kind::Text => row.try_get::<Option<String>, _>(column)?.map(Value::Text),
        Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(column)?.map(Value::Bytes),
    }
    .unwrap_or(Value::Nothing))
}

#[async_trait]
impl End for PostgresEnd {
    fn relation(&self, table: &Table) -> &'static str {
        table.name
    }

    async fn rows(&mut self, query: &str, arguments: &[Value], kinds: &[Kind]) -> sqlx::Result<Vec<Row>> {
        let query = sqlx::query(AssertSqlSafe(query.to_owned())).persistent(self.database.named);
        let rows = arguments.iter().fold(query, bind).fetch_all(&mut self.connection).await?;
        let values = |row| kinds.iter().enumerate().map(|(column, kind)| value(row, column, *kind)).collect();
        rows.iter().map(values).collect()
    }

    async fn store(&mut self, table: &Table, rows: &[Row]) -> sqlx::Result<()> {
        let arrays = (1..).zip(table.columns).map(|(place, (_, kind))| match kind {
            Kind::Number => format!("${place}::bigint[]"),
            Kind::Text => format!("${place}::text[]"),
            Kind::Bytes => format!("${place}::bytea[]"),
        });
        let insert = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT * FROM unnest({})",
            table.name,
            table.names(),
            arrays.collect::<Vec<_>>().join(", ")
        );
        let query = sqlx::query(AssertSqlSafe(insert)).persistent(self.database.named);
        let columns = table.columns.iter().enumerate();
        let query = columns.fold(query, |query, (column, (_, kind))| bind_column(query, rows, column, *kind));
        self.database.begin(&mut self.connection).await?;
        query.execute(&mut self.connection).await?;
        sqlx::raw_sql("COMMIT").execute(&mut self.connection).await.map(drop)
    }

    async fn run(&mut self, statements: &str) -> sqlx::Result<()> {
        self.database.begin(&mut self.connection).await?;
        let all = format!("{statements}; COMMIT");
        sqlx::raw_sql(AssertSqlSafe(all)).execute(&mut self.connection).await.map(drop)
    }

    async fn is_marked(&mut self) -> sqlx::Result<bool> {
        is_marked(&mut self.connection).await
    }

    async fn last_id(&mut self) -> sqlx::Result<i64> {
        let last = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM notification_id";
        sqlx::raw_sql(last).fetch_one(&mut self.connection).await?.try_get(0)
    }

    async fn settle(&mut self, last_id: i64) -> sqlx::Result<()> {
        let tables: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        self.run(&format!(
            "UPDATE history SET epoch = hashtextextended(gen_random_uuid()::text, 0);
             SELECT setval('notification_id', greatest({last_id}, 1), {last_id} > 0);
             SELECT setval(pg_get_serial_sequence('change', 'seq'), coalesce(max(seq), 1), max(seq) IS NOT NULL)
               FROM change;
             ANALYZE {}",
            tables.join(", ")
        ))
        .await
    }

    async fn close(self: Box<Self>) {
        // Nothing is lost by a connection that does not end well.
        let _ = self.connection.close().await;
    }
}
