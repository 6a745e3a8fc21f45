//! Fields that the gateway does not know: refused where nothing else may be sent, and reported where it may.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Api, Gateway, Token, api::ask, settings::*};

fn unknown(field: &str, hint: &str) -> Value {
    json!({"field": field, "reason": format!("{field} is unknown; {hint}"), "component": "core"})
}

const KNOWN: &str =
    "known: user_id, type, title, message, link, metadata, related_ticket_id, related_user_id";

#[tokio::test]
async fn a_send_is_stored_and_its_answer_names_them() {
    let (user, api) = (fresh_user().await, with_key(SENDER));
    let body = json!({"user_id": user, "type": "custom", "title": "t", "mesage": "m", "priority": 1});
    let warnings = json!([unknown("mesage", "did you mean message?"), unknown("priority", KNOWN)]);
    let sent = api.send(&body).await.expect(201).json();
    assert_eq!(sent["warnings"], warnings);
    assert_eq!(sent.as_object().expect("an object").keys().next_back().map(String::as_str), Some("warnings"));
    let tried = api.post_json("/send/dry-run", &body).await.expect(200).json();
    assert_eq!(tried["warnings"], warnings);
    let good = json!({"user_id": user, "type": "custom", "title": "t"});
    assert_eq!(api.send(&good).await.expect(201).json().get("warnings"), None);

    let items = json!({"items": [good, body]});
    let results = api.post_json("/send-batch", &items).await.expect(200).json()["results"].take();
    assert_eq!((results[0].get("warnings"), &results[1]["warnings"]), (None, &warnings));

    // What the type only warns of comes the same way.
    let odd = json!({"user_id": user, "type": "billing_invoice", "title": "t", "metadata": {"amount": [1]}});
    let warned = api.send(&odd).await.expect(201).json();
    assert_eq!(warned["warnings"][0]["field"], "metadata.amount");
    assert_eq!(warned["warnings"][0]["component"], "json_schema");

    // However many there are and however long they are, the answer stays short.
    let many: serde_json::Map<_, _> =
        (0..200).map(|n| (format!("{n}{}", "x".repeat(900)), json!(1))).collect();
    let mut body = good;
    body.as_object_mut().expect("an object").extend(many);
    let sent = api.send(&body).await.expect(201);
    assert!(sent.text.len() < 10_000, "{}", sent.text.len());
}

#[tokio::test]
async fn the_first_answer_to_a_key_is_given_again_with_its_warnings() {
    let (user, api) = (fresh_user().await, with_key(SENDER));
    let body = json!({"user_id": user, "type": "custom", "title": "t", "mesage": "m"});
    let send = async || {
        ask(api
            .request(Method::POST, "/send")
            .header("Idempotency-Key", format!("unknown-{user}"))
            .json(&body))
        .await
    };
    let (first, again) = (send().await.expect(201), send().await.expect(201));
    assert_eq!((&first.text, again.header("idempotency-replayed")), (&again.text, "true"));
    assert_eq!(first.json()["warnings"][0]["field"], "mesage");
}

#[tokio::test]
async fn a_tenant_may_refuse_them() {
    let key = "a-key-of-the-tenant-that-refuses-them-01";
    let settings = format!(
        "tenants: {{default: {{users: open, unknown_fields: refuse}}}}\napi_keys: {{{key}: {{roles: [sender]}}}}\n"
    );
    let gateway = Gateway::start(&settings);
    let api = gateway.api().key(key);
    let body = json!({"user_id": 1, "type": "custom", "title": "t", "mesage": "m"});
    let reason = "mesage is unknown; did you mean message?";
    api.send(&body).await.failed(400, reason);
    api.post_json("/send/dry-run", &body).await.failed(400, reason);
    let items = json!({"items": [{"user_id": 1, "type": "custom", "title": "t"}, body]});
    let results = api.post_json("/send-batch", &items).await.expect(200).json()["results"].take();
    assert_eq!(
        (&results[0]["status"], &results[1]["status"], &results[1]["reason"]),
        (&json!(201), &json!(400), &json!(reason))
    );
    gateway.stop();
}

#[tokio::test]
async fn every_other_body_is_refused_and_nothing_is_done() {
    let (user, admin) = (fresh_user().await, with_key(ADMIN));
    let own = as_user(user);
    admin.put_json(&format!("/users/{user}"), &json!({"display_name": "Ada"})).await.expect(200);
    let id = admin.notify(user, "x").await;
    let refused = async |api: &Api, method: Method, path: &str, body: Value, told: &str| {
        ask(api.request(method, path).json(&body)).await.failed(400, told);
    };
    let (put, post) = (Method::PUT, Method::POST);
    let sender = format!("key:{}", &hash_of(ADMIN)[..12]);
    for (method, path, body, told) in [
        (
            put,
            format!("/users/{user}"),
            json!({"displayname": "x"}),
            "displayname is unknown; did you mean display_name?",
        ),
        (
            post.clone(),
            "/withdraw".into(),
            json!({"sender": sender, "since": "2026-01-01T00:00:00Z", "untill": "2026-01-02T00:00:00Z"}),
            "untill is unknown; did you mean until?",
        ),
        (
            post.clone(),
            "/send-batch".into(),
            json!({"items": [{"user_id": user, "type": "custom", "title": "t"}], "atomik": true}),
            "atomik is unknown; did you mean atomic?",
        ),
    ] {
        refused(&admin, method, &path, body, told).await;
    }
    for (path, body, told) in [
        ("/mark-all-read", json!({"upto": id}), "upto is unknown; did you mean up_to?"),
        ("/mark-read", json!({"ids": [id], "all": true}), "all is unknown; known: ids"),
        ("/delete", json!({"ids": [id], "everything": 1}), "everything is unknown; known: ids"),
    ] {
        refused(&own, post.clone(), path, body, told).await;
    }
    assert_eq!((own.unread().await, own.get("/").await.ids()), (1, vec![id]));
    let profile = admin.get(&format!("/users/{user}")).await.expect(200).json();
    assert_eq!(profile["user"]["display_name"], "Ada");

    let lines =
        format!("{{\"user_id\": {user}, \"name\": \"x\"}}\n{{\"user_id\": {user}, \"locale\": \"de\"}}\n");
    let answer =
        ask(admin.request(post, "/users/import").header("Content-Type", "application/x-ndjson").body(lines))
            .await;
    let results: Vec<Value> =
        answer.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let known = "name is unknown; known: user_id, display_name, locale, time_zone";
    assert_eq!((&results[0]["reason"], &results[1]["result"]), (&json!(known), &json!("Success")));
}

#[tokio::test]
async fn a_parameter_says_what_it_takes() {
    let own = as_user(fresh_user().await);
    for (path, told) in [
        ("/?limit=1&unred=true", "unred is not a parameter of this operation; did you mean unread?"),
        ("/?unread=true&unread=false", "unread must be there once"),
        ("/?unread=True", "unread must be true or false"),
        ("/?limit=1e2", "limit must be an integer between 1 and 200"),
        ("/unread-count?tenant=acme", "tenant is not a parameter of this operation, which takes none"),
    ] {
        own.get(path).await.failed(400, told);
    }
    let (user, api) = (fresh_user().await, with_key(SENDER));
    let body = json!({"user_id": user, "type": "custom", "title": "t"});
    let hint = "dryrun is not a parameter of this operation; did you mean dry_run?";
    api.post_json("/send?dryrun=true", &body).await.failed(400, hint);
    api.post_json("/send?dry_run=true", &body).await.expect(200);
    assert_eq!(as_user(user).unread().await, 0);
    api.post_json("/send?dry_run=false", &body).await.expect(201);
}

#[tokio::test]
async fn a_dry_run_of_a_withdrawal_counts_and_takes_nothing() {
    let (one, two, admin) = (fresh_user().await, fresh_user().await, with_key(ADMIN));
    let (a, b) = (admin.notify(one, "a").await, admin.notify(two, "b").await);
    let sample = json!([{"notification_id": a, "user_id": one}, {"notification_id": b, "user_id": two}]);
    let dry =
        admin.post_json("/withdraw?dry_run=true", &json!({"ids": [a, b, 9_007_199_254_740_991_i64]})).await;
    let wanted =
        json!({"result": "Success", "withdrawn": 0, "matched": 2, "complete": true, "sample": sample});
    dry.body(200, &wanted);
    let token = Token::of(DEFAULT_SECRET, one).roles(&["admin"]);
    let key = format!("parcel-{one}");
    for title in ["first", "second"] {
        let body = json!({"user_id": one, "type": "custom", "title": title, "metadata": {"key": key}});
        shared().bearer(token.clone().sign()).send(&body).await.expect(201);
    }
    let sender = json!({"sender": format!("user:{one}"), "since": "2026-01-01T00:00:00Z"});
    let dry = admin.post_json("/withdraw?dry_run=true", &sender).await.expect(200).json();
    assert_eq!((&dry["matched"], &dry["complete"]), (&json!(2), &json!(true)));
    assert_eq!(as_user(one).unread().await, 3);
    admin.post_json("/withdraw?dry_run=maybe", &sender).await.failed(400, "dry_run must be true or false");
    admin
        .post_json("/withdraw?dry_run=false", &sender)
        .await
        .body(200, &json!({"result": "Success", "withdrawn": 2}));
}
