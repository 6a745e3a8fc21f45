//! Others have all the connections that the server takes.

use sqlx::{Connection, PgConnection};
use tokio::task::block_in_place;

use super::*;

/// Its `max_connections`, less those it keeps for its superuser.
const ROOM: usize = 40 - 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_more_connections_is_waited_for() {
    let times = rounds(1, 10);
    let server = block_in_place(|| Server::start(&[FAST, &["max_connections=40"]].concat()));
    // No superuser: for those there is room.
    server.run("CREATE ROLE gateway LOGIN");
    server.run(&format!("CREATE DATABASE {DATABASE} OWNER gateway"));
    let url = server.url(DATABASE).replace("bell@", "gateway@");
    let site = Site { nodes: block_in_place(|| nodes(&url)), server };
    let mut load = new_load();
    for _ in 0..times {
        let (running, checked) = site.start_load(load, 100).await;
        let mut crowd = Vec::new();
        while crowd.len() < ROOM {
            let query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                         WHERE application_name = 'bellboard'";
            block_in_place(|| site.server.asks(DATABASE, query));
            fill(&mut crowd, &url).await;
        }
        running.refuses(20).await;
        block_in_place(|| are_ready(&site.nodes, false));
        crowd.clear();
        load = site.recovers(running, checked).await;
    }
    report(
        74,
        &format!("{times} times others took all connections that PostgreSQL has"),
        &outcome(&mut load),
    );
}

/// Takes what is free.
async fn fill(crowd: &mut Vec<PgConnection>, url: &str) {
    loop {
        match PgConnection::connect(url).await {
            Ok(connection) => crowd.push(connection),
            Err(error) => {
                let code = error.as_database_error().and_then(|error| error.code());
                assert_eq!(code.as_deref(), Some("53300"), "{error}");
                return;
            }
        }
    }
}
