//! A node ends, or the server, or what serves a connection there.

use tokio::task::block_in_place;

use super::*;
use crate::support::postgres::tell;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_takes_nothing_with_it_and_the_other_goes_on() {
    let kills = rounds(3, 100);
    let mut site = block_in_place(Site::start);
    let mut load = new_load();
    for kill in 0..kills {
        let (running, checked) = site.start_load(load, 10 + kill * 37 % 90).await;
        let [one, other] = site.nodes;
        let one = block_in_place(|| one.crash_and_restart());
        // The workers of the other node are still there.
        running.acknowledges(50).await;
        load = running.stopped().await;
        // Each in its turn.
        site.nodes = [other, one];
        site.check(&mut load, checked).await;
    }
    site.check(&mut load, 0).await;
    assert_eq!(load.refused(), 0, "of a node that goes on nothing is refused");
    report(70, &format!("{kills} SIGKILLs of one of two nodes on PostgreSQL"), &outcome(&mut load));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_and_comes_back_needs_no_restart_of_a_node() {
    let stops = rounds(1, 10);
    let mut site = block_in_place(Site::start);
    let mut load = new_load();
    for _ in 0..stops {
        for signal in ["INT", "QUIT", "KILL"] {
            let (running, checked) = site.start_load(load, 100).await;
            block_in_place(|| site.server.end(signal));
            running.refuses(20).await;
            block_in_place(|| are_ready(&site.nodes, false));
            for node in &site.nodes {
                let read = inbox(address(node), 1).get("/").await;
                assert_eq!(read.status, 503, "of a read");
            }
            block_in_place(|| site.server.start_again());
            load = site.recovers(running, checked).await;
        }
    }
    site.check(&mut load, 0).await;
    report(
        71,
        &format!(
            "PostgreSQL stopped {stops} times fast and {stops} times at once, and {stops} times its first process killed \
             with SIGKILL; started again each time"
        ),
        &outcome(&mut load),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_that_are_ended_or_cancelled_lose_nothing() {
    let times = rounds(10, 200);
    let site = block_in_place(Site::start);
    let mut load = new_load();
    for ends in ["pg_terminate_backend", "pg_cancel_backend"] {
        let (running, checked) = site.start_load(load, 10).await;
        let mut hit = 0;
        for _ in 0..times {
            let query = format!(
                "SELECT count({ends}(pid)) FROM pg_stat_activity WHERE datname = '{DATABASE}' \
                 AND pid <> pg_backend_pid()"
            );
            hit += block_in_place(|| site.server.asks(DATABASE, &query)).parse::<usize>().expect("a count");
            running.acknowledges(10).await;
        }
        load = site.recovers(running, checked).await;
        println!("{ends}: {hit} backends");
    }
    site.check(&mut load, 0).await;
    report(
        72,
        &format!("all of PostgreSQL's backends terminated {times} times, and cancelled {times} times"),
        &outcome(&mut load),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_comes_back_by_itself() {
    let crashes = rounds(1, 20);
    let site = block_in_place(Site::start);
    let mut load = new_load();
    for _ in 0..crashes {
        let (running, checked) = site.start_load(load, 50).await;
        block_in_place(|| {
            let any = format!(
                "SELECT max(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}' AND pid <> pg_backend_pid()"
            );
            tell(&site.server.asks(DATABASE, &any), "KILL");
        });
        load = site.recovers(running, checked).await;
    }
    assert_eq!(site.server.log().matches("reinitializing").count(), crashes, "{}", site.server.log());
    report(
        73,
        &format!("{crashes} crashes of PostgreSQL, one of its backends killed with SIGKILL"),
        &outcome(&mut load),
    );
}
