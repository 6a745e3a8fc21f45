//! A database in a file as one end of a copy.

use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Row as _, SqliteConnection, query::Query};

use super::backup::finish_restore;
use super::open::{
    Lock, OpenError, assert_durable, connect_writer, create_private, lock, migrations, newest_schema,
    options, path_of, readers,
};
use super::reads::SqliteReads;
use super::sound::make_sure;
use super::values::{made, values};
use crate::store::copy::{CopyError, End, Kind, MARK, Row, Table, Use, Value};
use crate::store::{self, Options};

pub(in crate::store) struct SqliteEnd {
    connection: SqliteConnection,
    /// Released once the connection is closed.
    _lock: Lock,
}

/// The tables that are otherwise here: heads stand behind their inboxes. They live as long as the connection.
const VIEWS: &str = "
CREATE TEMP VIEW copied_inbox AS
SELECT tenant, user_id, id, rev, unread, read_at, expires_at FROM main.inbox WHERE id < 9223372036854775807;

CREATE TEMP TRIGGER inbox_is_copied INSTEAD OF INSERT ON copied_inbox BEGIN
    INSERT INTO inbox (tenant, user_id, id, rev, unread, read_at, expires_at)
    VALUES (NEW.tenant, NEW.user_id, NEW.id, NEW.rev, NEW.unread, NEW.read_at, NEW.expires_at);
END;

CREATE TEMP VIEW copied_directory AS
SELECT d.tenant, d.id, ifnull(h.rev, d.erased_rev) AS rev, ifnull(h.unread, 0) AS unread, h.next_expiry,
       ifnull(h.erased_upto, d.erased_upto) AS erased_upto, d.erased_at, d.created_at, d.updated_at,
       d.display_name, d.locale, d.time_zone
  FROM main.directory d
  LEFT JOIN main.inbox h ON h.tenant = d.tenant AND h.user_id = d.id AND h.id = 9223372036854775807;

CREATE TEMP TRIGGER user_is_copied INSTEAD OF INSERT ON copied_directory BEGIN
    INSERT INTO directory (tenant, id, erased_at, erased_rev, erased_upto, created_at, updated_at,
                           display_name, locale, time_zone)
    VALUES (NEW.tenant, NEW.id, NEW.erased_at, NEW.rev, NEW.erased_upto, NEW.created_at, NEW.updated_at,
            NEW.display_name, NEW.locale, NEW.time_zone);
    DELETE FROM inbox WHERE tenant = NEW.tenant AND user_id = NEW.id AND id = 9223372036854775807
        AND NEW.erased_at IS NOT NULL;
    UPDATE inbox
       SET rev = NEW.rev, unread = NEW.unread, next_expiry = NEW.next_expiry, erased_upto = NEW.erased_upto
     WHERE tenant = NEW.tenant AND user_id = NEW.id AND id = 9223372036854775807;
END;";

/// Opens the database that a URL names, as a start of the gateway would.
pub(in crate::store) async fn open_end(
    url: &str,
    use_as: Use,
) -> Result<(SqliteEnd, SqliteReads), CopyError> {
    let settings = Options::default();
    let path = path_of(url).map_err(store::OpenError::from)?;
    let lock = lock(&path).map_err(store::OpenError::from)?;
    let failed = |e| store::OpenError::from(OpenError::Database(path.clone(), e));
    finish_restore(&path).map_err(|e| failed(e.into()))?;
    if use_as == Use::Fill {
        create_private(&path).map_err(|e| failed(e.into()))?;
    }
    let options = options(&path, settings.wait);
    let mut connection = connect_writer(&options).await.map_err(failed)?;
    make_sure(&mut connection, &path).await.map_err(store::OpenError::from)?;
    if use_as == Use::Fill {
        let migrated = migrations().run(&mut connection).await;
        migrated.map_err(|e| store::OpenError::from(OpenError::migrate(&path, e)))?;
    }
    let schema: Result<Option<i64>, _> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut connection).await;
    if schema.ok().flatten() != Some(newest_schema()) {
        return Err(CopyError::Schema(store::shown(url)));
    }
    assert_durable(&mut connection).await.map_err(store::OpenError::from)?;
    sqlx::raw_sql(VIEWS).execute(&mut connection).await.map_err(failed)?;
    let pool = readers(&options, &settings).await.map_err(failed)?;
    Ok((SqliteEnd { connection, _lock: lock }, SqliteReads::new(pool)))
}

/// Where the copy is from that was begun into the database and has not ended.
pub(super) async fn unfinished(connection: &mut SqliteConnection) -> sqlx::Result<Option<String>> {
    if !is_marked(connection).await? {
        return Ok(None);
    }
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT source FROM {MARK}"))).fetch_optional(connection).await
}

async fn is_marked(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = ?")
        .bind(MARK)
        .fetch_one(connection)
        .await?;
    Ok(count > 0)
}

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

fn bind<'q>(query: Bound<'q>, value: &'q Value) -> Bound<'q> {
    match value {
        Value::Nothing => query.bind(None::<i64>),
        Value::Number(number) => query.bind(number),
        Value::Text(text) => query.bind(text.as_str()),
        Value::Bytes(bytes) => query.bind(bytes.as_slice()),
    }
}

fn value(row: &SqliteRow, column: usize, kind: Kind) -> sqlx::Result<Value> {
    Ok(match kind {
        Kind::Number => row.try_get::<Option<i64>, _>(column)?.map(Value::Number),
        Kind::Text => row.try_get::<Option<String>, _>(column)?.map(Value::Text),
        Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(column)?.map(Value::Bytes),
    }
    .unwrap_or(Value::Nothing))
}

#[async_trait]
impl End for SqliteEnd {
    fn relation(&self, table: &Table) -> &'static str {
        match table.name {
            "inbox" => "copied_inbox",
            "directory" => "copied_directory",
            name => name,
        }
    }

    async fn rows(&mut self, query: &str, arguments: &[Value], kinds: &[Kind]) -> sqlx::Result<Vec<Row>> {
        let query = arguments.iter().fold(made(query.to_owned()), bind);
        let rows = query.fetch_all(&mut self.connection).await?;
        let values = |row| kinds.iter().enumerate().map(|(column, kind)| value(row, column, *kind)).collect();
        rows.iter().map(values).collect()
    }

    async fn store(&mut self, table: &Table, rows: &[Row]) -> sqlx::Result<()> {
        let columns = table.columns.len();
        let relation = self.relation(table);
        let insert =
            format!("INSERT INTO {relation} ({}) VALUES {}", table.names(), values(rows.len(), columns));
        // One statement is a transaction by itself.
        rows.iter().flatten().fold(made(insert), bind).execute(&mut self.connection).await.map(drop)
    }

    async fn run(&mut self, statements: &str) -> sqlx::Result<()> {
        let all = format!("BEGIN IMMEDIATE; {statements}; COMMIT");
        sqlx::raw_sql(AssertSqlSafe(all)).execute(&mut self.connection).await.map(drop)
    }

    async fn is_marked(&mut self) -> sqlx::Result<bool> {
        is_marked(&mut self.connection).await
    }

    async fn last_id(&mut self) -> sqlx::Result<i64> {
        super::writes::next_id(&mut self.connection).await.map(|next| next - 1)
    }

    async fn settle(&mut self, last_id: i64) -> sqlx::Result<()> {
        self.run(&format!(
            "UPDATE history SET epoch = random();
             DELETE FROM sqlite_sequence WHERE name = 'notification';
             INSERT INTO sqlite_sequence (name, seq) VALUES ('notification', {last_id})"
        ))
        .await
    }

    async fn close(self: Box<Self>) {
        let Self { mut connection, _lock } = *self;
        // What is not folded in now is at the next start.
        let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await;
        let _ = connection.close().await;
    }
}
