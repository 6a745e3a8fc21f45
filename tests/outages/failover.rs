//! The primary is gone, its synchronous replica takes its place, and HAProxy sends the nodes there.

use tokio::task::block_in_place;

use super::*;
use crate::support::{haproxy::Haproxy, postgres::url_at, replica::Cluster};

/// Two servers with the database.
pub(super) async fn start() -> Cluster {
    let mut cluster = Cluster::start().await;
    cluster.servers()[0].run(&format!("CREATE DATABASE {DATABASE}"));
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_to_the_synchronous_replica_loses_nothing_and_needs_no_restart() {
    let times = rounds(1, 10);
    let mut cluster = start().await;
    let haproxy = block_in_place(|| {
        Haproxy::before(cluster.backends, [true, false], "on-marked-down shutdown-sessions")
    });
    let url = url_at(haproxy.port(), DATABASE) + "?sslmode=disable";
    let nodes = block_in_place(|| nodes(&url));
    let mut load = new_load();
    for _ in 0..times {
        let (running, checked) = start_load(&nodes, load, 100).await;
        block_in_place(|| cluster.servers()[0].end("QUIT"));
        running.refuses(20).await;
        block_in_place(|| are_ready(&nodes, false));
        block_in_place(|| cluster.fail_over());
        block_in_place(|| haproxy.sends_to([0, 1].map(|seat| seat == cluster.leader())));
        load = recovers(&nodes, cluster.servers()[0], running, checked).await;
        block_in_place(|| cluster.rebuild());
    }
    check(&nodes, cluster.servers()[0], &mut load, 0).await;
    report(79, &format!("{times} failovers to a synchronous replica behind HAProxy"), &outcome(&mut load));
}

/// The old primary goes on, with the connections that it has, as where HAProxy leaves them open. Its commits wait for
/// the replica that is gone, but who reads there reads what is past.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_at_an_old_primary_once_the_new_one_has_acknowledged() {
    let times = rounds(1, 10);
    let mut cluster = start().await;
    let haproxy = block_in_place(|| Haproxy::before(cluster.backends, [true, false], ""));
    let url = url_at(haproxy.port(), DATABASE) + "?sslmode=disable";
    let nodes = block_in_place(|| nodes(&url));
    let mut load = new_load();
    for _ in 0..times {
        let (running, checked) = start_load(&nodes, load, 100).await;
        block_in_place(|| cluster.fail_over());
        block_in_place(|| haproxy.sends_to([0, 1].map(|seat| seat == cluster.leader())));
        load = recovers(&nodes, cluster.servers()[0], running, checked).await;
        block_in_place(|| cluster.rebuild());
    }
    report(
        80,
        &format!("{times} failovers while the old primary went on, its connections left open"),
        &outcome(&mut load),
    );
}
