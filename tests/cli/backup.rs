//! `bellboard backup` and `bellboard restore`: a copy of the live store, verified, and the way back.

use std::{
    fs,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use super::{
    KEY, SETTINGS,
    gateway::{Gateway, Site, until},
};

/// With no limit that a test would meet.
fn site() -> Site {
    Site::new(&format!("rate_limits: {{per_key: {{per_second: 100000}}}}\n{SETTINGS}"))
}

/// The titles of user 1, newest first.
fn titles(site: &Site, gateway: &Gateway) -> Vec<String> {
    let token = site.good(&["token", "--user", "1"]);
    let inbox = gateway.inbox(token.trim());
    inbox.iter().map(|n| n["title"].as_str().expect("a title").to_owned()).collect()
}

fn send(gateway: &Gateway, title: &str) {
    let reply = gateway.send(KEY, &serde_json::json!({"user_id": 1, "type": "custom", "title": title}));
    assert_eq!(reply.status, 201, "{}", reply.body);
}

fn sqlite3(site: &Site, file: &str, query: &str) -> String {
    let read = Command::new("sqlite3").arg(site.path(file)).arg(query).output().expect("sqlite3 runs");
    String::from_utf8(read.stdout).expect("text").trim().to_owned()
}

/// The names in the site's folder.
fn names(site: &Site) -> Vec<String> {
    let entries = fs::read_dir(site.path("")).expect("a folder").flatten();
    entries.map(|entry| entry.file_name().into_string().expect("text")).collect()
}

#[test]
fn a_backup_among_sends_holds_what_was_acknowledged_before_it() {
    let site = site();
    let gateway = site.serve();
    let (acknowledged, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (before, out) = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !enough.load(Relaxed) {
                    assert_eq!(gateway.hello(KEY).status, 201);
                    acknowledged.fetch_add(1, Relaxed);
                }
            });
        }
        until("some are sent", || (acknowledged.load(Relaxed) > 100).then_some(()));
        let before = acknowledged.load(Relaxed);
        let out = site.good(&["backup", "copy.db"]);
        enough.store(true, Relaxed);
        (before, out)
    });
    let after = acknowledged.load(Relaxed);
    assert!(out.contains("copy.db holds") && out.contains("of 2 users, verified"), "{out}");
    let held: usize = out.split_whitespace().nth(2).and_then(|n| n.parse().ok()).expect("a count");
    assert!((before..=after).contains(&held), "{before} {held} {after}");
    assert_eq!(sqlite3(&site, "copy.db", "PRAGMA integrity_check"), "ok");
    assert_eq!(sqlite3(&site, "copy.db", "SELECT count(*) FROM notifications"), held.to_string());
    assert!(names(&site).iter().all(|name| !name.contains("partial")), "{:?}", names(&site));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(site.path("copy.db")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else may read it");
    }

    crate::durability::report(
        60,
        "a backup among sends",
        &format!("{before} acknowledged before it, {after} after it, {held} in it; counts equal their rows"),
    );

    let err = site.bad(&["backup", "copy.db"]);
    assert!(err.contains("copy.db exists already"), "{err}");
    assert_eq!(sqlite3(&site, "copy.db", "SELECT count(*) FROM notifications"), held.to_string());
    assert_eq!(gateway.hello(KEY).status, 201, "the gateway goes on");
}

#[test]
fn a_backup_needs_no_gateway_but_a_sound_database() {
    let site = site();
    let err = site.bad(&["backup", "copy.db"]);
    assert!(err.contains("bellboard.db cannot be copied"), "{err}");
    let gateway = site.serve();
    send(&gateway, "kept");
    gateway.stop();
    assert!(site.good(&["backup", "copy.db"]).contains("1 notifications of 2 users"));
    let err = site.bad(&["backup", "nowhere/copy.db"]);
    assert!(err.contains("nowhere/copy.db") && err.contains("cannot be written"), "{err}");

    // A count that differs from its rows is no backup.
    sqlite3(
        &site,
        "bellboard.db",
        "UPDATE inbox SET unread = 7 WHERE user_id = 1 AND id = 9223372036854775807",
    );
    let err = site.bad(&["backup", "second.db"]);
    assert!(err.contains("1 counts differ from their rows"), "{err}");
    assert!(!names(&site).iter().any(|name| name.starts_with("second.db")), "{:?}", names(&site));
}

#[test]
fn a_restore_brings_back_the_backup_and_keeps_what_was_there() {
    let site = site();
    let gateway = site.serve();
    send(&gateway, "before");
    site.good(&["backup", "copy.db"]);
    send(&gateway, "after");
    let err = site.bad(&["restore", "copy.db"]);
    assert!(err.contains("bellboard.db.lock") && err.contains("another process"), "{err}");
    assert_eq!(titles(&site, &gateway), ["after", "before"], "nothing was touched");
    // Its log is not folded in, and must not be taken for the restored one's.
    gateway.signal("KILL");
    drop(gateway);

    let out = site.good(&["restore", "copy.db"]);
    assert!(
        out.contains("1 notifications of 2 users") && out.contains("bellboard.db.before-restore-1"),
        "{out}"
    );
    let gateway = site.serve();
    assert_eq!(titles(&site, &gateway), ["before"]);
    send(&gateway, "again");
    gateway.stop();

    let out = site.good(&["restore", "bellboard.db.before-restore-1"]);
    assert!(
        out.contains("2 notifications of 2 users") && out.contains("bellboard.db.before-restore-2"),
        "{out}"
    );
    assert_eq!(titles(&site, &site.serve()), ["after", "before"], "what was there was whole");
}

#[test]
fn a_restore_that_was_cut_off_is_finished_by_the_next_start() {
    let site = site();
    let gateway = site.serve();
    send(&gateway, "before");
    site.good(&["backup", "copy.db"]);
    send(&gateway, "after");
    gateway.signal("KILL");
    drop(gateway);
    assert!(site.path("bellboard.db-wal").metadata().expect("a log").len() > 0);
    // Cut off once the copy was whole and named, before it took its place.
    fs::rename(site.path("copy.db"), site.path("bellboard.db.restored")).expect("renamed");
    assert_eq!(titles(&site, &site.serve()), ["before"]);
    assert!(!names(&site).contains(&"bellboard.db.restored".to_owned()));
}

#[test]
fn what_is_no_sound_backup_is_not_restored() {
    let site = site();
    let gateway = site.serve();
    send(&gateway, "kept");
    site.good(&["backup", "copy.db"]);
    gateway.stop();
    sqlite3(&site, "other.db", "CREATE TABLE t (x)");
    fs::write(site.path("text.db"), "no database at all, but some text").expect("written");
    let copy = fs::read(site.path("copy.db")).expect("reads");
    fs::write(site.path("half.db"), &copy[..copy.len() / 2]).expect("written");
    sqlite3(
        &site,
        "copy.db",
        "INSERT INTO _sqlx_migrations SELECT 999, description, installed_on, success,
            checksum, execution_time FROM _sqlx_migrations LIMIT 1",
    );
    for (file, told) in [
        ("other.db", "no store of the gateway"),
        ("text.db", "not a database"),
        ("half.db", "malformed"),
        ("missing.db", "missing.db"),
        ("copy.db", "a newer version"),
    ] {
        let err = site.bad(&["restore", file]);
        assert!(err.contains(told), "{file}: {err}");
    }
    assert!(!names(&site).iter().any(|name| name.contains("restor")), "{:?}", names(&site));
    assert_eq!(titles(&site, &site.serve()), ["kept"]);
}

#[test]
fn a_database_on_a_server_is_not_for_it() {
    let site = Site::new(SETTINGS);
    let url = "postgres://bell:se-cret-of-the-database@127.0.0.1:1/bell";
    for words in [["backup", "copy.db", "--store", url], ["restore", "copy.db", "--store", url]] {
        let err = site.bad(&words);
        assert!(err.contains("pg_dump") && !err.contains("se-cret"), "{err}");
    }
    let err = site.bad(&["migrate", "--store", url]);
    assert!(err.contains("bell@127.0.0.1:1/bell") && !err.contains("se-cret"), "{err}");
    let mut help = site.command(&["serve", "--help"]);
    help.env("BELLBOARD_STORE", url);
    let help = help.output().expect("runs");
    assert!(help.status.success() && !String::from_utf8_lossy(&help.stdout).contains("se-cret"));
}

#[test]
fn every_copy_begins_a_history_of_its_own() {
    let site = site();
    let gateway = site.serve();
    send(&gateway, "kept");
    site.good(&["backup", "one.db"]);
    site.good(&["backup", "two.db"]);
    gateway.stop();
    let epoch = |file: &str| sqlite3(&site, file, "SELECT epoch FROM history");
    let first = epoch("bellboard.db");
    site.good(&["restore", "one.db"]);
    let restored = epoch("bellboard.db");
    site.good(&["restore", "one.db"]);
    let epochs = [first, restored, epoch("bellboard.db"), epoch("one.db"), epoch("two.db")];
    let distinct: std::collections::BTreeSet<_> = epochs.iter().collect();
    assert_eq!(distinct.len(), epochs.len(), "{epochs:?}");
    let again = site.serve();
    assert_eq!(titles(&site, &again), ["kept"]);
    again.stop();
    assert_eq!(epoch("bellboard.db"), epochs[2], "it stays as long as the database goes on");
}
