//! The network between a node and the server loses commits, their answers, or everything.

use tokio::task::block_in_place;

use super::*;
use crate::support::{
    postgres::url_at,
    proxy::{Fault, Network, Proxy},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_network_loses_is_done_once_or_not_known() {
    let times = rounds(1, 10);
    let server = block_in_place(Server::own);
    server.run(&format!("CREATE DATABASE {DATABASE}"));
    let proxy = Proxy::before(server.port()).await;
    let far = url_at(proxy.port, DATABASE) + "?sslmode=disable";
    let nodes = block_in_place(|| [node(&far), node(&server.url(DATABASE))]);
    let site = Site { nodes, server };
    let mut load = Load::new();
    for _ in 0..times {
        for fault in [Fault::LoseReply, Fault::KeepReply, Fault::LoseCommit] {
            let (running, checked) = site.start_load(load, 50).await;
            proxy.fail(&[fault]);
            while !proxy.has_failed() {
                running.acknowledges(1).await;
            }
            load = site.recovers(running, checked).await;
        }
        for network in [Network::Down, Network::Silent] {
            let (running, checked) = site.start_load(load, 50).await;
            proxy.turns(network);
            running.refuses(8).await;
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
    }
    report(
        45,
        &format!(
            "{times} times each between a node and PostgreSQL: a COMMIT lost, its answer lost, its answer kept back, \
             the network cut, and silent"
        ),
        &outcome(&mut load),
    );
}
