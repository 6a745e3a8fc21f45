//! `Idempotency-Key` on `POST /crm/notification/send`.

use std::{
    fs,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Api, Gateway, Token, api::ask, settings::*};

async fn send(api: &Api, key: &str, body: &Value) -> Answer {
    ask(api.request(Method::POST, "/send").header("Idempotency-Key", key).json(body)).await
}

fn note(user: i64) -> Value {
    json!({"user_id": user, "type": "custom", "title": "t", "metadata": {"b": 1.50, "a": "ü"}, "related_ticket_id": 7})
}

/// The first answer again, to the byte.
#[track_caller]
fn repeats(answer: Answer, first: &Answer) {
    let answer = answer.expect(201);
    assert_eq!((answer.text.as_str(), answer.header("idempotency-replayed")), (first.text.as_str(), "true"));
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn the_first_answer_comes_again_whatever_became_of_the_notification() {
    let (user, api) = (fresh_user().await, with_key(SENDER));
    let first = send(&api, "\"again\"", &note(user)).await.expect(201);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    repeats(send(&api, "again", &note(user)).await, &first);
    let reader = as_user(user);
    reader.post(&format!("/{}/mark-read", first.id())).await.expect(200);
    repeats(send(&api, "\"again\"", &note(user)).await, &first);
    reader.delete(&format!("/{}", first.id())).await.expect(200);
    repeats(send(&api, "\"again\"", &note(user)).await, &first);
    assert_eq!((reader.get("/").await.ids(), reader.unread().await), (vec![], 0));
    // Other keys, and none, are other sends.
    let second = send(&api, "another", &note(user)).await.expect(201);
    let third = api.send(&note(user)).await.expect(201);
    assert_eq!(reader.get("/").await.ids(), [third.id(), second.id()]);
}

#[tokio::test]
async fn another_body_is_refused_and_others_have_keys_of_their_own() {
    let (user, api) = (fresh_user().await, with_key(SENDER));
    let first = send(&api, "mine", &note(user)).await.expect(201);
    let mut other = note(user);
    other["title"] = "u".into();
    let reason = "Idempotency-Key was used before with another body";
    send(&api, "mine", &other).await.failed(422, reason);
    send(&api, "mine", &json!({"title": "not even a draft"})).await.failed(422, reason);
    repeats(send(&api, "mine", &note(user)).await, &first);
    for other in [with_key(ADMIN), shared().bearer(Token::of(DEFAULT_SECRET, 1).roles(&["sender"]).sign())] {
        let own = send(&other, "mine", &note(user)).await.expect(201);
        assert!(own.header("idempotency-replayed").is_empty() && own.id() > first.id());
        repeats(send(&other, "mine", &note(user)).await, &own);
    }
    let acme = send(&with_key(ACME), "mine", &note(1)).await.expect(201);
    repeats(send(&with_key(ACME), "mine", &note(1)).await, &acme);
}

#[tokio::test]
async fn many_at_once_store_one() {
    let (user, api) = (fresh_user().await, with_key(SENDER));
    let body = note(user);
    let answers = join_all((0..64).map(|_| send(&api, "at-once", &body))).await;
    let first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty());
    assert_eq!(first.count(), 1);
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (201, &answers[0].text));
    }
    assert_eq!(as_user(user).get("/").await.ids(), [answers[0].id()]);
}

#[tokio::test]
async fn what_was_not_stored_leaves_the_key_free() {
    let (user, api) = (fresh_id(), with_key(SENDER));
    send(&api, "free", &json!({"user_id": user})).await.failed(400, "type is required");
    let bad = json!({"user_id": user, "type": "custom", "title": "t", "link": "javascript:x"});
    send(&api, "free", &bad).await.expect(400);
    let missing = format!("User {user} not found");
    send(&api, "free", &note(user)).await.failed(404, &missing);
    with_key(ADMIN).put_json(&format!("/users/{user}"), &json!({})).await.expect(201);
    let first = send(&api, "free", &note(user)).await.expect(201);
    assert!(first.header("idempotency-replayed").is_empty());
    repeats(send(&api, "free", &note(user)).await, &first);

    // The answer goes with its user.
    with_key(ERASER).delete(&format!("/users/{user}")).await.expect(200);
    send(&api, "free", &note(user)).await.failed(404, &missing);
    with_key(ADMIN).put_json(&format!("/users/{user}"), &json!({})).await.expect(201);
    let second = send(&api, "free", &note(user)).await.expect(201);
    assert!(second.header("idempotency-replayed").is_empty() && second.id() > first.id());
}

#[tokio::test]
async fn a_key_is_one_of_visible_characters() {
    let (user, api) = (fresh_user().await, with_key(SENDER));
    let reason = "Idempotency-Key must be one key of 1 to 255 visible ASCII characters, in quotes or without";
    let request = || api.request(Method::POST, "/send").json(&note(user));
    let long = "k".repeat(256);
    for key in ["", "\"\"", "\"open", "two words", "ä", long.as_str()] {
        let key = reqwest::header::HeaderValue::from_bytes(key.as_bytes()).expect("a header");
        ask(request().header("Idempotency-Key", key)).await.failed(400, reason);
    }
    let two = request().header("Idempotency-Key", "a").header("Idempotency-Key", "a");
    ask(two).await.failed(400, reason);
    assert_eq!(as_user(user).unread().await, 0);
}

const OLD: &str = "old-key-000000000000000000000000000000001";
const NEW: &str = "new-key-000000000000000000000000000000001";
const SETTINGS: &str = r#"
plugins: ./plugins
tenants: {default: {seed: [1]}}
api_keys:
  old-key-000000000000000000000000000000001: {}
"#;
const TYPE: &str = "description: d\nicon: package\nseverity: info\npipeline:\n";

/// Asks again until the answer is this.
async fn until_failed(api: &Api, body: &Value, reason: &str) {
    let start = Instant::now();
    loop {
        let answer = api.send(body).await;
        if answer.status != 201 {
            answer.body(400, &json!({"result": "Failed", "reason": reason}));
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "the change is not in force");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_outlives_a_reload_a_rotated_key_and_a_crash() {
    let gateway = Gateway::start_in(SETTINGS, |folder| {
        fs::create_dir_all(folder.join("plugins/shop/order")).expect("a folder");
        fs::write(folder.join("plugins/shop/order/type.yaml"), format!("{TYPE}  - safe_link\n"))
            .expect("a type");
    });
    let api = gateway.api().key(OLD);
    let body = json!({"user_id": 1, "type": "order", "title": "t"});
    let first = send(&api, "lasting", &body).await.expect(201);

    // The type refuses now what it took.
    let stricter = format!("{TYPE}  - required_fields: {{fields: [message]}}\n");
    fs::write(gateway.path("plugins/shop/order/type.yaml"), stricter).expect("a type");
    until_failed(&api, &body, "message is required").await;
    repeats(send(&api, "lasting", &body).await, &first);
    // So do the limits, and then the key is another.
    let replaced = format!("  {NEW}: {{replaces: \"{}\"}}\n", &hash_of(OLD)[..12]);
    let settings = SETTINGS.replace(&format!("  {OLD}: {{}}\n"), &replaced);
    fs::write(gateway.path("bellboard.yaml"), format!("{settings}limits: {{title: 1}}\n")).expect("settings");
    let start = Instant::now();
    let api = gateway.api().key(NEW);
    while api.get("/types").await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(60), "the key is not in force");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    repeats(send(&api, "lasting", &body).await, &first);

    let gateway = tokio::task::spawn_blocking(|| gateway.crash_and_restart()).await.expect("restarted");
    let api = gateway.api().key(NEW);
    repeats(send(&api, "lasting", &body).await, &first);
    send(&api, "lasting", &json!({"user_id": 1})).await.expect(422);
    gateway.stop();
}
