//! What the URL leads to is a hot standby, which takes connections and no writes.

use tokio::task::block_in_place;

use super::{failover::start, *};
use crate::support::{
    postgres::url_at,
    proxy::{Network, Proxy},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_at_a_standby_is_ready_once_that_is_promoted() {
    let mut cluster = start().await;
    let [primary, replica] = cluster.servers();
    // The schema is there, and the users whom the settings list.
    block_in_place(|| {
        node(&primary.url(DATABASE)).stop();
        let users = "SELECT count(*) FROM directory";
        until("it is there", || replica.tries(DATABASE, users) == primary.tries(DATABASE, users));
    });
    let url = replica.url(DATABASE);
    let nodes = [(); 2].map(|()| Gateway::start_unready_at(&url, &format!("{BRIEF}{SETTINGS}")));
    block_in_place(|| are_ready(&nodes, false));
    let (running, checked) = start_load(&nodes, new_load(), 0).await;
    running.refuses(50).await;
    block_in_place(|| are_ready(&nodes, false));
    block_in_place(|| {
        cluster.servers()[0].end("QUIT");
        cluster.fail_over();
    });
    let mut load = recovers(&nodes, cluster.servers()[0], running, checked).await;
    report(81, "two nodes started at a standby, which was promoted later", &outcome(&mut load));
}

/// As behind a load balancer that sees too late which one leads, and leaves connections open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lane_stays_at_a_standby() {
    let times = rounds(1, 10);
    let mut cluster = start().await;
    let [primary, replica] = cluster.backends.map(|backend| backend.port);
    let proxy = Proxy::before(primary).await;
    let url = url_at(proxy.port, DATABASE) + "?sslmode=disable";
    let nodes = block_in_place(|| nodes(&url));
    let mut load = new_load();
    for _ in 0..times {
        let (running, checked) = start_load(&nodes, load, 100).await;
        proxy.turns(Network::Down);
        running.refuses(8).await;
        proxy.leads_to(replica);
        proxy.turns(Network::Whole);
        running.refuses(50).await;
        block_in_place(|| are_ready(&nodes, false));
        proxy.leads_to(primary);
        load = recovers(&nodes, cluster.servers()[0], running, checked).await;
    }
    report(82, &format!("{times} times new connections led to a standby"), &outcome(&mut load));
}
