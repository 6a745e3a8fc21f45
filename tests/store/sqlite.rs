//! The SQLite engine: the contract, and what is SQLite's alone.

use std::sync::Arc;
use std::time::Duration;

use bellboard::domain::{Draft, Error};
use bellboard::store::{NewNotification, OpenError, Options, SqliteError, Store};
use sqlx::{Connection, Row, SqliteConnection};

use super::contract::{bed::*, contract};

contract!(super::Bed::sqlite());

async fn tool(bed: &Bed) -> SqliteConnection {
    SqliteConnection::connect(&bed.url).await.expect("connects")
}

#[tokio::test]
async fn a_second_process_is_refused_by_name() {
    let bed = Bed::sqlite();
    let store = bed.open().await;
    let second = Store::open(&bed.url, Options::default(), Arc::new(()), Arc::new(())).await;
    let error = second.err().expect("refused");
    assert!(matches!(error, OpenError::Sqlite(SqliteError::InUse(..))));
    assert!(error.to_string().ends_with(&format!("is held by process {}", std::process::id())), "{error}");
    assert!(error.to_string().contains("test.db.lock"), "{error}");
    store.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_its_files() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::sqlite();
    let store = bed.with_users().await;
    for ending in ["", "-wal", "-shm", ".lock"] {
        let file = format!("{}{ending}", &bed.url["sqlite://".len()..]);
        let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    store.close().await;
}

#[tokio::test]
async fn only_a_file_in_a_folder_is_opened() {
    for (url, says) in [
        ("sqlite://:memory:", "in memory"),
        ("sqlite://file?mode=memory", "in memory"),
        ("sqlite:///no/such/folder/x.db", "/no/such/folder"),
        ("mysql://x", "sqlite://PATH"),
        ("sqlite://", "sqlite://PATH"),
    ] {
        let opened = Store::open(url, Options::default(), Arc::new(()), Arc::new(())).await;
        let error = opened.err().expect("refused").to_string();
        assert!(error.contains(says), "{url}: {error}");
    }
}

#[tokio::test]
async fn the_troubleshooting_queries_run_as_written() {
    let bed = Bed::sqlite();
    let store = bed.with_users().await;
    let metadata = bellboard::domain::Metadata::parse(r#"{"a":1}"#).expect("an object");
    let full = Draft { metadata: Some(metadata), link: Some("/a".into()), ..draft(1, "first") };
    let first = send_draft(&store, full).await;
    store.mark_read(&tenant(), user_id(1), first).await.expect("marked");
    bed.clock.advance_seconds(1);
    let gone = send(&store, 1, "deleted").await;
    store.delete(&tenant(), user_id(1), gone).await.expect("deleted");
    send(&store, 1, "second").await;
    store.erase_user(&tenant(), user_id(3), None).await.expect("erased");

    let mut tool = tool(&bed).await;
    let mut users = Vec::new();
    for user in [1, 3, 9] {
        let query = sqlx::query_scalar::<_, i64>("SELECT id FROM users WHERE id = ?").bind(user);
        users.push(query.fetch_optional(&mut tool).await.expect("runs"));
    }
    assert_eq!(users, [Some(1), None, None]);
    let query = "SELECT * FROM notifications WHERE user_id = ? ORDER BY created_at DESC";
    let rows = sqlx::query(query).bind(1).fetch_all(&mut tool).await.expect("runs");
    let text = |row: usize, name: &str| rows[row].get::<Option<String>, _>(name);
    assert_eq!((rows.len(), text(0, "title").as_deref()), (2, Some("second")));
    assert_eq!(text(1, "created_at").as_deref(), Some("2026-01-11T12:00:00.000Z"));
    assert_eq!(text(1, "read_at").as_deref(), Some("2026-01-11T12:00:00.000Z"));
    assert_eq!(
        (text(1, "metadata").as_deref(), text(1, "link").as_deref()),
        (Some(r#"{"a":1}"#), Some("/a"))
    );
    assert_eq!((rows[0].get::<i64, _>("is_read"), rows[1].get::<i64, _>("is_read")), (0, 1));
    store.close().await;
}

#[tokio::test]
async fn one_bad_row_fails_alone() {
    let bed = Bed::sqlite();
    let store = bed.with_users().await;
    let poison = "CREATE TRIGGER poison BEFORE INSERT ON notification WHEN NEW.type = 'poison'
                  BEGIN SELECT RAISE(ABORT, 'poison'); END";
    sqlx::raw_sql(poison).execute(&mut tool(&bed).await).await.expect("made");
    let home = tenant();
    let sends = (0..100).map(|n| {
        let kind = if n == 37 { "poison" } else { "custom" };
        store.send(&home, new(Draft { kind: kind.into(), ..draft(1 + n % 2, "x") }))
    });
    let sent = futures_util::future::join_all(sends).await;
    for (n, sent) in sent.iter().enumerate() {
        assert_eq!(matches!(sent, Err(Error::Internal(_))), n == 37, "{sent:?}");
    }
    assert_eq!(unread(&store, 1).await + unread(&store, 2).await, 99);
    store.close().await;
}

#[tokio::test]
async fn a_held_database_is_busy_and_then_works_again() {
    let bed = Bed::sqlite();
    bed.with_users().await.close().await;
    let store = bed.open_with(Options { wait: Duration::from_millis(50), ..Options::default() }).await;
    let mut tool = tool(&bed).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut tool).await.expect("held");
    assert!(matches!(store.send(&tenant(), new(draft(1, "x"))).await, Err(Error::Busy { .. })));
    assert!(matches!(store.probe().await, Err(Error::Busy { .. })));
    sqlx::raw_sql("ROLLBACK").execute(&mut tool).await.expect("let go");
    send(&store, 1, "y").await;
    assert_eq!((titles(&store, 1, all()).await, unread(&store, 1).await), (vec!["y".to_owned()], 1));
    store.close().await;
}

#[tokio::test]
async fn erasing_and_purging_leave_no_content() {
    let bed = Bed::sqlite();
    let store = bed.with_users().await;
    let deleted = send_draft(&store, Draft { collapse_key: Some("k".into()), ..draft(1, "deleted") }).await;
    store.delete(&tenant(), user_id(1), deleted).await.expect("deleted");
    send(&store, 1, "held").await;
    let by = |sender: &str| NewNotification { sender: sender.into(), ..new(draft(2, "from a user")) };
    for sender in ["user:1", "user:11"] {
        store.send(&tenant(), by(sender)).await.expect("stored");
    }
    store.erase_user(&tenant(), user_id(1), None).await.expect("erased");
    store.maintain(&|_| Default::default()).await.expect("maintained");
    let mut tool = tool(&bed).await;
    let senders = "SELECT sender FROM notification ORDER BY id";
    let senders: Vec<String> = sqlx::query_scalar(senders).fetch_all(&mut tool).await.expect("runs");
    assert_eq!(senders, ["user:erased", "user:11"], "of another's inbox, which stays");
    // Two rows, and the heads of the two users who stay.
    for (table, left) in
        [("notification", 2), ("inbox", 4), ("collapse", 0), ("erasure", 0), ("idempotency", 0)]
    {
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut tool).await.expect("runs");
        assert_eq!(count, left, "{table}");
    }
    store.close().await;
}
