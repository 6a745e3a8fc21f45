//! What is made sure of before a database is used: the last process's log is on the disk, the file can be
//! written, and it is whole as far as a glance tells.

use std::path::Path;

use sqlx::{Row, SqliteConnection};

use super::open::OpenError;
use super::values::made;

/// Makes sure of all of it. The time it takes does not grow with the database.
pub(super) async fn make_sure(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |e| OpenError::Database(path.to_owned(), e);
    fold(connection, path).await.map_err(failed)?;
    let unwritable = |e| OpenError::ReadOnly(path.to_owned(), e);
    // On a file that can be read only, BEGIN IMMEDIATE is no error by itself.
    let change = "BEGIN IMMEDIATE; CREATE TABLE written (x); ROLLBACK";
    sqlx::raw_sql(change).execute(&mut *connection).await.map_err(unwritable)?;
    glance(connection, path).await
}

/// Folds the log into the database and begins a new one. After a failed sync the system can show what is not
/// on the disk, and syncs no more of it: a log that went on behind that would end there after a power cut.
async fn fold(connection: &mut SqliteConnection, path: &Path) -> sqlx::Result<()> {
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    if row.try_get::<i64, _>(0)? != 0 {
        let path = path.display();
        tracing::warn!("another program reads {path}: its log goes on where the last process left it");
    }
    Ok(())
}

/// Looks at the root of every table and index, and at the way to the first and the last row of each table.
/// What is damaged elsewhere fails what meets it, and a backup, which reads all.
async fn glance(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |e| OpenError::Database(path.to_owned(), e);
    let trees = "SELECT name, type = 'table' AND name NOT LIKE 'sqlite%', (
                     SELECT group_concat(name) FROM
                     (SELECT name FROM pragma_table_info(s.name) WHERE pk > 0 ORDER BY pk)),
                     (SELECT group_concat(name || ' DESC') FROM
                     (SELECT name FROM pragma_table_info(s.name) WHERE pk > 0 ORDER BY pk))
                   FROM sqlite_schema s WHERE rootpage > 0";
    for tree in sqlx::query(trees).fetch_all(&mut *connection).await.map_err(failed)? {
        let name: String = tree.try_get(0).map_err(failed)?;
        let damaged = |why: String| OpenError::Damaged(path.to_owned(), name.clone(), why);
        let root = sqlx::query_scalar("SELECT pagetype FROM dbstat WHERE name = ? LIMIT 1").bind(&name);
        let root: String = root.fetch_one(&mut *connection).await.map_err(|e| damaged(e.to_string()))?;
        if root == "corrupted" {
            return Err(damaged("its root is no page of a tree".into()));
        }
        if !tree.try_get(1).map_err(failed)? {
            continue;
        }
        for order in [2, 3] {
            let Some(order) = tree.try_get::<Option<String>, _>(order).map_err(failed)? else { continue };
            let row = made(format!("SELECT 1 FROM \"{name}\" ORDER BY {order} LIMIT 1"));
            row.fetch_optional(&mut *connection).await.map_err(|e| damaged(e.to_string()))?;
        }
    }
    Ok(())
}
