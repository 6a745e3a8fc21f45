//! `POST /crm/notification/send`.

use serde_json::json;

use crate::support::{Token, settings::*};

#[tokio::test]
async fn the_answer_has_the_contracts_fields_in_its_order() {
    let user = fresh_user().await;
    let body = format!(
        r#"{{"user_id":{user},"type":"provision_complete","title":"Line is up","message":"It can be used from now on","link":"/services/31","metadata":{{"service_id":31,"provision_job_id":"job-2026-0007","duration_seconds":45}}}}"#
    );
    let answer = with_key(SENDER).post_text("/send", body.clone()).await.expect(201);
    let (id, created) = (answer.id(), answer.json()["notification"]["created_at"].clone());
    let expected = format!(
        r#"{{"result":"Success","message":"Notification sent successfully","notification":{{"notification_id":{id},{},"is_read":false,"created_at":{created}}}}}"#,
        &body[1..body.len() - 1],
    );
    assert_eq!(answer.text, expected);
    assert_eq!(answer.header("content-type"), "application/json");
    let created = created.as_str().expect("text");
    assert!(created.len() == 20 && created.ends_with('Z'), "whole seconds of UTC: {created}");
}

#[tokio::test]
async fn only_what_was_sent_comes_back() {
    let user = fresh_user().await;
    let answer = with_key(SENDER).send(&json!({"user_id": user, "type": "custom", "title": "Hi"})).await;
    let keys: Vec<_> = answer.json()["notification"].as_object().expect("one").keys().cloned().collect();
    assert_eq!(keys, ["notification_id", "user_id", "type", "title", "is_read", "created_at"]);
}

#[tokio::test]
async fn what_it_is_related_to_comes_after_the_contracts_fields() {
    let user = fresh_user().await;
    let sent = json!({"user_id": user, "type": "ticket_mention", "title": "Look",
        "related_user_id": 5, "related_ticket_id": 42});
    let answer = with_key(SENDER).send(&sent).await.expect(201);
    let (id, created) = (answer.id(), &answer.json()["notification"]["created_at"]);
    let expected = json!({"result": "Success", "message": "Notification sent successfully", "notification": {
        "notification_id": id, "user_id": user, "type": "ticket_mention", "title": "Look", "link": "/tickets/42",
        "is_read": false, "created_at": created, "related_ticket_id": 42, "related_user_id": 5,
    }});
    answer.body(201, &expected);
}

#[tokio::test]
async fn metadata_comes_back_as_it_was_sent() {
    let user = fresh_user().await;
    let metadata =
        r#"{"z":1.50,"a": 12345678901234567890123,"m":{"y":1e300,"b":[-0.0,1E2]},"ü":"\u00fc😀","":null}"#;
    let body = format!(r#"{{"user_id":{user},"type":"custom","title":"t","metadata":{metadata}}}"#);
    let sent = with_key(SENDER).post_text("/send", body).await.expect(201);
    assert!(sent.text.contains(&format!(r#""metadata":{metadata},"is_read""#)), "{}", sent.text);
    let list = as_user(user).get("/").await.expect(200);
    assert!(list.text.contains(&format!(r#""metadata":{metadata}"#)), "{}", list.text);
}

#[tokio::test]
async fn required_fields_are_named_in_the_contracts_order() {
    let api = with_key(SENDER);
    for (body, reason) in [
        ("{}", "user_id is required"),
        (r#"{"type":"custom","title":"t"}"#, "user_id is required"),
        (r#"{"user_id":null,"type":"custom","title":"t"}"#, "user_id is required"),
        (r#"{"user_id":1}"#, "type is required"),
        (r#"{"user_id":1,"type":null,"title":""}"#, "type is required"),
        (r#"{"user_id":1,"type":"custom"}"#, "title is required"),
        (r#"{"user_id":1,"type":"custom","title":null}"#, "title is required"),
        (r#"{"user_id":1,"type":"custom","title":""}"#, "title is required"),
        ("{\"user_id\":1,\"type\":\"custom\",\"title\":\" \\t\\n\u{2003}\u{a0}\"}", "title is required"),
    ] {
        api.post_text("/send", body).await.failed(400, reason);
    }
}

#[tokio::test]
async fn of_two_faults_the_first_in_the_contracts_order_answers() {
    const RANGE: &str = "must be between 1 and 9007199254740991";
    let api = with_key(SENDER);
    let base = json!({"user_id": 1, "type": "custom", "title": "t"});
    for (more, reason) in [
        // What is missing comes before what is wrong.
        (json!({"user_id": "x", "title": null}), "title is required".to_owned()),
        (json!({"user_id": "1", "type": 5}), "user_id must be an integer".into()),
        (json!({"user_id": 1.5}), "user_id must be an integer".into()),
        (json!({"user_id": true}), "user_id must be an integer".into()),
        (json!({"user_id": 0, "type": 5}), format!("user_id {RANGE}")),
        (json!({"user_id": -1}), format!("user_id {RANGE}")),
        (json!({"user_id": 9_007_199_254_740_992_i64}), format!("user_id {RANGE}")),
        (json!({"type": 5, "title": 5}), "type must be a string".into()),
        (json!({"title": 5, "message": 5}), "title must be a string".into()),
        (json!({"title": "x".repeat(256), "message": 5}), "title must be at most 255 characters".into()),
        (json!({"message": 5, "link": 5}), "message must be a string".into()),
        (
            json!({"message": "x".repeat(10_001), "link": 5}),
            "message must be at most 10000 characters".into(),
        ),
        (json!({"link": 5, "metadata": 5}), "link must be a string".into()),
        (json!({"link": "x".repeat(2_049), "metadata": 5}), "link must be at most 2048 characters".into()),
        (json!({"metadata": [], "related_ticket_id": "x"}), "metadata must be an object".into()),
        (json!({"metadata": "{}"}), "metadata must be an object".into()),
        (
            json!({"related_ticket_id": "4", "related_user_id": "5"}),
            "related_ticket_id must be an integer".into(),
        ),
        (json!({"related_ticket_id": 0}), format!("related_ticket_id {RANGE}")),
        (json!({"related_user_id": {}, "type": "no_such"}), "related_user_id must be an integer".into()),
        (json!({"related_user_id": 0}), format!("related_user_id {RANGE}")),
        // The pipeline comes before the user.
        (
            json!({"user_id": 999, "link": "javascript:alert(1)"}),
            "link must be a path of the site or an http(s) URL".into(),
        ),
    ] {
        let mut body = base.clone();
        body.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
        api.send(&body).await.failed(400, &reason);
    }
}

#[tokio::test]
async fn an_unknown_type_is_told_the_known_ones_before_its_link_and_user() {
    let body = json!({"user_id": 999, "type": "no_such", "title": "t", "link": "javascript:x"});
    let known = "type must be one of: billing_invoice, billing_payment, custom, customer_reply, \
        provision_complete, provision_failed, service_expiring, system_alert, ticket_assigned, ticket_mention, \
        ticket_updated";
    with_key(SENDER).send(&body).await.failed(400, known);
    // What another tenant alone has is unknown here.
    let parcel = json!({"user_id": 1, "type": "parcel", "title": "t"});
    with_key(SENDER).send(&parcel).await.failed(400, known);
}

#[tokio::test]
async fn a_key_sends_only_the_types_it_may() {
    let api = with_key(BILLING);
    let user = fresh_user().await;
    api.notify_of("billing_invoice", user, "t").await;
    let other = json!({"user_id": 999, "type": "custom", "title": "t"});
    api.send(&other).await.failed(403, "This API key may not send the type custom");
}

#[tokio::test]
async fn a_title_can_be_seen_and_has_no_control_characters() {
    let (user, api) = (fresh_user().await, with_key(SENDER));
    let send =
        async |title: &str| api.send(&json!({"user_id": user, "type": "custom", "title": title})).await;
    for title in ["\u{200b}", "\u{3164}", "\u{2800} \u{ad}", "\u{fe0f}\u{e0041}\u{2060}", "\u{202e}\u{2066}"]
    {
        send(title).await.failed(400, "title is required");
    }
    for title in ["a\u{1b}[31m", "\u{7}", "b\u{7f}", "c\u{9b}"] {
        send(title).await.failed(400, "title must not contain control characters");
    }
    for title in ["one\ttwo\r\nthree", "👩\u{200d}💻 \u{202e}abc\u{202c}", "क्\u{200d}ष", "x\u{200b}"]
    {
        let sent = send(title).await.expect(201).json();
        assert_eq!(sent["notification"]["title"], title, "as it was sent");
    }
}

#[tokio::test]
async fn an_unknown_user_is_the_last_thing_told() {
    let body = json!({"user_id": 999, "type": "custom", "title": "t"});
    with_key(SENDER).send(&body).await.failed(404, "User 999 not found");
}

#[tokio::test]
async fn lengths_are_counted_in_characters() {
    let api = with_key(SENDER);
    let user = fresh_user().await;
    for (field, max) in [("title", 255), ("message", 10_000)] {
        for letter in ["ü", "😀"] {
            let mut body = json!({"user_id": user, "type": "custom", "title": "t"});
            body[field] = letter.repeat(max).into();
            let answer = api.send(&body).await.expect(201);
            assert_eq!(answer.json()["notification"][field], body[field]);
            body[field] = letter.repeat(max + 1).into();
            api.send(&body).await.failed(400, &format!("{field} must be at most {max} characters"));
        }
    }
    let link = format!("/{}", "ü".repeat(2_047));
    api.send(&json!({"user_id": user, "type": "custom", "title": "t", "link": link})).await.expect(201);
}

#[tokio::test]
async fn metadata_is_bounded_in_bytes_as_sent_and_in_depth() {
    let api = with_key(SENDER);
    let user = fresh_user().await;
    let body =
        |metadata: &str| format!(r#"{{"user_id":{user},"type":"custom","title":"t","metadata":{metadata}}}"#);
    let sized = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
    api.post_text("/send", body(&sized(16_384))).await.expect(201);
    api.post_text("/send", body(&sized(16_385))).await.failed(400, "metadata must be at most 16384 bytes");
    let nested = |levels: usize| format!("{}{{}}{}", r#"{"a":"#.repeat(levels - 1), "}".repeat(levels - 1));
    api.post_text("/send", body(&nested(32))).await.expect(201);
    api.post_text("/send", body(&nested(33))).await.failed(400, "metadata must nest at most 32 levels deep");
}

#[tokio::test]
async fn nulls_count_as_absent_and_unknown_fields_are_passed_over() {
    let user = fresh_user().await;
    let body = json!({"user_id": user, "type": "custom", "title": "t", "message": null, "link": null,
        "metadata": null, "related_ticket_id": null, "related_user_id": null,
        "priority": "high", "is_read": true, "notification_id": 1, "extra": {"a": [1]}});
    let answer = with_key(SENDER).send(&body).await.expect(201);
    let keys: Vec<_> = answer.json()["notification"].as_object().expect("one").keys().cloned().collect();
    assert_eq!(keys, ["notification_id", "user_id", "type", "title", "is_read", "created_at"]);
    assert_eq!(answer.json()["notification"]["is_read"], false);
}

#[tokio::test]
async fn links_lead_to_the_site_or_the_web() {
    let user = fresh_user().await;
    let body = |link: &str| json!({"user_id": user, "type": "custom", "title": "t", "link": link});
    for link in ["/a?b=1#c", "a/b", "https://example.org/x", "HTTP://example.org"] {
        let answer = with_key(SENDER).send(&body(link)).await.expect(201);
        assert_eq!(answer.json()["notification"]["link"], link);
    }
    for link in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "/\\evil.example",
        "\tjavascript:x",
        "java\nscript:x",
        "",
        "https:",
        "ftp://x",
    ] {
        let answer = with_key(SENDER).send(&body(link)).await.expect(400);
        let reason = answer.json()["reason"].as_str().expect("text").to_owned();
        assert!(reason.starts_with("link must"), "{link:?}: {reason}");
    }
}

#[tokio::test]
async fn standard_types_take_any_metadata_unless_the_tenant_is_strict() {
    let wrong = json!({"amount": [1], "due_date": 5});
    let body =
        |user: i64| json!({"user_id": user, "type": "billing_invoice", "title": "t", "metadata": wrong});
    with_key(SENDER).send(&body(fresh_user().await)).await.expect(201);
    let refused = with_key(ACME).send(&body(1)).await.expect(400);
    let reason = refused.json()["reason"].as_str().expect("text").to_owned();
    assert!(
        reason.contains("metadata.amount") && reason.contains("metadata.due_date"),
        "every problem: {reason}"
    );
}

#[tokio::test]
async fn templates_fill_what_was_left_out_and_only_that() {
    let user = fresh_user().await;
    let mut body = json!({"user_id": user, "type": "billing_invoice", "title": "t",
        "metadata": {"invoice_id": 7, "due_date": "2026-02-01"}});
    let made = with_key(SENDER).send(&body).await.expect(201).json();
    assert_eq!(made["notification"]["link"], "/invoices/7");
    assert_eq!(made["notification"]["message"], "Invoice 7 is due on 2026-02-01.");
    body["link"] = "/mine".into();
    let kept = with_key(SENDER).send(&body).await.expect(201).json();
    assert_eq!(kept["notification"]["link"], "/mine");
}

#[tokio::test]
async fn two_identical_sends_make_two_growing_ids() {
    let user = fresh_user().await;
    let body =
        json!({"user_id": user, "type": "provision_complete", "title": "t", "metadata": {"service_id": 1}});
    let first = with_key(SENDER).send(&body).await.expect(201).id();
    let second = with_key(SENDER).send(&body).await.expect(201).id();
    assert!(second > first);
    assert_eq!(as_user(user).get("/").await.ids(), [second, first]);
}

#[tokio::test]
async fn an_open_directory_makes_the_user_with_the_first_send() {
    let user = fresh_id();
    let reader = shared().bearer(Token::of(OPEN_SECRET, user).sign());
    assert_eq!(reader.unread().await, 0, "nobody has written yet");
    with_key(OPEN).get(&format!("/users/{user}")).await.failed(404, &format!("User {user} not found"));
    let id = with_key(OPEN).notify(user, "t").await;
    assert_eq!(reader.get("/").await.ids(), [id]);
    with_key(OPEN).get(&format!("/users/{user}")).await.expect(200);
}

#[tokio::test]
async fn a_bearer_sends_when_a_role_allows_it() {
    let user = fresh_user().await;
    let body = json!({"user_id": user, "type": "custom", "title": "t"});
    let token = |roles: &[&str]| shared().bearer(Token::of(DEFAULT_SECRET, 1).roles(roles).sign());
    token(&["admin"]).send(&body).await.expect(201);
    token(&["nobody", "sender"]).send(&body).await.expect(201);
    token(&["reader"]).send(&body).await.failed(403, "Permission notification.send is required");
    as_user(1).send(&body).await.failed(403, "Permission notification.send is required");
    let one = shared().bearer(Token::of(DEFAULT_SECRET, 1).claim("roles", "admin").sign());
    one.send(&body).await.expect(201);
}
