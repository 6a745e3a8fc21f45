//! Two gateways on one PostgreSQL that fails under load: nothing acknowledged is lost, whatever is not done is a 503,
//! and all goes on with no restart. `bash tests/reliability` runs it at length, and writes `docs/reliability.md`.

mod failover;
mod slow;
mod wire;

use std::sync::atomic::Ordering::Relaxed;

use tokio::task::block_in_place;

use crate::{
    durability::{
        SETTINGS,
        load::{Load, Running, inbox},
        report, rounds,
    },
    support::{Gateway, gateway::until, postgres::Server},
};

const DATABASE: &str = "site";

/// Little patience, so that what is not known is told soon.
const BRIEF: &str =
    "store: {connect_timeout: 1s, statement_timeout: 1s, lock_timeout: 500ms, commit_timeout: 1500ms}";

/// A server, and the nodes on it.
struct Site {
    // Ended before the server is.
    nodes: [Gateway; 2],
    server: Server,
}

impl Site {
    fn start() -> Self {
        let server = Server::own();
        server.run(&format!("CREATE DATABASE {DATABASE}"));
        let url = server.url(DATABASE);
        Self { nodes: [&url; 2].map(|url| node(url)), server }
    }

    async fn start_load(&self, load: Load, changes: usize) -> (Running, i64) {
        start_load(&self.nodes, load, changes).await
    }

    async fn recovers(&self, running: Running, from: i64) -> Load {
        recovers(&self.nodes, &self.server, running, from).await
    }

    async fn check(&self, load: &mut Load, from: i64) {
        check(&self.nodes, &self.server, load, from).await;
    }
}

/// Sets the load to work over both nodes until so many changes were acknowledged; with it comes the last id before.
async fn start_load(nodes: &[Gateway; 2], mut load: Load, changes: usize) -> (Running, i64) {
    let from = load.newest();
    let running = load.start_over(&nodes.each_ref().map(address));
    running.acknowledges(changes).await;
    (running, from)
}

/// All goes on as before, with no restart: both nodes are ready, every worker goes on, and nothing is lost.
async fn recovers(nodes: &[Gateway; 2], server: &Server, running: Running, from: i64) -> Load {
    block_in_place(|| are_ready(nodes, true));
    running.acknowledges(100).await;
    running.all_are_at_work();
    let mut load = running.stopped().await;
    check(nodes, server, &mut load, from).await;
    load
}

/// Waits until `/readyz` of both nodes says this.
fn are_ready(nodes: &[Gateway; 2], ready: bool) {
    let status = if ready { "HTTP/1.1 200" } else { "HTTP/1.1 503" };
    until(status, || nodes.iter().all(|node| node.admin_get("/readyz").starts_with(status)));
}

/// Holds all that was acknowledged against what each node shows, and the heads against their rows.
async fn check(nodes: &[Gateway; 2], server: &Server, load: &mut Load, from: i64) {
    // What a node that is gone still had on its way is done then, or never.
    let at_work = "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid() \
                   AND backend_type = 'client backend'";
    block_in_place(|| until("at rest", || server.asks(DATABASE, at_work) == "0"));
    for address in nodes.each_ref().map(address) {
        load.check(address, from).await;
    }
    let wrong = "SELECT count(*) FROM head h WHERE h.unread <> (SELECT count(*) FROM inbox i
        WHERE i.tenant = h.tenant AND i.user_id = h.user_id AND i.id > h.erased_upto AND i.read_at IS NULL)";
    assert_eq!(block_in_place(|| server.asks(DATABASE, wrong)), "0", "heads that differ from their rows");
}

fn node(url: &str) -> Gateway {
    Gateway::start_at(url, &format!("{BRIEF}{SETTINGS}"))
}

fn address(node: &Gateway) -> &str {
    &node.public["http://".len()..]
}

fn outcome(load: &mut Load) -> String {
    let (acknowledged, refused) = (load.acknowledged.load(Relaxed), load.refused.load(Relaxed));
    let sent = load.sent();
    format!(
        "{acknowledged} changes acknowledged, of them {sent} notifications, {refused} requests refused with 503; \
         0 lost, 0 doubled"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_takes_nothing_with_it_and_the_other_goes_on() {
    let kills = rounds(5, 100);
    let mut site = block_in_place(Site::start);
    let mut load = Load::new();
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
    assert_eq!(load.refused.load(Relaxed), 0, "of a node that goes on nothing is refused");
    report(40, &format!("{kills} SIGKILLs of one of two nodes on PostgreSQL"), &outcome(&mut load));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_and_comes_back_needs_no_restart_of_a_node() {
    let stops = rounds(1, 10);
    let mut site = block_in_place(Site::start);
    let mut load = Load::new();
    for _ in 0..stops {
        for signal in ["INT", "QUIT"] {
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
        41,
        &format!("PostgreSQL stopped {stops} times fast and {stops} times at once"),
        &outcome(&mut load),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_that_are_ended_or_cancelled_lose_nothing() {
    let times = rounds(10, 200);
    let site = block_in_place(Site::start);
    let mut load = Load::new();
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
        42,
        &format!("all of PostgreSQL's backends terminated {times} times, and cancelled {times} times"),
        &outcome(&mut load),
    );
}
