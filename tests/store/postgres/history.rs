//! When the store's history is another one, as where a backup is restored.

use std::sync::Arc;

use bellboard::store::{Options, Store};

use super::super::contract::bed::*;
use crate::support::postgres::{Server, free_port, program, run_as};

async fn open(url: &str) -> Store {
    Store::open(url, Options { lanes: 1, ..Options::default() }, Arc::new(()), Arc::new(()))
        .await
        .expect("opens")
}

/// The epoch that a gateway finds there.
async fn epoch(url: &str) -> i64 {
    let store = open(url).await;
    let epoch = store.epoch(&tenant()).await.expect("an epoch");
    store.close().await;
    epoch
}

#[tokio::test]
async fn it_stays_as_long_as_the_database_goes_on() {
    for bed in [Bed::postgres(), Bed::pooled()] {
        let store = bed.with_users().await;
        let before = store.epoch(&tenant()).await.expect("an epoch");
        send(&store, 1, "t").await;
        let head = store.head(&tenant(), user_id(1)).await.expect("a head");
        let page = store.page(&tenant(), user_id(1), &all()).await.expect("a page");
        assert_eq!((head.epoch, page.head), (before, head));
        store.close().await;
        assert_eq!(epoch(&bed.url).await, before);
        assert_ne!(epoch(&bed.another().url).await, before);
    }
}

#[tokio::test]
async fn a_role_that_owns_nothing_but_its_database_can_ask() {
    let server = Server::own();
    server.run("CREATE ROLE plain LOGIN");
    server.run("CREATE DATABASE plain OWNER plain");
    let url = format!("postgres://plain@127.0.0.1:{}/plain", server.port());
    let before = epoch(&url).await;
    assert_eq!(epoch(&url).await, before);
    let told = server.asks("plain", "SELECT history_timeline(), cluster <> '' FROM history");
    assert_eq!(told, "00000001|t");
}

#[tokio::test]
async fn it_is_another_where_a_dump_was_restored() {
    let (server, elsewhere) = (Server::own(), Server::own());
    server.run("CREATE DATABASE site");
    let before = epoch(&server.url("site")).await;
    let dump = tempfile::NamedTempFile::new().expect("a file");
    let run = |name: &str, arguments: &[&str]| {
        let out = run_as(&program(name), None).args(arguments).output();
        let out = out.expect("it runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    let file = dump.path().to_str().expect("text");
    run("pg_dump", &["--format=custom", "--file", file, "--dbname", &server.url("site")]);
    let mut epochs = vec![before];
    for (server, name) in [(&server, "restored"), (&server, "again"), (&elsewhere, "site")] {
        server.run(&format!("CREATE DATABASE {name}"));
        let url = server.url(name);
        run("pg_restore", &["--exit-on-error", "--single-transaction", "--no-owner", "--dbname", &url, file]);
        epochs.push(epoch(&url).await);
    }
    assert_eq!(epoch(&server.url("site")).await, before);
    let distinct: std::collections::BTreeSet<_> = epochs.iter().collect();
    assert_eq!(distinct.len(), epochs.len(), "{epochs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_another_on_a_server_that_takes_over() {
    let primary = Server::own();
    primary.run("CREATE DATABASE site");
    let before = epoch(&primary.url("site")).await;
    let replica = primary.replica(free_port());
    replica.promote();
    assert_ne!(epoch(&replica.url("site")).await, before);
    assert_eq!(epoch(&primary.url("site")).await, before);
}
