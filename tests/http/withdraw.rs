//! `POST /crm/notification/withdraw`.

use serde_json::{Value, json};

use crate::support::{Gateway, Token, settings::*};

fn key_name(key: &str) -> String {
    format!("key:{}", &hash_of(key)[..12])
}

#[tokio::test]
async fn by_ids_it_is_gone_and_the_count_is_right_at_once() {
    let (one, two, admin) = (fresh_user().await, fresh_user().await, with_key(ADMIN));
    let (a, b, c) =
        (admin.notify(one, "a").await, admin.notify(one, "b").await, admin.notify(two, "c").await);
    assert_eq!((as_user(one).unread().await, as_user(two).unread().await), (2, 1));
    let answer = admin.post_json("/withdraw", &json!({"ids": [a, c]})).await;
    let request = answer.header("x-request-id").to_owned();
    answer.body(200, &json!({"result": "Success", "withdrawn": 2}));
    assert_eq!((as_user(one).unread().await, as_user(two).unread().await), (1, 0));
    assert_eq!(as_user(one).get("/").await.ids(), [b]);
    admin
        .post_json("/withdraw", &json!({"ids": [a, c]}))
        .await
        .body(200, &json!({"result": "Success", "withdrawn": 0}));
    let sent = admin.get(&format!("/sent?user_id={two}")).await;
    sent.body(200, &json!({"result": "Success", "sent": []}));
    let record = admin.get("/audit?limit=200&action=notification.withdrawn").await.expect(200).json();
    let ours: Vec<&Value> = record["records"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|r| r["request_id"] == request.as_str())
        .collect();
    let counts = ours.iter().filter_map(|record| record["detail"]["count"].as_i64());
    assert_eq!(counts.sum::<i64>(), 2, "in one record for each commit");
    assert_eq!(ours[0]["principal"], key_name(ADMIN));
}

#[tokio::test]
async fn by_collapse_key_it_takes_each_inboxs_latest() {
    let (user, admin) = (fresh_id(), with_key(ACME));
    admin.put_json(&format!("/users/{user}"), &json!({})).await.expect(201);
    let parcel = json!({"user_id": user, "type": "parcel", "title": "t", "metadata": {"parcel": user}});
    admin.send(&parcel).await.expect(201);
    let kept = admin.notify(user, "kept").await;
    let body = json!({"collapse_key": format!("parcel:{user}")});
    with_key(ADMIN)
        .post_json("/withdraw", &body)
        .await
        .body(200, &json!({"result": "Success", "withdrawn": 0}));
    admin.post_json("/withdraw", &body).await.body(200, &json!({"result": "Success", "withdrawn": 1}));
    assert_eq!(as_acme_user(user).get("/").await.ids(), [kept]);
    assert_eq!(as_acme_user(user).unread().await, 1);
}

#[tokio::test]
async fn what_a_leaked_key_sent_is_taken_back() {
    let settings = format!(
        "tenants: {{default: {{users: open, issuers: [{{algorithm: HS256, secret: {DEFAULT_SECRET}}}]}}}}\n\
         api_keys: {{{ADMIN}: {{roles: [admin]}}, {SENDER}: {{}}}}\n"
    );
    let gateway = Gateway::start(&settings);
    let (admin, leaked) = (gateway.api().key(ADMIN), gateway.api().key(SENDER));
    for user in 1..=5 {
        leaked.notify(user, "bad").await;
        leaked.notify(user, "bad").await;
        admin.notify(user, "good").await;
    }
    let as_user = |user| gateway.api().bearer(Token::of(DEFAULT_SECRET, user).sign());
    assert_eq!(as_user(3).unread().await, 3);
    let sender = key_name(SENDER);
    let past = json!({"sender": sender, "since": "2020-01-01T00:00:00Z", "until": "2021-01-01T00:00:00Z"});
    admin.post_json("/withdraw", &past).await.body(200, &json!({"result": "Success", "withdrawn": 0}));
    let all = json!({"sender": sender, "since": "2020-01-01T00:00:00Z"});
    admin.post_json("/withdraw", &all).await.body(200, &json!({"result": "Success", "withdrawn": 10}));
    for user in 1..=5 {
        assert_eq!((as_user(user).unread().await, as_user(user).get("/").await.ids().len()), (1, 1));
    }
}

#[tokio::test]
async fn it_says_what_is_wrong() {
    let api = with_key(ADMIN);
    let one = "Give one of ids, collapse_key and sender";
    let sender = "sender must be a principal's name, such as key:2c26b46b68ff, user:42 or hook:alerts";
    for (body, reason) in [
        (json!({}), one),
        (json!({"ids": [1], "collapse_key": "x"}), one),
        (json!({"ids": null}), one),
        (json!({"ids": 1}), "ids must be a list of ids"),
        (json!({"ids": []}), "ids must hold 1 to 1000 ids"),
        (json!({"ids": vec![1; 1001]}), "ids must hold 1 to 1000 ids"),
        (json!({"ids": ["1"]}), "ids must be an integer"),
        (json!({"ids": [0]}), "ids must be between 1 and 9007199254740991"),
        (json!({"ids": [1], "since": "2026-01-01T00:00:00Z"}), "since and until go with sender"),
        (json!({"collapse_key": ""}), "collapse_key must not be empty"),
        (json!({"collapse_key": 5}), "collapse_key must be a string"),
        (json!({"sender": "key:short", "since": "2026-01-01T00:00:00Z"}), sender),
        (json!({"sender": "key:2c26b46b68ff"}), "since is required"),
        (
            json!({"sender": "user:5", "since": "yesterday"}),
            "since must be a time with its offset, such as 2026-01-11T14:30:00Z",
        ),
    ] {
        api.post_json("/withdraw", &body).await.failed(400, reason);
    }
}
