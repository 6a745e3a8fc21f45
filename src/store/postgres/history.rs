//! Begins another history where the database came from another server.

use sqlx::Connection;

use super::connect::{Database, PostgresError};

const MOVED: &str = "SELECT 1 FROM history, pg_control_system() AS here
     WHERE history.cluster <> here.system_identifier::text";

const BEGIN: &str =
    "UPDATE history SET epoch = hashtextextended(gen_random_uuid()::text, 0), cluster = here.number
      FROM (SELECT system_identifier::text AS number FROM pg_control_system()) AS here
     WHERE history.cluster <> here.number";

/// A server's number is its own, and a dump brings that of the server it was made on. Where the role may not ask for
/// it nothing changes.
pub(super) async fn begin(database: &Database) -> Result<(), PostgresError> {
    let failed = |e| PostgresError::Connect(database.shown.clone(), e);
    let mut connection = database.connect().await.map_err(failed)?;
    // Looks before it writes: a standby has its primary's number, and takes no writes.
    match sqlx::raw_sql(MOVED).fetch_optional(&mut connection).await {
        Ok(None) => {}
        Ok(Some(_)) => {
            database.begin(&mut connection).await.map_err(failed)?;
            sqlx::raw_sql(BEGIN).execute(&mut connection).await.map_err(failed)?;
            sqlx::raw_sql("COMMIT").execute(&mut connection).await.map_err(failed)?;
        }
        Err(error) if error.as_database_error().is_none() => return Err(failed(error)),
        Err(error) => tracing::debug!(%error, "the server does not tell its number"),
    }
    // Nothing is lost by a connection that does not end well.
    let _ = connection.close().await;
    Ok(())
}
