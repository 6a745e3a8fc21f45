//! What one gateway sees of its database: rows that fail, values that come back, hands from outside.

use std::time::Duration;

use bellboard::domain::{Draft, Error, Metadata};
use bellboard::store::{NewNotification, Options};

use super::super::contract::bed::*;

#[tokio::test]
async fn the_troubleshooting_queries_run_as_written() {
    let bed = Bed::postgres();
    let store = bed.with_users().await;
    let full = Draft {
        metadata: Some(Metadata::parse(r#"{"a":1}"#).expect("an object")),
        link: Some("/a".into()),
        ..draft(1, "first")
    };
    let first = send_draft(&store, full).await;
    store.mark_read(&tenant(), user_id(1), first).await.expect("marked");
    bed.clock.advance_seconds(1);
    let gone = send(&store, 1, "deleted").await;
    store.delete(&tenant(), user_id(1), gone).await.expect("deleted");
    send(&store, 1, "second").await;
    store.erase_user(&tenant(), user_id(3), None).await.expect("erased");

    let mut tool = bed.tool().await;
    let mut users = Vec::new();
    for query in ["SELECT id FROM users WHERE id = 1", "SELECT id FROM users WHERE id = 3"] {
        users.push(tool.rows(query).await.len());
    }
    assert_eq!(users, [1, 0]);
    let query = "SELECT row_to_json(n)::text
                   FROM (SELECT * FROM notifications WHERE user_id = 1 ORDER BY created_at DESC) AS n";
    let rows = tool.rows(query).await;
    let row = |at: usize| serde_json::from_str::<serde_json::Value>(rows[at][0].text()).expect("JSON");
    assert_eq!((rows.len(), row(0)["title"].as_str()), (2, Some("second")));
    assert_eq!((&row(0)["is_read"], &row(1)["is_read"]), (&false.into(), &true.into()));
    assert_eq!(row(1)["created_at"], "2026-01-11T12:00:00+00:00");
    assert_eq!(row(1)["read_at"], "2026-01-11T12:00:00+00:00");
    assert_eq!((&row(1)["metadata"]["a"], &row(1)["link"]), (&1.into(), &"/a".into()));
    store.close().await;
}

/// Whole tables that were read, once every connection has told.
async fn scans(bed: &Bed) -> i64 {
    let mut tool = bed.tool().await;
    let there = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND application_name = 'bellboard'";
    while tool.number(there).await > 0 {
        tokio::task::yield_now().await;
    }
    tool.number(
        "SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables
          WHERE relname IN ('directory', 'inbox', 'notification', 'change', 'collapse')",
    )
    .await
}

#[tokio::test]
async fn what_is_planned_beside_empty_tables_does_not_go_on_reading_all_of_them() {
    let bed = Bed::postgres();
    bed.with_users().await.close().await;
    let before = scans(&bed).await;
    let store = bed.open().await;
    for _ in 0..20 {
        titles(&store, 1, all()).await;
        unread(&store, 1).await;
        let id = send(&store, 1, "x").await;
        send_draft(&store, Draft { collapse_key: Some("k".into()), ..draft(2, "y") }).await;
        store.mark_read(&tenant(), user_id(1), id).await.expect("marked");
        store.delete(&tenant(), user_id(1), id).await.expect("deleted");
        store.mark_all_read(&tenant(), user_id(2), None).await.expect("marked");
    }
    store.close().await;
    assert_eq!(scans(&bed).await, before);
}

#[tokio::test]
async fn one_bad_row_fails_alone() {
    let bed = Bed::postgres();
    let store = bed.with_users().await;
    bed.sql(
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.type = 'poison' THEN RAISE 'poison'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER poison BEFORE INSERT ON notification FOR EACH ROW EXECUTE FUNCTION poison()",
    )
    .await;
    let home = tenant();
    let kind = |n: i64| if n == 37 { "poison" } else { "custom" };
    let sends =
        (0..100).map(|n| store.send(&home, new(Draft { kind: kind(n).into(), ..draft(1 + n % 2, "x") })));
    let sent = futures_util::future::join_all(sends).await;
    for (n, sent) in sent.iter().enumerate() {
        assert_eq!(matches!(sent, Err(Error::Internal(_))), n == 37, "{sent:?}");
    }
    assert_eq!(unread(&store, 1).await + unread(&store, 2).await, 99);

    let batch = || (0..100_i64).map(|n| new(Draft { kind: kind(n).into(), ..draft(3, "x") })).collect();
    let (sent, plain, kept) = tokio::join!(
        store.send_batch(&home, batch(), false),
        store.send(&home, new(draft(1, "beside it"))),
        store.send_batch(&home, batch(), true),
    );
    plain.expect("stored");
    for (n, sent) in (0..).zip(sent.expect("taken")) {
        assert_eq!(matches!(sent, Err(Error::Internal(_))), n == 37, "{sent:?}");
    }
    assert!(kept.expect("taken").iter().all(|kept| matches!(kept, Err(Error::Internal(_)))), "whole or not");
    assert_eq!(unread(&store, 3).await, 99);
    store.close().await;
}

#[tokio::test]
async fn what_json_allows_comes_back_as_it_was_sent() {
    let bed = Bed::postgres();
    let store = bed.with_users().await;
    // What `jsonb` would rewrite or refuse.
    let sent = r#"{"z":1.0,"big":123456789012345678901234567890.10,"e":1.50E+300,"a":-0,"text":"\u00e9\/\ud83d\ude00"}"#;
    let metadata = Metadata::parse(sent).expect("an object");
    send_draft(&store, Draft { metadata: Some(metadata), ..draft(1, "n") }).await;
    let page = store.page(&tenant(), user_id(1), &all()).await.expect("a page");
    assert!(page.notifications[0].content.as_json().contains(sent), "{:?}", page.notifications[0].content);
    let shown = "SELECT metadata::text FROM notifications WHERE user_id = 1";
    assert_eq!(bed.tool().await.rows(shown).await[0][0].text(), sent);
    // A NUL can stand in no text of PostgreSQL. Where it got past the checks, it fails alone.
    let with_nul = NewNotification { request_id: "a\0b".into(), ..new(draft(1, "nul")) };
    let home = tenant();
    let both =
        futures_util::future::join(store.send(&home, with_nul), store.send(&home, new(draft(1, "good"))))
            .await;
    assert!(matches!(both, (Err(Error::Internal(_)), Ok(_))), "{both:?}");
    store.close().await;
}

#[tokio::test]
async fn long_keys_collapse() {
    let bed = Bed::postgres();
    let store = bed.with_users().await;
    // Longer than what an index takes, and of a kind that does not compress.
    let key: String =
        (0..9_000_u32).map(|n| char::from(b'!' + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 90)).collect();
    let limits = bellboard::domain::Limits::default();
    for title in ["one", "two"] {
        let mut new = new(draft(1, title));
        let draft = Draft { collapse_key: Some("k".into()), ..draft(1, title) };
        let mut sealed = bellboard::domain::Sealed::from_draft(draft, &limits).expect("good");
        sealed.collapse_key = Some(key.clone());
        new.sealed = sealed.into();
        store.send(&tenant(), new).await.expect("stored");
    }
    assert_eq!(titles(&store, 1, all()).await, ["two"]);
    store.close().await;
}

#[tokio::test]
async fn a_held_database_is_busy_and_then_works_again() {
    let bed = Bed::postgres();
    bed.with_users().await.close().await;
    let brief = Options { lock_timeout: Duration::from_millis(100), ..Options::default() };
    let store = bed.open_with(brief).await;
    let mut tool = bed.tool().await;
    tool.hold().await;
    assert!(matches!(store.send(&tenant(), new(draft(1, "x"))).await, Err(Error::Busy { .. })));
    assert!(matches!(store.probe().await, Err(Error::Busy { .. })));
    assert_eq!(unread(&store, 1).await, 0, "reading goes on");
    tool.let_go().await;
    send(&store, 1, "y").await;
    assert_eq!((titles(&store, 1, all()).await, unread(&store, 1).await), (vec!["y".to_owned()], 1));
    store.close().await;
}

#[tokio::test]
async fn erasing_and_purging_leave_no_content() {
    let bed = Bed::postgres();
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
    let mut tool = bed.tool().await;
    let senders = tool.rows("SELECT sender FROM notification ORDER BY id").await;
    let senders: Vec<_> = senders.iter().map(|row| row[0].text()).collect();
    assert_eq!(senders, ["user:erased", "user:11"], "of another's inbox, which stays");
    let left = "SELECT (SELECT count(*) FROM notification), (SELECT count(*) FROM inbox),
                       (SELECT count(*) FROM collapse), (SELECT count(*) FROM erasure)";
    let left: Vec<_> = tool.rows(left).await[0].iter().map(|cell| cell.number()).collect();
    assert_eq!(left, [2, 2, 0, 0]);
    store.close().await;
}

#[tokio::test]
async fn a_column_that_a_later_version_adds_disturbs_nobody() {
    let bed = Bed::postgres();
    let store = bed.with_users().await;
    let all_of_it = async |n: i64| {
        let id = send(&store, 1, &n.to_string()).await;
        store.mark_read(&tenant(), user_id(1), id).await.expect("marked");
        assert_eq!(titles(&store, 1, all()).await.len() as i64, n);
        store
            .sent(&tenant(), &bellboard::store::SentQuery { limit: 9, ..Default::default() })
            .await
            .expect("sent");
        store.users(&tenant(), None, 9).await.expect("users");
        store.maintain(&|_| Default::default()).await.expect("maintained");
    };
    all_of_it(1).await;
    for table in [
        "directory",
        "notification",
        "inbox",
        "change",
        "collapse",
        "erasure",
        "audit",
        "lane",
        "idempotency",
    ] {
        let statement = format!("ALTER TABLE {table} ADD COLUMN later text NOT NULL DEFAULT 'x'");
        bed.database().sql(&statement).await;
    }
    all_of_it(2).await;
    store.close().await;
}

#[tokio::test]
async fn connections_that_end_are_replaced() {
    let bed = Bed::postgres();
    let store = bed.with_users().await;
    send(&store, 1, "before").await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(bed.tool().await.number(end).await > 1);
    assert_eq!(unread(&store, 1).await, 1, "a read is asked again");
    send(&store, 1, "after").await;
    assert_eq!(titles(&store, 1, all()).await, ["after", "before"]);
    store.close().await;
}

#[tokio::test]
async fn who_reads_heads_for_others_may_hang_up() {
    let bed = Bed::postgres();
    let store = bed.with_users().await;
    for user in [1, 2, 2] {
        send(&store, user, "t").await;
    }
    let mut tool = bed.tool().await;
    tool.run("BEGIN; LOCK TABLE directory IN ACCESS EXCLUSIVE MODE").await;
    let ask = |user| {
        let store = store.clone();
        tokio::spawn(async move { store.head(&tenant(), user_id(user)).await })
    };
    let locked = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut other = bed.tool().await;
    // As many statements as there may be at once, each for one caller: what comes then waits for a turn.
    let first = [ask(1), ask(2)];
    while other.number(locked).await < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut waiting: Vec<_> = [1, 1, 2, 9, 2].map(ask).into();
    tokio::task::yield_now().await;
    first.iter().for_each(tokio::task::JoinHandle::abort);
    // Two of those have the turns then; the one reads for all, and hangs up too.
    while other.number(locked).await < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    waiting.remove(0).abort();
    tool.let_go().await;
    let mut counts = Vec::new();
    for head in waiting {
        counts.push(head.await.expect("no panic").map(|head| head.unread).ok());
    }
    assert_eq!(counts, [Some(1), Some(2), None, Some(2)]);
    store.close().await;
}
