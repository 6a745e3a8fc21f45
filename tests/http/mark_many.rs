//! `POST /crm/notification/mark-read` and `POST /crm/notification/delete`: some of one's own inbox at once.

use serde_json::{Value, json};

use crate::support::{Token, settings::*, stream::Stream};

fn changed(changed: u64, unread: u64, not_found: &[i64]) -> Value {
    json!({"result": "Success", "changed": changed, "unread_count": unread, "not_found": not_found})
}

#[tokio::test]
async fn several_are_marked_and_deleted_as_if_each_alone() {
    let (user, other) = (fresh_user().await, fresh_user().await);
    let (api, sender) = (as_user(user), with_key(SENDER));
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(sender.notify(user, "t").await);
    }
    let foreign = sender.notify(other, "t").await;
    let never = 9_007_199_254_740_991;
    let mut stream = Stream::open(&api, None).await;
    stream.expect("ready").await;

    let asked = json!({"ids": [ids[1], foreign, ids[0], ids[1], never]});
    api.post_json("/mark-read", &asked).await.body(200, &changed(2, 2, &[foreign, never]));
    for (id, unread) in [(ids[1], 3), (ids[0], 2)] {
        let told = stream.expect("read").await;
        assert_eq!((told.about(), told.unread()), (id, unread));
    }
    api.post_json("/mark-read", &asked).await.body(200, &changed(0, 2, &[foreign, never]));

    let asked = json!({"ids": [ids[0], foreign, ids[3]]});
    api.post_json("/delete", &asked).await.body(200, &changed(2, 1, &[foreign]));
    let (first, second) = (stream.expect("deleted").await, stream.expect("deleted").await);
    assert_eq!((first.about(), first.unread()), (ids[0], 2));
    assert_eq!((second.about(), second.unread()), (ids[3], 1));
    api.post_json("/delete", &asked).await.body(200, &changed(0, 1, &[ids[0], foreign, ids[3]]));
    assert_eq!(api.get("/").await.ids(), [ids[2], ids[1]]);
    assert_eq!(as_user(other).unread().await, 1);

    api.post(&format!("/{}/restore", ids[3])).await.expect(200);
    api.post(&format!("/{}/restore", ids[0])).await.expect(200);
    assert_eq!((api.get("/").await.ids().len(), api.unread().await), (4, 2));
}

#[tokio::test]
async fn a_thousand_go_in_one_request() {
    let user = fresh_user().await;
    let api = as_user(user);
    let note = json!({"user_id": user, "type": "custom", "title": "t"});
    let sent =
        with_key(SENDER).post_json("/send-batch", &json!({"items": vec![note; 1_000]})).await.expect(200);
    let sent = sent.json();
    let ids: Vec<_> = sent["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|result| result["notification"]["notification_id"].clone())
        .collect();
    api.post_json("/mark-read", &json!({ "ids": ids })).await.body(200, &changed(1_000, 0, &[]));
    api.post_json("/delete", &json!({ "ids": ids })).await.body(200, &changed(1_000, 0, &[]));
    assert_eq!(api.get("/").await.ids(), [0_i64; 0]);
}

#[tokio::test]
async fn the_ids_are_checked() {
    let api = as_user(fresh_user().await);
    for (body, reason) in [
        (json!({}), "ids is required"),
        (json!({"ids": null}), "ids is required"),
        (json!({"ids": []}), "ids must hold 1 to 1000 ids"),
        (json!({"ids": vec![1; 1_001]}), "ids must hold 1 to 1000 ids"),
        (json!({"ids": 7}), "ids must be a list of ids"),
        (json!({"ids": [7, "8"]}), "ids must be an integer"),
        (json!({"ids": [0]}), "ids must be between 1 and 9007199254740991"),
    ] {
        for path in ["/mark-read", "/delete"] {
            api.post_json(path, &body).await.failed(400, reason);
        }
    }
}

#[tokio::test]
async fn in_an_open_directory_nobody_has_an_empty_inbox() {
    let api = shared().bearer(Token::of(OPEN_SECRET, fresh_id()).sign());
    for path in ["/mark-read", "/delete"] {
        api.post_json(path, &json!({"ids": [7]})).await.body(200, &changed(0, 0, &[7]));
    }
}
