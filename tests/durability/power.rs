//! Power cuts, where only what was synced is left, and syncs that fail.

use std::process::Command;

use tokio::task::block_in_place;

use super::{
    KEY, SECRET, SETTINGS,
    disk::{Disk, chance},
    load::Load,
    report, rounds,
};
use crate::{
    cli::gateway::{Ended, Gateway, Site},
    support::Token,
};

/// Runs the load on a gateway until it has acknowledged so much, then ends it so.
async fn end_among(gateway: Gateway, load: Load, acknowledged: usize, end: impl FnOnce(Gateway)) -> Load {
    let running = load.start(&gateway.public);
    running.acknowledges(acknowledged).await;
    block_in_place(|| end(gateway));
    running.ended().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_every_power_cut() {
    let cuts = rounds(5, 100);
    let site = Site::new(SETTINGS);
    let disk = Disk::below(&site);
    let mut load = Load::new();
    let mut gateway = block_in_place(|| disk.serve());
    for cut in 0..cuts {
        let checked = load.newest();
        let cut_power = |gateway| match cut % 2 {
            0 => disk.lose_power(gateway),
            _ => disk.tear(gateway, cut as u64),
        };
        load = end_among(gateway, load, 20 + cut * 37 % 90, cut_power).await;
        gateway = block_in_place(|| disk.serve());
        load.check(&gateway.public, checked).await;
    }
    load.check(&gateway.public, 0).await;
    let acknowledged = load.acknowledged();
    report(
        20,
        &format!(
            "{cuts} power cuts among sends, marks and deletes: synced bytes are left, after every other one \
                  half of the rest as well"
        ),
        &format!("{acknowledged} changes acknowledged; 0 lost"),
    );
}

/// The power goes while the log is folded into the database, which a start after a crash does first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_a_power_cut_while_the_log_is_folded_in() {
    let cuts = rounds(3, 50);
    let site = Site::new(SETTINGS);
    let disk = Disk::below(&site);
    let mut load = Load::new();
    let mut gateway = block_in_place(|| disk.serve());
    for cut in 0..cuts {
        load = end_among(gateway, load, 30, |gateway| disk.lose_power(gateway)).await;
        let fault = disk.fault("cut-in-fold");
        let ended = block_in_place(|| Ended::of(disk.command(&FREE)));
        drop(fault);
        assert_eq!(ended.code, None, "it was cut off: {}", ended.err);
        disk.forget_but(chance(cut as u64));
        gateway = block_in_place(|| disk.serve());
        load.check(&gateway.public, 0).await;
    }
    let acknowledged = load.acknowledged();
    report(
        22,
        &format!("{cuts} power cuts while a start folded the log in, half of what was not synced left"),
        &format!("{acknowledged} changes acknowledged; 0 lost"),
    );
}

const FREE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];

/// The proof that the test above could fail: where nothing is synced, as with `synchronous=OFF`, it loses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_syncs_a_power_cut_loses_what_was_acknowledged() {
    let site = Site::new(SETTINGS);
    let disk = Disk::below(&site);
    // The schema and the users are on the disk before it begins to lie.
    let gateway = block_in_place(|| disk.serve());
    block_in_place(|| disk.lose_power(gateway));

    let gateway = block_in_place(|| disk.serve());
    let lies = disk.fault("no-sync");
    let mut load = end_among(gateway, Load::new(), 200, |gateway| disk.lose_power(gateway)).await;
    drop(lies);
    let gateway = block_in_place(|| disk.serve());
    let lost = load.lost(&gateway.public).await;
    let (kept, sent) = load.kept_and_sent();
    assert_eq!(lost, kept, "nothing was synced, so all of it is lost");
    report(
        21,
        "For comparison: one power cut on a disk that ignores every sync",
        &format!("{sent} notifications acknowledged; all lost, which the test must see"),
    );
}

/// The disk under SQLite itself: a commit that was not synced is lost, one that was is kept.
#[test]
fn the_disk_tells_synchronous_off_from_full() {
    for (synchronous, kept) in [("OFF", "0\n"), ("NORMAL", "0\n"), ("FULL", "1\n")] {
        let site = Site::empty();
        let disk = Disk::below(&site);
        let mut sqlite = Command::new("sqlite3");
        sqlite.arg(disk.database()).args([
            "PRAGMA journal_mode = WAL; CREATE TABLE t (x);",
            &format!("PRAGMA synchronous = {synchronous}; INSERT INTO t VALUES (1);"),
            // It dies with the database open.
            ".shell kill -9 $PPID",
        ]);
        disk.put_below(&mut sqlite);
        let ended = sqlite.output().expect("sqlite3 runs");
        assert_eq!(ended.status.code(), None, "killed: {}", String::from_utf8_lossy(&ended.stderr));
        disk.forget();
        let read = Command::new("sqlite3").arg(disk.database()).arg("SELECT count(*) FROM t").output();
        let read = read.expect("sqlite3 runs");
        assert_eq!(String::from_utf8_lossy(&read.stdout), kept, "synchronous = {synchronous}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_sync_ends_the_process() {
    let fails = rounds(3, 30);
    let site = Site::new(SETTINGS);
    let disk = Disk::below(&site);
    let mut load = Load::new();
    for fail in 0..fails {
        let gateway = block_in_place(|| disk.serve());
        let running = load.start(&gateway.public);
        running.acknowledges(20 + fail * 37 % 90).await;
        let fault = disk.fault("log-sync");
        let ended = block_in_place(|| gateway.ended());
        drop(fault);
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(ended.err.contains("a sync failed"), "{}", ended.err);
        assert!(ended.err.ends_with(ENDED), "{}", ended.err);
        load = running.ended().await;

        // What the system still shows of the log may not be on the disk: nothing may be built on it.
        let gateway = block_in_place(|| disk.serve());
        load.check(&gateway.public, 0).await;
        load = end_among(gateway, load, 20, |gateway| disk.lose_power(gateway)).await;
        let gateway = block_in_place(|| disk.serve());
        load.check(&gateway.public, 0).await;
        block_in_place(|| disk.lose_power(gateway));
    }
    let acknowledged = load.acknowledged();
    report(
        30,
        &format!("{fails} syncs that failed once, each followed by a restart, more load and a power cut"),
        &format!("the process ended each time; {acknowledged} changes acknowledged, 0 lost"),
    );
}

const ENDED: &str = "the store has failed, as the log says; what was answered is stored, start again\n";

#[test]
fn what_waits_for_a_failing_sync_is_not_acknowledged() {
    let site = Site::new(SETTINGS);
    let disk = Disk::below(&site);
    let gateway = disk.serve();
    assert_eq!(gateway.hello(KEY).status, 201);
    let _fault = disk.fault("log-sync");
    let reply = gateway.hello(KEY);
    // 503 where the gateway's own upkeep met the failure first.
    assert!([500, 503].contains(&reply.status), "{}", reply.body);
    assert_eq!(gateway.ended().code, Some(1));
}

/// A start folds the log of the last process in. Where that fails it says so, and the log stays.
#[test]
fn a_sync_that_fails_at_the_start_is_told_and_loses_nothing() {
    let site = Site::new(SETTINGS);
    let disk = Disk::below(&site);
    let gateway = disk.serve();
    for _ in 0..3 {
        assert_eq!(gateway.hello(KEY).status, 201);
    }
    gateway.signal("KILL");
    drop(gateway);
    let fault = disk.fault("database-sync");
    let ended = Ended::of(disk.command(&FREE));
    drop(fault);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(
        ended.err.contains("/bellboard.db cannot be opened") && ended.err.contains("I/O"),
        "{}",
        ended.err
    );
    disk.lose_power(disk.serve());
    let gateway = disk.serve();
    assert_eq!(gateway.inbox(&Token::of(SECRET, 1).sign()).len(), 3);
}
