//! `POST /crm/notification/send/dry-run`, and `?dry_run=true` behind a send's path.

use serde_json::{Value, json};

use crate::support::{Answer, Api, Gateway, settings::*};

async fn dry(api: &Api, body: &Value) -> Answer {
    api.post_json("/send/dry-run", body).await
}

#[tokio::test]
async fn it_shows_what_a_send_stores_and_stores_nothing() {
    let (user, api) = (fresh_user().await, with_key(SENDER));
    let draft = json!({
        "user_id": user, "type": "billing_invoice", "title": "Your invoice", "related_user_id": 2,
        "related_ticket_id": 7, "metadata": {"invoice_id": 4711, "amount": 1.50, "due_date": "2026-02-01"},
    });
    let tried = dry(&api, &draft).await.expect(200).json();
    assert_eq!((&tried["result"], &tried["user_known"]), (&json!("Success"), &json!(true)));
    assert_eq!(tried["warnings"], json!([]));
    assert_eq!((as_user(user).unread().await, as_user(user).get("/").await.ids()), (0, vec![]));

    // A send of the same stores just that.
    api.post_json("/send", &draft).await.expect(201);
    let mut stored = as_user(user).get("/").await.expect(200).json()["notifications"][0].take();
    let fields = stored.as_object_mut().expect("a notification");
    assert!(fields.shift_remove("notification_id").is_some());
    let mut shown = tried["notification"].clone();
    assert_eq!(shown["link"], "/invoices/4711");
    for notification in [&mut shown, &mut stored] {
        assert!(notification["created_at"].take().is_string());
    }
    assert_eq!(shown.to_string(), stored.to_string(), "to the letter and in the same order");
}

#[tokio::test]
async fn it_tells_of_what_is_let_through_and_of_a_user_who_is_unknown() {
    let odd = json!({"user_id": 999, "type": "billing_invoice", "title": "t", "metadata": {"amount": [1]}});
    let tried = dry(&with_key(SENDER), &odd).await.expect(200).json();
    assert_eq!(tried["user_known"], false);
    let [warning] = tried["warnings"].as_array().expect("a list").as_slice() else { panic!("{tried}") };
    assert_eq!(
        (&warning["field"], &warning["component"]),
        (&json!("metadata.amount"), &json!("json_schema"))
    );
    assert!(warning["reason"].as_str().is_some_and(|r| r.starts_with("metadata.amount ")), "{warning}");

    // Where the tenant is strict, it is refused as a send is.
    let answer = dry(&with_key(ACME), &odd).await;
    let sent = with_key(ACME).send(&odd).await.expect(400);
    assert_eq!((answer.status, &answer.text), (400, &sent.text));

    // An open directory would make the user; the dry run does not.
    let user = fresh_id();
    let body = json!({"user_id": user, "type": "custom", "title": "t"});
    for _ in 0..2 {
        assert_eq!(dry(&with_key(OPEN), &body).await.expect(200).json()["user_known"], false);
    }
    with_key(OPEN).get(&format!("/users/{user}")).await.expect(404);
}

#[tokio::test]
async fn what_readers_see_of_a_sites_own_type_is_shown() {
    let body = json!({"user_id": 1, "type": "parcel", "title": "t", "metadata": {"until": "2100-01-01"}});
    let shown = dry(&with_key(ACME), &body).await.expect(200).json();
    assert_eq!(shown["notification"]["expires_at"], "2100-01-02T00:00:00Z");
    assert_eq!(shown["notification"]["icon"], "package");
}

#[tokio::test]
async fn it_may_do_no_more_than_a_send_and_spends_the_same_limit() {
    let body = json!({"user_id": 1, "type": "custom", "title": "t"});
    dry(&with_key(NOBODY), &body).await.failed(403, "Permission notification.send is required");
    dry(&with_key(BILLING), &body).await.failed(403, "This API key may not send the type custom");
    dry(&with_key(SENDER), &json!({"user_id": 1, "type": "custom"})).await.failed(400, "title is required");

    let mean = Gateway::start(
        "rate_limits: {per_key: {per_second: 1, burst: 2}}\ntenants: {default: {seed: [1]}}\n\
         api_keys: {a-key-that-may-ask-twice-and-no-more-1: {}}\n",
    );
    let api = mean.api().key("a-key-that-may-ask-twice-and-no-more-1");
    let mut answers = Vec::new();
    // The limit fills again while the test runs, so it may take some more.
    while answers.last() != Some(&429) && answers.len() < 50 {
        answers.push(dry(&api, &body).await.status);
    }
    assert_eq!((answers[0], answers.last()), (200, Some(&429)), "{answers:?}");
}

#[tokio::test]
async fn the_query_of_a_send_asks_for_it_too() {
    let (user, api) = (fresh_user().await, with_key(SENDER));
    let body = json!({"user_id": user, "type": "custom", "title": "Hello"});
    for query in ["dry_run=true", "dry_run", "dry_run=yes", "dry%5Frun=true"] {
        let tried = api.post_json(&format!("/send?{query}"), &body).await.expect(200).json();
        assert_eq!(tried["message"], "Dry run: nothing was stored", "{query}");
    }
    api.post_json("/send/?dry_run=true", &body).await.expect(200);
    assert_eq!(as_user(user).unread().await, 0);
    api.post_json("/send?dry_run=false", &body).await.expect(201);
    assert_eq!(as_user(user).unread().await, 1);
}
