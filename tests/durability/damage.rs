//! A database that is damaged, or cannot be written: named at the start, and while running only what meets the
//! damage fails.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

use serde_json::json;
use sqlx::Row;
use tokio::task::block_in_place;

use super::{KEY, SECRET, SETTINGS, disk::Disk, outside, report};
use crate::{
    cli::gateway::{Ended, Gateway, Site},
    support::{Api, Token},
};

const FREE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
const PAGE: u64 = 4096;

/// A site whose database has so many notifications of each of the users 1, 2 and 3, and nobody has it open.
async fn filled(each: usize) -> Site {
    let site = Site::new(SETTINGS);
    let gateway = block_in_place(|| site.serve());
    let api = Api::new(format!("http://{}", gateway.public)).key(KEY);
    for _ in 0..each {
        let sends = [1, 2, 3].map(|user| api.notify(user, "whole"));
        futures_util::future::join_all(sends).await;
    }
    block_in_place(|| gateway.stop());
    site
}

/// Overwrites a page.
fn damage(site: &Site, page: i64) {
    let file = File::options().write(true).open(site.path("bellboard.db")).expect("opens");
    let at = (u64::try_from(page).expect("a number") - 1) * PAGE;
    file.write_all_at(&[0xA5; PAGE as usize], at).expect("written");
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let site = Site::new(SETTINGS);
    fs::write(site.path("bellboard.db"), [0xA5; 3 * PAGE as usize]).expect("written");
    let err = site.bad(&FREE);
    assert!(err.contains("/bellboard.db cannot be opened") && err.contains("not a database"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_cut_short_is_named() {
    let site = filled(30).await;
    let file = File::options().write(true).open(site.path("bellboard.db")).expect("opens");
    file.set_len(5 * PAGE).expect("cut");
    let err = block_in_place(|| site.bad(&FREE));
    assert!(err.contains("/bellboard.db cannot be opened") && err.contains("malformed"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_root_of_any_table_or_index_is_named() {
    let site = filled(5).await;
    let roots = "SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0";
    let roots = sqlx::query(roots).fetch_all(&mut outside(&site).await).await.expect("reads");
    let whole = fs::read(site.path("bellboard.db")).expect("reads");
    assert!(roots.len() > 12);
    for root in roots {
        let name: &str = root.get(0);
        damage(&site, root.get(1));
        let err = block_in_place(|| site.bad(&FREE));
        assert!(err.contains("/bellboard.db ") && !err.contains("panicked"), "{name}: {err}");
        assert!(err.contains("is damaged") || err.contains("malformed"), "{name}: {err}");
        for ending in ["-wal", "-shm"] {
            let _ = fs::remove_file(site.path(&format!("bellboard.db{ending}")));
        }
        fs::write(site.path("bellboard.db"), &whole).expect("restored");
    }
    let gateway = block_in_place(|| site.serve());
    assert_eq!(gateway.hello(KEY).status, 201, "whole again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_page_fails_only_what_meets_it() {
    let site = filled(500).await;
    // In the middle are the rows of user 2.
    let leaves = "SELECT pageno FROM dbstat WHERE name = 'inbox' AND pagetype = 'leaf' ORDER BY path";
    let leaves: Vec<i64> =
        sqlx::query_scalar(leaves).fetch_all(&mut outside(&site).await).await.expect("reads");
    damage(&site, leaves[leaves.len() / 2]);

    let gateway = block_in_place(|| site.serve());
    let base = Api::new(format!("http://{}", gateway.public));
    let reader = |user| base.bearer(Token::of(SECRET, user).sign());
    let whole = |user| statuses_of_all_pages(reader(user));
    assert_eq!((whole(1).await, whole(3).await), (vec![200; 5], vec![200; 5]));
    assert!(whole(2).await.contains(&500), "the damage is met");
    // Deletes that meet the damage share their batches with sends that do not.
    let (sender, damaged) = (base.key(KEY), reader(2));
    let sends = (0..200).map(|n| {
        sender.request(reqwest::Method::POST, "/send").json(&json!({
            "user_id": 1 + n % 2 * 2, "type": "custom", "title": "among damage",
        }))
    });
    let deletes = (0..200).map(|n| damaged.request(reqwest::Method::DELETE, &format!("/{}", 2 + n * 7)));
    let all: Vec<_> = sends.zip(deletes).flat_map(|(send, delete)| [send, delete]).collect();
    let mut answers = Vec::new();
    for some in all.chunks(100) {
        let some = some.iter().map(|request| request.try_clone().expect("no stream").send());
        for answer in futures_util::future::join_all(some).await {
            answers.push(answer.expect("an answer").status().as_u16());
        }
    }
    assert!(answers.iter().step_by(2).all(|status| *status == 201), "sends: {answers:?}");
    let failed = answers.iter().skip(1).step_by(2).filter(|status| **status == 500).count();
    assert!(failed > 0, "deletes: {answers:?}");
    assert!(gateway.log().contains("malformed"), "{}", gateway.log());
    assert_eq!(block_in_place(|| gateway.admin("/healthz")).status, 200);
    report(
        50,
        "a damaged page met while running",
        &format!("{failed} requests that met it answered 500 and logged; 200 sends beside them stored"),
    );
}

/// The statuses of a walk through an inbox, which ends with the first that fails.
async fn statuses_of_all_pages(api: Api) -> Vec<u16> {
    let (mut statuses, mut path) = (Vec::new(), "/?limit=100".to_owned());
    loop {
        let page = api.get(&path).await;
        statuses.push(page.status);
        match page.json()["next_cursor"].as_str() {
            Some(next) if page.status == 200 => path = format!("/?limit=100&cursor={next}"),
            _ => return statuses,
        }
    }
}

#[test]
fn a_disk_that_can_only_be_read_is_named_at_the_start() {
    let site = Site::new(SETTINGS);
    let disk = Disk::below(&site);
    let gateway: Gateway = disk.serve();
    assert_eq!(gateway.hello(KEY).status, 201);
    gateway.stop();
    for (fault, told) in [
        ("read-only", "bellboard.db.lock cannot be used: Read-only file system"),
        ("database-read-only", "bellboard.db cannot be written"),
    ] {
        let _fault = disk.fault(fault);
        let ended = Ended::of(disk.command(&FREE));
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(ended.err.contains(told), "{fault}: {}", ended.err);
    }
}
