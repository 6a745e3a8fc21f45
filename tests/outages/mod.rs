//! Two gateways on one PostgreSQL that fails under load: nothing acknowledged is lost, whatever is not done is a 503,
//! and all goes on with no restart. `bash tests/reliability` runs it at length, and writes `docs/reliability.md`.

mod crowd;
mod ends;
mod failover;
mod slow;
mod standby;
mod wire;

use std::time::Duration;

use tokio::task::block_in_place;

use crate::{
    durability::{
        SETTINGS,
        load::{Load, Running, inbox},
        report, rounds,
    },
    support::{
        Gateway,
        gateway::until,
        postgres::{FAST, Server},
    },
};

const DATABASE: &str = "site";

/// Little patience, so that what is not known is told soon.
const BRIEF: &str =
    "store: {connect_timeout: 1s, statement_timeout: 1s, lock_timeout: 500ms, commit_timeout: 1500ms}";

/// What any one request may take, whatever is done to the server, as these times add up.
const LONGEST: Duration = {
    let (connect, statement, commit) = (1_000, 1_000, 1_500);
    // A send with a key looks first; what is read is read twice at most.
    let read = 2 * (connect + statement);
    let turn = 5_000;
    // Connecting, the statements, rolling back.
    let attempt = connect + 2 * statement + connect;
    // Three go wrong before the COMMIT of the last; it has no answer, and what became of it is looked up.
    let batch = 3 * attempt + commit + 2 * commit + attempt + commit;
    Duration::from_millis(read + turn + batch)
};

fn new_load() -> Load {
    Load::within(LONGEST)
}

/// A server, and the nodes on it.
struct Site {
    // Ended before the server is.
    nodes: [Gateway; 2],
    server: Server,
}

impl Site {
    fn start() -> Self {
        Self::on(Server::own())
    }

    fn on(server: Server) -> Self {
        server.run(&format!("CREATE DATABASE {DATABASE}"));
        let url = server.url(DATABASE);
        Self { nodes: nodes(&url), server }
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

/// Holds all that was acknowledged against what each node shows, and the database against itself: heads against their
/// rows, and that no title is there twice, be it of one that was deleted.
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
    let twice = "SELECT string_agg(title, ', ') FROM (SELECT user_id, doc::json ->> 'title' AS title
        FROM notification GROUP BY 1, 2 HAVING count(*) > 1) AS stored";
    assert_eq!(block_in_place(|| server.asks(DATABASE, twice)), "", "stored twice");
}

fn nodes(url: &str) -> [Gateway; 2] {
    [url; 2].map(node)
}

fn node(url: &str) -> Gateway {
    Gateway::start_at(url, &format!("{BRIEF}{SETTINGS}"))
}

fn address(node: &Gateway) -> &str {
    &node.public["http://".len()..]
}

fn outcome(load: &mut Load) -> String {
    let (acknowledged, refused) = (load.acknowledged(), load.refused());
    let sent = load.sent();
    format!(
        "{acknowledged} changes acknowledged, of them {sent} notifications, {refused} requests refused with 503; \
         0 lost, 0 doubled"
    )
}
