//! A disk that is full, nearly full, or can only be read for a while: refusals are told, reads go on, nothing
//! acknowledged is lost, and it goes on with no restart.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::{
    KEY, SECRET, SETTINGS,
    disk::Disk,
    load::{Load, inbox},
    outside, report, rounds,
};
use crate::{
    cli::gateway::{Gateway, Site, until},
    support::Token,
};

/// No floor, so that the disk itself refuses.
fn without_floor() -> Site {
    Site::new(&format!("store: {{min_free_space: 0}}\n{SETTINGS}"))
}

/// Runs the load over times in which the disk takes nothing, and gives what was acknowledged and refused.
async fn outlived(fault: &str, times: usize) -> (usize, usize) {
    let site = without_floor();
    let disk = Disk::below(&site);
    let gateway = block_in_place(|| disk.serve());
    let running = Load::new().start(&gateway.public);
    for _ in 0..times {
        running.acknowledges(100).await;
        let refusing = disk.fault(fault);
        running.refuses(50).await;
        // Whom no worker changes is read meanwhile, and the count is that of the list.
        let shown = inbox(&gateway.public, 100).get("/?limit=200").await.expect(200).json();
        assert!(shown["notifications"].as_array().is_some_and(|list| !list.is_empty()), "{shown}");
        inbox(&gateway.public, 1).get("/unread-count").await.expect(200);
        drop(refusing);
    }
    running.acknowledges(100).await;
    block_in_place(|| disk.lose_power(gateway));
    let mut load = running.ended().await;
    let gateway = block_in_place(|| disk.serve());
    load.check(&gateway.public, 0).await;
    (load.acknowledged(), load.refused())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_outlived_without_a_restart() {
    let times = rounds(2, 20);
    let (acknowledged, refused) = outlived("full", times).await;
    report(
        40,
        &format!("a disk that was full {times} times under load, then a power cut"),
        &format!(
            "{refused} requests refused with 503, {acknowledged} changes acknowledged; 0 lost, no restart"
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_can_only_be_read_for_a_while_is_outlived_without_a_restart() {
    let times = rounds(2, 20);
    let (acknowledged, refused) = outlived("read-only", times).await;
    report(
        42,
        &format!("a disk that could only be read {times} times under load, then a power cut"),
        &format!(
            "{refused} requests refused with 503, {acknowledged} changes acknowledged; 0 lost, no restart"
        ),
    );
}

#[tokio::test]
async fn what_cannot_be_expired_fails_no_read() {
    let site = Site::new(&format!("plugins: ./plugins\nstore: {{min_free_space: 0}}\n{SETTINGS}"));
    let brief = "description: Brief.\nicon: bell\nseverity: info\npipeline: [{expiry: {ttl: 1}}]\n";
    site.write("config/plugins/brief/type.yaml", brief);
    let disk = Disk::below(&site);
    let gateway = disk.serve();
    let sent = gateway.send(KEY, &json!({"user_id": 1, "type": "brief", "title": "Soon over"}));
    assert_eq!(sent.status, 201, "{}", sent.body);
    let full = disk.fault("read-only");
    let stored = std::time::Instant::now();
    until("it has expired", || (stored.elapsed().as_millis() > 1_100).then_some(()));
    let token = Token::of(SECRET, 1).sign();
    assert_eq!(gateway.inbox(&token).len(), 1, "the state before");
    let bearer = format!("Bearer {token}");
    assert_eq!(gateway.ask("GET", "/unread-count", &[("Authorization", &bearer)], "").status, 200);
    drop(full);
    until("it is taken out", || gateway.inbox(&token).is_empty().then_some(()));
}

#[tokio::test]
async fn below_the_floor_only_sends_are_refused() {
    let site = Site::new(SETTINGS);
    let disk = Disk::below(&site);
    let gateway = disk.serve();
    let ids: Vec<i64> = (0..2)
        .map(|_| gateway.hello(KEY).json()["notification"]["notification_id"].as_i64().unwrap())
        .collect();
    assert!(!metric(&gateway).starts_with("0\n"));

    let fault = disk.fault("nearly-full");
    let refused = until("a send is refused", || Some(gateway.hello(KEY)).filter(|reply| reply.status == 503));
    assert!(refused.head.to_ascii_lowercase().contains("retry-after: 5"), "{}", refused.head);
    assert!(metric(&gateway).starts_with("0\n"), "{}", metric(&gateway));
    gateway.logs("is nearly full");
    let bearer = format!("Bearer {}", Token::of(SECRET, 1).sign());
    let headers = [("Authorization", bearer.as_str())];
    for (method, path) in [
        (Method::POST, format!("/{}/mark-read", ids[0])),
        (Method::DELETE, format!("/{}", ids[1])),
        (Method::GET, "/".into()),
        (Method::GET, "/unread-count".into()),
    ] {
        let reply = gateway.ask(method.as_str(), &path, &headers, "");
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.body);
    }
    drop(fault);
    until("sends are taken again", || (gateway.hello(KEY).status == 201).then_some(()));
    gateway.logs("has room again");
    report(
        41,
        "a disk with less free space than the floor",
        "sends refused with 503; reads, marks and deletes go on",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_a_reader_let_grow_is_truncated_without_a_restart() {
    let site = Site::new(&format!("store: {{min_free_space: 4194304}}\n{SETTINGS}"));
    let disk = Disk::below(&site);
    let _small = disk.fault("small");
    let gateway = block_in_place(|| disk.serve());
    let size = || fs::metadata(site.path("bellboard.db-wal")).map_or(0, |found| found.len());
    // A tool that reads for long, such as one that makes a backup.
    let mut reader = outside(&site).await;
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM notification").execute(&mut reader).await.expect("read");
    let users = [1, 2, 3, 4, 5, 6, 7, 8, 9, 100];
    let batch = json!({"user_ids": users, "type": "custom", "title": "t", "message": "🔔".repeat(9_900)});
    let headers = [("X-API-KEY", KEY), ("Content-Type", "application/json")];
    block_in_place(|| {
        let refused = (0..1_000).any(|_| {
            let sent = gateway.ask("POST", "/send-batch", &headers, &batch.to_string());
            assert!([200, 503].contains(&sent.status), "{}", sent.body);
            sent.status == 503
        });
        assert!(refused, "the log grows as long as it is read");
        assert!(size() > 8 << 20, "{}", size());
        let reader = format!("{} (", std::process::id());
        let ready = until("the reader is named", || {
            let ready: Value = serde_json::from_str(&gateway.admin("/readyz").body).expect("JSON");
            let held = ready["disk"]["wal_held_by"][0].as_str().is_some_and(|by| by.starts_with(&reader));
            held.then_some(ready)
        });
        assert!(ready["store"].as_str().is_some_and(|store| store.contains("sends are refused")), "{ready}");
        assert!(ready["disk"]["wal_bytes"].as_u64().is_some_and(|bytes| bytes > 8 << 20), "{ready}");
        assert!(number(&gateway, "bellboard_store_wal_bytes") > 8 << 20);
        gateway.logs("the WAL cannot be reset: another process reads the database");
        assert_eq!(gateway.hello(KEY).status, 503);
    });
    drop(reader);
    block_in_place(|| {
        until("sends are taken again", || (gateway.hello(KEY).status == 201).then_some(()));
        gateway.logs("has room again");
    });
    assert!(size() < 5 << 20, "{}", size());
    report(
        43,
        "a disk filled by the log that a reader outside held for long",
        "sends refused with 503, `/readyz` names the reader; taken again once it is gone, no restart",
    );
}

fn metric(gateway: &Gateway) -> String {
    let metrics = gateway.admin("/metrics").body;
    let (_, rest) = metrics.split_once("\nbellboard_store_free_bytes ").expect("the metric is there");
    rest.to_owned()
}

fn number(gateway: &Gateway, name: &str) -> u64 {
    let metrics = gateway.admin("/metrics").body;
    let line = metrics.lines().find(|line| line.starts_with(name)).expect("the metric is there");
    line.rsplit(' ').next().expect("a value").parse().expect("a number")
}
