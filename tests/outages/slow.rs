//! The server is there and does not answer in time: its commits wait, or its tables are held.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::task::block_in_place;

use super::*;

/// What a request may take here: a wait for its turn behind a batch, which finds out what became of its commit.
const BOUND: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_waits_for_an_absent_replica_is_not_known_and_never_lost() {
    let times = rounds(1, 10);
    let site = block_in_place(Site::start);
    let mut load = Load::new();
    let wait_for = |name: &str| site.server.set(&format!("synchronous_standby_names = '{name}'"));
    for _ in 0..times {
        let (running, checked) = site.start_load(load, 100).await;
        block_in_place(|| wait_for("nobody"));
        tokio::time::timeout(BOUND, running.refuses(8)).await.expect("refused in time");
        block_in_place(|| wait_for(""));
        tokio::time::timeout(BOUND, running.acknowledges(100)).await.expect("it goes on");
        load = site.recovers(running, checked).await;
    }
    report(43, &format!("{times} times every commit waited for an absent replica"), &outcome(&mut load));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_held_fill_no_queue_for_ever() {
    let times = rounds(1, 10);
    let site = block_in_place(Site::start);
    let mut load = Load::new();
    for _ in 0..times {
        let (running, checked) = site.start_load(load, 100).await;
        let mut holder = PgConnection::connect(&site.server.url(DATABASE)).await.expect("connects");
        sqlx::raw_sql("BEGIN; SET LOCAL lock_timeout = 0; LOCK TABLE directory IN ACCESS EXCLUSIVE MODE")
            .execute(&mut holder)
            .await
            .expect("held");
        tokio::time::timeout(BOUND, running.refuses(8)).await.expect("refused in time");
        holder.close().await.expect("let go");
        tokio::time::timeout(BOUND, running.acknowledges(100)).await.expect("it goes on");
        load = site.recovers(running, checked).await;
    }
    report(44, &format!("{times} times the users' table was held by another"), &outcome(&mut load));
}
