//! Brings the schema up to date, however many nodes start at once.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

use super::ask::{Session, ask};
use super::connect::{Database, PostgresError};

/// Every migration, oldest first. One that was released never changes, and each is one that the version
/// before can go on with.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "inboxes", include_str!("../../../migrations/postgres/0001_inboxes.sql")),
    (2, "audit", include_str!("../../../migrations/postgres/0002_audit.sql")),
];

/// Any number that other programs on this database do not take for theirs.
const LOCK: i64 = 0x62_65_6c_6c_62_6f_61_72;

/// How long another node may take with it.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often one that waits looks again.
const LOOK: Duration = Duration::from_millis(100);

/// Applies what is missing. A schema that is newer than this version is no fault.
pub(super) async fn run(database: &Database) -> Result<(), PostgresError> {
    let shown = || database.shown.clone();
    let mut connection = database.connect().await.map_err(|e| PostgresError::Connect(shown(), e))?;
    let failed = |e| PostgresError::Migrate(shown(), e);
    let start = Instant::now();
    // Who waits holds no snapshot meanwhile: an index that is built concurrently would wait for its end.
    while !is_current(&mut connection).await.map_err(failed)?
        && !apply(database, &mut connection).await.map_err(failed)?
    {
        if start.elapsed() > PATIENCE {
            return Err(PostgresError::Waited(shown(), PATIENCE));
        }
        tokio::time::sleep(LOOK).await;
    }
    // Nothing is lost by a connection that does not end well.
    let _ = connection.close().await;
    Ok(())
}

/// Whether nothing is missing. It needs no right to change the schema.
async fn is_current(connection: &mut PgConnection) -> sqlx::Result<bool> {
    Ok(newest_applied(connection).await? >= MIGRATIONS.iter().map(|(version, ..)| *version).max())
}

/// The newest migration that was applied.
async fn newest_applied(connection: &mut PgConnection) -> sqlx::Result<Option<i64>> {
    let table = sqlx::raw_sql("SELECT to_regclass('bellboard_migration') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !table.try_get::<bool, _>(0)? {
        return Ok(None);
    }
    sqlx::raw_sql("SELECT max(version) FROM bellboard_migration").fetch_one(connection).await?.try_get(0)
}

/// Whether the schema is that of this version, neither older nor newer.
pub(super) async fn is_exact(connection: &mut PgConnection) -> sqlx::Result<bool> {
    Ok(newest_applied(connection).await? == MIGRATIONS.iter().map(|(version, ..)| *version).max())
}

/// Applies what is missing in one transaction, unless another node has the lock, which ends with it.
async fn apply(database: &Database, connection: &mut PgConnection) -> sqlx::Result<bool> {
    database.begin(connection).await?;
    sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *connection).await?;
    let mut on = Session { connection, named: false };
    let lock = ask("SELECT pg_try_advisory_xact_lock($1)").bind(LOCK).rows(&mut on).await?;
    let locked = match lock.first() {
        Some(row) => row.try_get::<bool, _>(0)?,
        None => false,
    };
    if !locked {
        sqlx::raw_sql("ROLLBACK").execute(on.connection).await?;
        return Ok(false);
    }
    let table = "CREATE TABLE IF NOT EXISTS bellboard_migration (
        version bigint PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
    sqlx::raw_sql(table).execute(&mut *on.connection).await?;
    let done = ask("SELECT version FROM bellboard_migration").rows(&mut on).await?;
    let done = done.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<Vec<i64>>>()?;
    for (version, name, text) in MIGRATIONS.iter().filter(|(version, ..)| !done.contains(version)) {
        sqlx::raw_sql(*text).execute(&mut *on.connection).await?;
        let note =
            ask("INSERT INTO bellboard_migration (version, name) VALUES ($1, $2)").bind(*version).bind(*name);
        note.run(&mut on).await?;
    }
    sqlx::raw_sql("COMMIT").execute(on.connection).await?;
    Ok(true)
}
