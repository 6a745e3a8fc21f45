//! The network between a node and the server loses commits, their answers, or everything.

use std::time::Duration;

use tokio::task::block_in_place;

use super::*;
use crate::support::{
    postgres::url_at,
    proxy::{Fault, Network, Proxy},
};

/// So that requests take a while.
const SLOW: Network = Network::Slow { latency: Duration::from_millis(20), bandwidth: 500_000 };
/// So that no answer comes in time.
const TOO_SLOW: Network = Network::Slow { latency: Duration::from_millis(1_500), bandwidth: 500_000 };

/// A site whose first node has its server behind a proxy.
async fn start() -> (Site, Proxy) {
    let server = block_in_place(Server::own);
    server.run(&format!("CREATE DATABASE {DATABASE}"));
    let proxy = Proxy::before(server.port()).await;
    let far = url_at(proxy.port, DATABASE) + "?sslmode=disable";
    let nodes = block_in_place(|| [node(&far), node(&server.url(DATABASE))]);
    (Site { nodes, server }, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_the_network_loses_is_done_once_or_not_known() {
    let times = rounds(1, 10);
    let (site, proxy) = start().await;
    let mut load = new_load();
    for _ in 0..times {
        for fault in [Fault::LoseReply, Fault::KeepReply, Fault::LoseCommit] {
            let (running, checked) = site.start_load(load, 50).await;
            proxy.fail(&[fault]);
            while !proxy.has_failed() {
                running.acknowledges(1).await;
            }
            load = site.recovers(running, checked).await;
        }
    }
    report(
        77,
        &format!(
            "{times} times each between a node and PostgreSQL: a COMMIT lost, its answer lost, its answer kept back"
        ),
        &outcome(&mut load),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_network_fails_refuses_and_the_other_goes_on() {
    let times = rounds(1, 10);
    let (site, proxy) = start().await;
    let mut load = new_load();
    for _ in 0..times {
        for network in [Network::Down, Network::Reset, Network::Silent, TOO_SLOW] {
            let (running, checked) = site.start_load(load, 50).await;
            proxy.turns(network);
            running.refuses(4).await;
            block_in_place(|| {
                until("it says so", || site.nodes[0].admin_get("/readyz").starts_with("HTTP/1.1 503"));
            });
            assert!(
                site.nodes[1].admin_get("/readyz").starts_with("HTTP/1.1 200"),
                "the other has its server"
            );
            proxy.turns(Network::Whole);
            load = site.recovers(running, checked).await;
        }
        proxy.turns(SLOW);
        let (running, checked) = site.start_load(load, 100).await;
        load = site.recovers(running, checked).await;
        proxy.turns(Network::Whole);
    }
    report(
        78,
        &format!(
            "{times} times each between a node and PostgreSQL: the network cut, its connections reset, silent, slow, \
             and too slow"
        ),
        &outcome(&mut load),
    );
}
