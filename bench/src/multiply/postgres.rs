//! In PostgreSQL.

use std::str::FromStr as _;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::Result;

const NOTIFICATIONS_AGAIN: &str = "
    INSERT INTO notification (id, tenant, user_id, type, created_at, sender, request_id, related_user_id, doc)
    SELECT id + $1, tenant, user_id, type, created_at, sender, request_id, related_user_id, doc
      FROM notification WHERE id <= $2 ORDER BY id";
const INBOXES_AGAIN: &str = "
    INSERT INTO inbox (tenant, user_id, id, rev, unread)
    SELECT tenant, user_id, id + $1, rev + $3, unread + $3 FROM inbox WHERE id <= $2 ORDER BY id";
const MOVE_HEADS: &str = "UPDATE directory SET rev = rev + $1, unread = unread + $1";
const WRONG_HEADS: &str = "
    SELECT count(*) FROM directory d
      LEFT JOIN (SELECT tenant, user_id, count(*) AS unread FROM inbox WHERE read_at IS NULL GROUP BY 1, 2) AS i
             ON i.tenant = d.tenant AND i.user_id = d.id
     WHERE d.unread <> coalesce(i.unread, 0)";

/// Gives the URL of the new database.
pub async fn create(server: &str, name: &str) -> Result<String> {
    let options = PgConnectOptions::from_str(server)?;
    let mut connection = options.connect().await?;
    // The name is this program's own.
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
    connection.close().await?;
    Ok(options.database(name).to_url_lossy().to_string())
}

pub async fn multiply(url: &str, times: u64) -> Result<()> {
    let mut connection = open(url).await?;
    let times = i64::try_from(times)?;
    let last = "SELECT max(id) FROM notification";
    let last: i64 = sqlx::query_scalar(last).fetch_one(&mut connection).await?;
    for time in 1..times {
        sqlx::query(NOTIFICATIONS_AGAIN).bind(last * time).bind(last).execute(&mut connection).await?;
        sqlx::query(INBOXES_AGAIN).bind(last * time).bind(last).bind(time).execute(&mut connection).await?;
    }
    sqlx::query(MOVE_HEADS).bind(times - 1).execute(&mut connection).await?;
    sqlx::query("SELECT setval('notification_id', $1)").bind(last * times).execute(&mut connection).await?;
    let wrong: i64 = sqlx::query_scalar(WRONG_HEADS).fetch_one(&mut connection).await?;
    if wrong > 0 {
        return Err(format!("{wrong} users' heads do not match their inboxes").into());
    }
    // As a site's is after a while, and no longer on its way to the disk while something is measured.
    for upkeep in ["VACUUM ANALYZE", "CHECKPOINT"] {
        sqlx::raw_sql(upkeep).execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}

pub async fn unread(url: &str, first: i64, readers: i64) -> Result<Vec<(i64, i64)>> {
    let mut connection = open(url).await?;
    let rows = "SELECT user_id - $1, id FROM inbox WHERE user_id < $1 + $2 AND read_at IS NULL";
    let rows = sqlx::query_as(rows).bind(first).bind(readers).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(rows)
}

pub async fn bytes(url: &str) -> Result<u64> {
    let mut connection = open(url).await?;
    let bytes: i64 =
        sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(u64::try_from(bytes)?)
}

async fn open(url: &str) -> Result<PgConnection> {
    Ok(PgConnectOptions::from_str(url)?.connect().await?)
}
