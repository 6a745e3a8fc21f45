//! Brings the schema up to date, however many nodes start at once.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

use super::ask::{Session, ask};
use super::connect::{Database, PostgresError};

/// Every migration, oldest first. One that was released never changes, and each is one that the version
/// before can go on with (see `CONTRIBUTING.md`).
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "inboxes", include_str!("../../../migrations/postgres/0001_inboxes.sql")),
    (2, "audit", include_str!("../../../migrations/postgres/0002_audit.sql")),
    (3, "stream", include_str!("../../../migrations/postgres/0003_stream.sql")),
    (4, "restore", include_str!("../../../migrations/postgres/0004_restore.sql")),
    (5, "answer", include_str!("../../../migrations/postgres/0005_answer.sql")),
];

/// Any number that other programs on this database do not take for theirs.
const LOCK: i64 = 0x62_65_6c_6c_62_6f_61_72;

/// How long another node may take with it.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often one that waits looks again.
const LOOK: Duration = Duration::from_millis(100);
/// How long it leaves the tables to others when it could not have one.
const BREATH: Duration = Duration::from_secs(1);

/// What a try to apply what is missing came to.
enum Try {
    Applied,
    /// Another node is at it.
    Taken,
    /// Others use a table.
    Held,
}

/// Applies what is missing. A schema that is newer than this version is no fault, unless it says that this version
/// is too old for it.
pub(super) async fn run(database: &Database) -> Result<(), PostgresError> {
    let shown = || database.shown.clone();
    let mut connection = database.connect().await.map_err(|e| PostgresError::Connect(shown(), e))?;
    let failed = |e| PostgresError::Migrate(shown(), e);
    let start = Instant::now();
    // Who waits holds no snapshot meanwhile: an index that is built concurrently would wait for its end.
    loop {
        let applied = applied(&mut connection).await.map_err(failed)?;
        if let Some(oldest) = applied.oldest.filter(|oldest| newest_known() < Some(*oldest)) {
            return Err(PostgresError::Newer(shown(), oldest, newest_known().unwrap_or(0)));
        }
        if applied.newest >= newest_known() {
            break;
        }
        let tried = match apply(database, &mut connection).await {
            Err(error) if is_denied(&error) => return Err(denied(database, error).await),
            tried => tried.map_err(failed)?,
        };
        let rest = match tried {
            Try::Applied => break,
            Try::Taken => LOOK,
            Try::Held => BREATH,
        };
        if start.elapsed() > PATIENCE {
            return Err(PostgresError::Waited(shown(), PATIENCE));
        }
        tokio::time::sleep(rest).await;
    }
    // Nothing is lost by a connection that does not end well.
    let _ = connection.close().await;
    Ok(())
}

/// The newest migration that this version knows.
fn newest_known() -> Option<i64> {
    MIGRATIONS.iter().map(|(version, ..)| *version).max()
}

/// What the database says of its schema.
#[derive(Default)]
struct Applied {
    newest: Option<i64>,
    /// A version that does not know this migration can no longer go on with the schema. The column comes with the
    /// first migration that takes something away.
    oldest: Option<i64>,
}

/// Reads it. It needs no right to change the schema.
async fn applied(connection: &mut PgConnection) -> sqlx::Result<Applied> {
    let table = sqlx::raw_sql("SELECT to_regclass('bellboard_migration') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !table.try_get::<bool, _>(0)? {
        return Ok(Applied::default());
    }
    let query = "SELECT max(version), max((to_jsonb(m) ->> 'oldest')::bigint) FROM bellboard_migration AS m";
    let row = sqlx::raw_sql(query).fetch_one(connection).await?;
    Ok(Applied { newest: row.try_get(0)?, oldest: row.try_get(1)? })
}

/// Whether the schema is that of this version, neither older nor newer.
pub(super) async fn is_exact(connection: &mut PgConnection) -> sqlx::Result<bool> {
    Ok(applied(connection).await?.newest == newest_known())
}

/// Applies what is missing in one transaction, unless another node has the lock, which ends with it, or others hold a
/// table. While one waits for a table all who come later wait behind it: so it waits for less time than they do,
/// and lets them go first before it tries again.
async fn apply(database: &Database, connection: &mut PgConnection) -> sqlx::Result<Try> {
    database.begin(connection).await?;
    let wait = database.times().lock.as_millis() / 4;
    let times = format!("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {}", wait.max(1));
    sqlx::raw_sql(AssertSqlSafe(times)).execute(&mut *connection).await?;
    let outcome = match missing(connection).await {
        Err(error) if is_held(&error) => Try::Held,
        Ok(false) => Try::Taken,
        Ok(true) => {
            sqlx::raw_sql("COMMIT").execute(connection).await?;
            return Ok(Try::Applied);
        }
        Err(error) => return Err(error),
    };
    sqlx::raw_sql("ROLLBACK").execute(connection).await?;
    Ok(outcome)
}

/// Whether it was this node's turn; then all is applied.
async fn missing(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let mut on = Session { connection, named: false };
    let lock = ask("SELECT pg_try_advisory_xact_lock($1)").bind(LOCK).rows(&mut on).await?;
    let locked = match lock.first() {
        Some(row) => row.try_get::<bool, _>(0)?,
        None => false,
    };
    if !locked {
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
    Ok(true)
}

/// Whether the role lacks a right.
fn is_denied(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|told| told.code());
    code.is_some_and(|code| code == "42501" || code == "3F000")
}

/// What to grant, where it is the right to create tables that the role lacks.
async fn denied(database: &Database, error: sqlx::Error) -> PostgresError {
    let query = "SELECT current_user::text, s, has_schema_privilege(s, 'CREATE')
                   FROM (SELECT coalesce(current_schema(), 'public')::text AS s) AS schema";
    let found: sqlx::Result<(String, String, bool)> = async {
        let mut connection = database.connect().await?;
        let row = sqlx::raw_sql(query).fetch_one(&mut connection).await?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    }
    .await;
    match found {
        Ok((role, schema, false)) => PostgresError::MayNotCreate(database.shown.clone(), role, schema),
        _ => PostgresError::Migrate(database.shown.clone(), error),
    }
}

/// Whether others held what was asked for: a wait ended, or two waited for each other.
fn is_held(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|told| told.code());
    code.is_some_and(|code| code == "55P03" || code == "40P01")
}
