//! Two gateways on one PostgreSQL behave as one.

mod streams;

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    Api, Gateway, Token, pooler,
    postgres::{Database, shared_port},
    proxy::Proxy,
};

const SECRET: &str = "signing-secret-of-the-default-tenant-0001";
const KEY: &str = "nodes-key-of-the-default-tenant-000001";
const SETTINGS: &str = r#"
rate_limits: {per_key: {per_second: 1000000}, per_user: {per_second: 1000000}}
roles: {eraser: [user.erase]}
tenants:
  default: {seed: [1, 2], issuers: [{algorithm: HS256, secret: signing-secret-of-the-default-tenant-0001}]}
api_keys:
  nodes-key-of-the-default-tenant-000001: {roles: [admin, eraser]}
"#;

fn key(node: &Gateway) -> Api {
    node.api().key(KEY)
}

fn own(node: &Gateway, user: i64) -> Api {
    node.api().bearer(Token::of(SECRET, user).sign())
}

/// Asks again and again until it holds. It should within a second; a slow machine has more.
async fn soon(mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(60), "not in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What one node does, the other shows.
async fn is_seen(one: &Gateway, other: &Gateway) {
    let reader = own(other, 1);
    let before = reader.unread().await;
    for n in 1..=3 {
        key(one).notify(1, "t").await;
        soon(async || reader.unread().await == before + n).await;
    }
    own(one, 1).post("/mark-all-read").await.expect(200);
    soon(async || reader.unread().await == 0).await;

    key(one).put_json("/users/77", &json!({"display_name": "Ada"})).await.expect(201);
    let ada = key(other).get("/users/77").await.expect(200);
    assert_eq!(ada.json()["user"]["display_name"], "Ada");
    key(one).notify(77, "t").await;
    soon(async || own(other, 77).unread().await == 1).await;
    key(one).delete("/users/77").await.expect(200);
    key(other).get("/users/77").await.expect(404);
    soon(async || own(other, 77).get("/unread-count").await.status == 404).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_does_the_other_shows() {
    let database = Database::new();
    let [one, other] = [(); 2].map(|()| Gateway::start_at(&database.url, SETTINGS));
    is_seen(&one, &other).await;
    is_seen(&other, &one).await;
    for node in [one, other] {
        assert!(!node.log().contains("no hints"), "{}", node.log());
        node.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_where_hints_go_astray() {
    let database = Database::new();
    let proxy = Proxy::before(shared_port()).await;
    let far = database.url_at(proxy.port) + "?sslmode=disable";
    let [one, other] = [&database.url, &far].map(|url| Gateway::start_at(url, SETTINGS));
    proxy.mute();
    is_seen(&one, &other).await;
    is_seen(&other, &one).await;
    let deaf = || other.log().matches("no hints of other nodes are heard").count();
    soon(async || deaf() > 0).await;
    is_seen(&one, &other).await;
    assert_eq!(deaf(), 1, "told once");
    for node in [one, other] {
        node.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_behind_a_pooler_that_lends_out_connections_by_the_transaction() {
    let database = Database::new();
    let [one, other] = [(); 2].map(|()| Gateway::start_at(&pooler::url(&database), SETTINGS));
    is_seen(&one, &other).await;
    let deaf = || one.log().matches("no hints of other nodes are heard").count();
    soon(async || deaf() > 0).await;
    is_seen(&other, &one).await;
    assert_eq!(deaf(), 1, "told once");
    for node in [one, other] {
        node.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_of_one_inbox_on_both_nodes_keep_count_and_list_equal() {
    let database = Database::new();
    let nodes = [(); 2].map(|()| Gateway::start_at(&database.url, SETTINGS));
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(key(&nodes[0]).notify(1, "t").await);
    }
    let tasks = (0..6).map(|n| {
        let (api, sender) = (own(&nodes[n % 2], 1), key(&nodes[n % 2]));
        // Each marks most of them, in another order than its neighbours.
        let mut ids = ids[..50].to_vec();
        ids.rotate_left(8 * n);
        if n % 3 == 0 {
            ids.reverse();
        }
        tokio::spawn(async move {
            for (step, id) in ids.into_iter().enumerate() {
                api.post(&format!("/{id}/mark-read")).await.expect(200);
                if step % 10 == 0 {
                    sender.notify(1, "more").await;
                    equal(&api).await;
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("right all along");
    }
    for node in &nodes {
        assert_eq!(equal(&own(node, 1)).await, 10 + 6 * 5);
        soon(async || own(node, 1).unread().await == 10 + 6 * 5).await;
    }
    for node in nodes {
        node.stop();
    }
}

/// The unread count of a list, which must be that of its rows.
async fn equal(api: &Api) -> i64 {
    let page = api.get("/?limit=200").await.expect(200).json();
    let rows = page["notifications"].as_array().expect("a list");
    let unread = rows.iter().filter(|row| row["is_read"] == false).count() as i64;
    assert_eq!(page["unread_count"], unread, "{page}");
    unread
}
