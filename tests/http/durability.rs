//! What was acknowledged is there: after a crash, and while the store refuses.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::{Api, Gateway, Token};

const SECRET: &str = "signing-secret-of-the-default-tenant-0001";
const KEY: &str = "durable-key-00000000000000000000000000001";

const SETTINGS: &str = r#"
rate_limits: {per_key: {per_second: 1000000}, per_user: {per_second: 1000000}}
tenants:
  default:
    seed: [1, 2, 3]
    issuers: [{algorithm: HS256, secret: signing-secret-of-the-default-tenant-0001}]
api_keys:
  durable-key-00000000000000000000000000001: {roles: [admin]}
"#;

fn user(gateway: &Gateway, id: i64) -> Api {
    gateway.api().bearer(Token::of(SECRET, id).sign())
}

/// Sends until the gateway is gone, and gives the ids that were acknowledged.
async fn send_until_gone(api: Api, user: i64, told: UnboundedSender<i64>) -> Vec<i64> {
    let mut acknowledged = Vec::new();
    loop {
        let body = json!({"user_id": user, "type": "custom", "title": "t"});
        let request = api.request(reqwest::Method::POST, "/send").json(&body).send();
        let Ok(response) = request.await else { return acknowledged };
        let status = response.status().as_u16();
        let Ok(answer) = response.json::<Value>().await else { return acknowledged };
        // One that is told to stop takes no more, and says so.
        assert!([201, 503].contains(&status), "{answer}");
        if status == 201 {
            let id = answer["notification"]["notification_id"].as_i64().expect("an id");
            acknowledged.push(id);
            let _ = told.send(id);
        }
    }
}

/// Lets several send until the gateway is gone, ends it among the sends, and gives the one after it and
/// the ids that were acknowledged.
async fn end_among_sends(
    gateway: Gateway,
    end: impl FnOnce(Gateway) -> Gateway + Send + 'static,
) -> (Gateway, Vec<i64>) {
    let (told, mut count) = unbounded_channel();
    let api = gateway.api().key(KEY);
    let senders: Vec<_> =
        (0..8).map(|n| tokio::spawn(send_until_gone(api.clone(), 1 + n % 2, told.clone()))).collect();
    for _ in 0..100 {
        count.recv().await.expect("they send");
    }
    let gateway = tokio::task::spawn_blocking(|| end(gateway)).await.expect("restarted");
    let mut acknowledged = Vec::new();
    for sender in senders {
        acknowledged.extend(sender.await.expect("ended"));
    }
    assert!(acknowledged.len() >= 100);
    (gateway, acknowledged)
}

/// Every notification of the users 1 and 2, whose counts must be those of their lists.
async fn stored(gateway: &Gateway) -> Vec<i64> {
    let mut stored = Vec::new();
    for id in [1, 2] {
        let (api, mut path, before) = (user(gateway, id), "/?limit=200".to_owned(), stored.len());
        loop {
            let page = api.get(&path).await.expect(200);
            stored.extend(page.ids());
            match page.json()["next_cursor"].as_str() {
                Some(next) => path = format!("/?limit=200&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(usize::try_from(api.unread().await), Ok(stored.len() - before));
    }
    stored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_that_was_acknowledged() {
    let gateway = Gateway::start(SETTINGS);
    let api = gateway.api().key(KEY);
    let before: Vec<i64> =
        [api.notify(3, "a").await, api.notify(3, "b").await, api.notify(3, "c").await].into();
    let reader = user(&gateway, 3);
    let read = reader.post(&format!("/{}/mark-read", before[0])).await.expect(200);
    reader.delete(&format!("/{}", before[1])).await.expect(200);
    api.put_json("/users/9", &json!({"display_name": "Nine"})).await.expect(201);

    let (gateway, acknowledged) = end_among_sends(gateway, Gateway::crash_and_restart).await;
    let stored = stored(&gateway).await;
    for id in &acknowledged {
        assert!(stored.contains(id), "{id} was acknowledged and is lost");
    }
    let page = user(&gateway, 3).get("/").await;
    assert_eq!(page.ids(), [before[2], before[0]]);
    assert_eq!(page.json()["notifications"][1]["read_at"], read.json()["notification"]["read_at"]);
    let api = gateway.api().key(KEY);
    assert_eq!(api.get("/users/9").await.json()["user"]["display_name"], "Nine");
    let next = api.notify(3, "next").await;
    assert!(stored.iter().all(|id| *id != next), "ids are not used again");
    gateway.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_told_to_stop_answers_what_it_accepted() {
    let (gateway, acknowledged) = end_among_sends(Gateway::start(SETTINGS), Gateway::stop_and_restart).await;
    let mut stored = stored(&gateway).await;
    stored.sort_unstable();
    let mut expected = acknowledged;
    expected.sort_unstable();
    assert_eq!(stored, expected, "nothing is lost, and nothing stored that was not answered");
}

#[tokio::test]
async fn a_store_that_cannot_write_is_told_and_recovers() {
    let gateway = Gateway::start(SETTINGS);
    let api = gateway.api().key(KEY);
    let id = api.notify(1, "before").await;
    let mut other = gateway.tool().await;
    other.hold().await;

    let start = Instant::now();
    let body = json!({"user_id": 1, "type": "custom", "title": "t"});
    let busy = api.send(&body).await.failed(503, "The service is busy; try again");
    assert!(start.elapsed() < Duration::from_secs(60), "it does not keep its caller for long");
    assert!(busy.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    let ready =
        crate::support::api::ask(gateway.admin_api().request_at(reqwest::Method::GET, "/readyz")).await;
    assert_eq!(ready.expect(503).json()["ready"], false);
    assert_eq!(user(&gateway, 1).get("/").await.ids(), [id], "reading goes on");

    other.let_go().await;
    let start = Instant::now();
    while api.send(&body).await.status != 201 {
        assert!(start.elapsed() < Duration::from_secs(60), "it recovers");
    }
    gateway.stop();
}
