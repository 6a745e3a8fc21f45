//! In SQLite.

use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::Result;

/// The view's triggers store each row and move its user's head, as they do for the gateway.
const AGAIN: &str = "
    INSERT INTO arrival (id, tenant, user_id, type, created_at, sender, request_id, related_user_id, doc,
                         rev, unread)
    SELECT n.id + ?1, n.tenant, n.user_id, n.type, n.created_at, n.sender, n.request_id, n.related_user_id,
           n.doc, h.rev + 1, h.unread + 1
      FROM notification n JOIN head h ON h.tenant = n.tenant AND h.user_id = n.user_id
     WHERE n.id <= ?2 ORDER BY n.id";
const WRONG_HEADS: &str = "
    SELECT count(*) FROM head h
     WHERE h.unread + 1 <> (SELECT count(*) FROM inbox i
                             WHERE i.tenant = h.tenant AND i.user_id = h.user_id AND i.read_at IS NULL)";

pub async fn multiply(file: &Path, times: u64) -> Result<()> {
    let mut connection = open(file).await?;
    // If this is cut off the run is over, and the file with it.
    for pragma in ["PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -1000000"] {
        sqlx::query(pragma).execute(&mut connection).await?;
    }
    let last = "SELECT max(id) FROM notification";
    let last: i64 = sqlx::query_scalar(last).fetch_one(&mut connection).await?;
    for time in 1..i64::try_from(times)? {
        sqlx::query(AGAIN).bind(last * time).bind(last).execute(&mut connection).await?;
    }
    let wrong: i64 = sqlx::query_scalar(WRONG_HEADS).fetch_one(&mut connection).await?;
    if wrong > 0 {
        return Err(format!("{wrong} users' heads do not match their inboxes").into());
    }
    // As the gateway leaves it, and no longer on its way to the disk while something is measured.
    sqlx::query("PRAGMA journal_mode = WAL").execute(&mut connection).await?;
    connection.close().await?;
    Ok(std::fs::File::open(file)?.sync_all()?)
}

pub async fn unread(file: &Path, first: i64, readers: i64) -> Result<Vec<(i64, i64)>> {
    let mut connection = open(file).await?;
    let rows = "SELECT user_id - ?1, id FROM inbox WHERE user_id < ?1 + ?2 AND read_at IS NULL
                  AND id < 9223372036854775807";
    let rows = sqlx::query_as(rows).bind(first).bind(readers).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(rows)
}

async fn open(file: &Path) -> Result<SqliteConnection> {
    Ok(SqliteConnectOptions::new().filename(file).connect().await?)
}
