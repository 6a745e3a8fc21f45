//! `POST /crm/notification/mark-all-read`.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::json;

use crate::support::{api::ask, settings::*};

#[tokio::test]
async fn it_marks_all_and_says_how_many_were_unread() {
    let user = fresh_user().await;
    let api = as_user(user);
    for _ in 0..3 {
        with_key(SENDER).notify(user, "t").await;
    }
    api.post("/mark-all-read").await.body(200, &json!({"result": "Success", "updated": 3}));
    api.post("/mark-all-read").await.body(200, &json!({"result": "Success", "updated": 0}));
    assert!(api.get("/").await.json()["notifications"][2]["read_at"].is_string());
}

#[tokio::test]
async fn a_long_inbox_is_marked_to_its_end() {
    let user = fresh_user().await;
    let sends = (0..700).map(|_| with_key(SENDER)).map(|api| async move { api.notify(user, "t").await });
    futures_util::stream::iter(sends).buffer_unordered(16).for_each(|_| async {}).await;
    let api = as_user(user);
    api.post("/mark-all-read").await.body(200, &json!({"result": "Success", "updated": 700}));
    assert_eq!(api.unread().await, 0);
}

#[tokio::test]
async fn what_arrived_unseen_stays_unread() {
    let user = fresh_user().await;
    let api = as_user(user);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(with_key(SENDER).notify(user, "t").await);
    }
    let updated = |n: i64| json!({"result": "Success", "updated": n});
    api.post_json("/mark-all-read", &json!({"up_to": ids[1]})).await.body(200, &updated(2));
    assert_eq!(api.get("/?unread=true").await.ids(), [ids[3], ids[2]]);
    api.post_json("/mark-all-read", &json!({"up_to": ids[1]})).await.body(200, &updated(0));
    api.post_json("/mark-all-read", &json!({"up_to": null})).await.body(200, &updated(2));
}

#[tokio::test]
async fn the_body_may_be_left_out_but_not_be_wrong() {
    let api = as_user(fresh_user().await);
    let none = json!({"result": "Success", "updated": 0});
    api.post_text("/mark-all-read", "").await.body(200, &none);
    api.post_text("/mark-all-read", "{}").await.body(200, &none);
    let range = "up_to must be between 1 and 9007199254740991";
    for (body, reason) in [
        (r#"{"up_to":0}"#, range),
        (r#"{"up_to":9007199254740992}"#, range),
        (r#"{"up_to":"7"}"#, "up_to must be an integer"),
        ("[]", "The body must be a JSON object"),
        ("{", "Malformed JSON: EOF while parsing an object at line 1 column 1"),
    ] {
        api.post_text("/mark-all-read", body).await.failed(400, reason);
    }
    let form = api.request(Method::POST, "/mark-all-read").header("Content-Type", "text/plain").body("{}");
    ask(form).await.failed(415, "Content-Type must be application/json");
}
