//! The server is there and does not answer in time: its commits wait, or its tables are held. Or it takes its time.

use sqlx::{Connection, PgConnection};
use tokio::task::block_in_place;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_waits_for_an_absent_replica_is_not_known_and_never_lost() {
    let times = rounds(1, 10);
    let site = block_in_place(Site::start);
    let mut load = new_load();
    let wait_for = |name: &str| site.server.set(&format!("synchronous_standby_names = '{name}'"));
    for _ in 0..times {
        let (running, checked) = site.start_load(load, 100).await;
        block_in_place(|| wait_for("nobody"));
        running.refuses(8).await;
        block_in_place(|| wait_for(""));
        load = site.recovers(running, checked).await;
    }
    report(75, &format!("{times} times every commit waited for an absent replica"), &outcome(&mut load));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_held_fill_no_queue_for_ever() {
    let times = rounds(1, 10);
    let site = block_in_place(Site::start);
    let mut load = new_load();
    for _ in 0..times {
        let (running, checked) = site.start_load(load, 100).await;
        let mut holder = PgConnection::connect(&site.server.url(DATABASE)).await.expect("connects");
        sqlx::raw_sql("BEGIN; SET LOCAL lock_timeout = 0; LOCK TABLE directory IN ACCESS EXCLUSIVE MODE")
            .execute(&mut holder)
            .await
            .expect("held");
        running.refuses(8).await;
        holder.close().await.expect("let go");
        load = site.recovers(running, checked).await;
    }
    report(76, &format!("{times} times the users' table was held by another"), &outcome(&mut load));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_take_long_fail_no_request() {
    let changes = rounds(100, 2_000);
    // Without a sync there would be no delay.
    let settings = ["autovacuum=off", "commit_siblings=0", "commit_delay=100000"];
    let site = block_in_place(|| Site::on(Server::start(&settings)));
    let (running, checked) = site.start_load(new_load(), changes).await;
    let mut load = site.recovers(running, checked).await;
    assert_eq!(load.refused(), 0);
    report(83, "every commit of PostgreSQL delayed by 0.1 s", &outcome(&mut load));
}
