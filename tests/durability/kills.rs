//! The process is killed again and again among its work, with an outside program on the live file.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use sqlx::Row;
use tokio::task::block_in_place;

use super::{SETTINGS, load::Load, outside, report, rounds};
use crate::cli::gateway::Site;

/// Changes acknowledged before each kill: different ones, so that each hits another moment.
fn before(kill: usize) -> usize {
    10 + kill * 37 % 90
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_every_kill() {
    let kills = rounds(25, 200);
    let site = Site::new(SETTINGS);
    let mut load = Load::new();
    let mut gateway = block_in_place(|| site.serve());
    for kill in 0..kills {
        let checked = load.newest();
        let running = load.start(&gateway.public);
        running.acknowledges(before(kill)).await;
        gateway.signal("KILL");
        block_in_place(|| drop(gateway));
        load = running.ended().await;

        gateway = block_in_place(|| site.serve());
        load.check(&gateway.public, checked).await;
        heads_equal_their_rows(&site).await;
    }
    load.check(&gateway.public, 0).await;
    let acknowledged = load.acknowledged();
    report(
        10,
        &format!("{kills} SIGKILLs among sends, marks and deletes"),
        &format!(
            "{acknowledged} changes acknowledged, of them {} notifications; 0 lost, 0 doubled",
            load.sent()
        ),
    );
}

/// An outside program closes the file each time it ends: none of its locks may be the gateway's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outside_reader_of_the_live_file_costs_nothing() {
    let kills = rounds(2, 20);
    let site = Site::new(SETTINGS);
    let mut load = Load::new();
    let mut read = 0;
    for _ in 0..kills {
        let gateway = block_in_place(|| site.serve());
        let reader = Reader::start(&site);
        let running = load.start(&gateway.public);
        let enough = reader.times.load(Relaxed) + 5;
        while reader.times.load(Relaxed) < enough {
            running.acknowledges(50).await;
        }
        gateway.signal("KILL");
        block_in_place(|| drop(gateway));
        load = running.ended().await;
        read += block_in_place(|| reader.stop());
        let gateway = block_in_place(|| site.serve());
        load.check(&gateway.public, 0).await;
        heads_equal_their_rows(&site).await;
    }
    let acknowledged = load.acknowledged();
    report(
        11,
        &format!("{kills} SIGKILLs while `sqlite3` opened, read and closed the live file {read} times"),
        &format!("{acknowledged} changes acknowledged; 0 lost"),
    );
}

/// `sqlite3`, again and again.
struct Reader {
    times: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn start(site: &Site) -> Self {
        let path = site.path("bellboard.db");
        let (times, enough) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (counted, ends) = (Arc::clone(&times), Arc::clone(&enough));
        let thread = thread::spawn(move || {
            while !ends.load(Relaxed) {
                let query = "SELECT count(*) FROM notifications";
                let read = Command::new("sqlite3").arg(&path).arg(query).output().expect("sqlite3 runs");
                assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
                counted.fetch_add(1, Relaxed);
            }
        });
        Self { times, enough, thread }
    }

    fn stop(self) -> usize {
        self.enough.store(true, Relaxed);
        self.thread.join().expect("no panic");
        self.times.load(Relaxed)
    }
}

/// By the database itself: every user's count is that of their unread rows, and every row has its content.
async fn heads_equal_their_rows(site: &Site) {
    let query = "SELECT
        (SELECT count(*) FROM head h WHERE h.unread <> (SELECT count(*) FROM inbox i
          WHERE i.tenant = h.tenant AND i.user_id = h.user_id AND i.id > h.erased_upto
            AND i.id < 9223372036854775807 AND i.read_at IS NULL)),
        (SELECT count(*) FROM inbox i LEFT JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
          WHERE n.id IS NULL AND i.id < 9223372036854775807)";
    let row = sqlx::query(query).fetch_one(&mut outside(site).await).await.expect("reads");
    assert_eq!(
        (row.get::<i64, _>(0), row.get::<i64, _>(1)),
        (0, 0),
        "heads that differ, rows without content"
    );
}
