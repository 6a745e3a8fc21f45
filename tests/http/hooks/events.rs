//! What becomes of events: mapped, collapsed, stored once, each for itself.

use serde_json::{Value, json};

use super::{bring, inbox, metric, post, reader, received, titles, *};
use crate::support::settings::{ADMIN, fresh_id};

fn alert(user: i64, name: &str, status: &str) -> Value {
    json!({
        "status": status, "labels": {"alertname": name, "severity": "page", "user_id": user.to_string()},
        "annotations": {"summary": format!("{name} of {user}"), "description": "It is full."},
        "startsAt": "2026-01-11T14:30:00Z", "endsAt": "2026-01-11T14:35:00Z",
        "generatorURL": "http://prometheus.example/graph", "fingerprint": format!("{name}{user}"),
    })
}

fn group(alerts: &[Value]) -> Value {
    json!({"version": "4", "groupKey": "{}", "status": "firing", "receiver": "bellboard", "alerts": alerts})
}

#[tokio::test]
async fn firing_and_resolved_are_one_notification() {
    let user = fresh_id();
    let firing = group(&[alert(user, "Disk", "firing")]);
    post("alerts", &firing).await.body(200, &received(1, 0, 0, 0));
    let fired = inbox(user).await;
    assert_eq!(titles(&fired), [format!("Disk of {user}")]);
    assert_eq!((&fired[0]["type"], &fired[0]["severity"]), (&json!("system_alert"), &json!("critical")));
    assert_eq!(fired[0]["link"], "http://prometheus.example/graph");
    // The group comes again whenever it changes.
    let more = group(&[alert(user, "Disk", "firing"), alert(user, "Memory", "firing")]);
    post("alerts", &more).await.body(200, &received(1, 1, 0, 0));
    post("alerts", &more).await.body(200, &received(0, 2, 0, 0));
    let resolved = group(&[alert(user, "Disk", "resolved")]);
    post("alerts", &resolved).await.body(200, &received(1, 0, 0, 0));
    let now = inbox(user).await;
    assert_eq!(titles(&now), [format!("Resolved: Disk of {user}"), format!("Memory of {user}")]);
    assert_eq!(now[0]["severity"], "success");
    // One that is late is not news.
    post("alerts", &firing).await.body(200, &received(0, 1, 0, 0));
    assert_eq!(inbox(user).await, now);
}

#[tokio::test]
async fn what_was_read_stays_and_its_end_is_news() {
    let user = fresh_id();
    post("alerts", &group(&[alert(user, "Disk", "firing")])).await.expect(200);
    reader(user).post("/mark-all-read").await.expect(200);
    post("alerts", &group(&[alert(user, "Disk", "resolved")])).await.expect(200);
    assert_eq!(titles(&inbox(user).await), [format!("Resolved: Disk of {user}"), format!("Disk of {user}")]);
    assert_eq!(reader(user).unread().await, 1);
}

#[tokio::test]
async fn one_bad_event_drops_no_other_and_all_may_come_again() {
    let user = fresh_id();
    let mut nameless = alert(user, "x", "firing");
    nameless["labels"].as_object_mut().expect("labels").remove("alertname");
    nameless.as_object_mut().expect("an alert").remove("annotations");
    let mut body = group(&[alert(user, "A", "firing"), nameless, alert(user, "C", "firing")]);
    let reason = "alerts[1].title came to nothing: the event lacks what it is made from";
    for _ in 0..2 {
        post("alerts", &body).await.failed(400, reason);
        let mut stored = inbox(user).await;
        stored.sort_by_key(|n| n["title"].to_string());
        assert_eq!(titles(&stored), [format!("A of {user}"), format!("C of {user}")]);
    }
    body["alerts"][1] = alert(user, "B", "firing");
    post("alerts", &body).await.body(200, &received(1, 2, 0, 0));
    post("alerts", &json!({"alerts": 5})).await.failed(400, "alerts must be a list");
}

#[tokio::test]
async fn who_is_not_known_has_somebody_who_stands_in() {
    let unknown = r#"bellboard_hook_unknown_recipients_total{hook="alerts",tenant="default"}"#;
    let before = metric(unknown);
    let mut stray = alert(0, "Stray", "firing");
    stray["labels"]["user_id"] = "nobody".into();
    let user = fresh_id();
    post("alerts", &group(&[stray, alert(user, "Own", "firing")])).await.body(200, &received(2, 0, 0, 1));
    assert!(titles(&inbox(900).await).contains(&"Stray of 0"));
    assert_eq!(titles(&inbox(user).await), [format!("Own of {user}")]);
    assert_eq!(metric(unknown), before + 1);

    // A managed directory knows who there is; those who stand in get it once each, and once in all.
    let event = json!({"user_id": 77, "title": "For 77", "id": "77"});
    post("known", &event).await.body(200, &received(2, 0, 0, 1));
    post("known", &event).await.body(200, &received(0, 2, 0, 1));
    post("known", &json!({"user_id": 3, "title": "For 3"})).await.body(200, &received(1, 0, 0, 0));
    let nobody = "recipients name nobody that is known, and nobody stands in";
    post("strict", &event).await.failed(400, nobody);
    post("strict", &json!({"title": "For none"})).await.failed(400, nobody);
}

#[tokio::test]
async fn a_sender_of_the_sites_own_needs_no_code() {
    let user = fresh_id();
    let entry = |nr: i64, door: &str, state: &str| json!({"nr": nr, "door": door, "state": state, "badge": user, "at": 1.5});
    let log = json!({"log": {"entries": [entry(1, "b1", "open"), entry(2, "b1", "shut"), entry(3, "a/2", "open")]}});
    post("door", &log).await.body(200, &received(2, 0, 1, 0));
    let mut stored = inbox(user).await;
    stored.sort_by_key(|n| n["title"].to_string());
    assert_eq!(titles(&stored), ["Vault was opened", "a/2 was opened"]);
    assert_eq!(stored[1]["link"], "/doors/a%2F2");
    assert_eq!(stored[0]["metadata"], json!({"at": 1.5, "by": {"badge": user}}));
    // Two events that pass for one: none is dropped without a word.
    let twice = json!({"log": {"entries": [entry(9, "b1", "open"), entry(9, "b2", "open")]}});
    post("door", &twice).await.failed(400, "log.entries[1].id is the same as that of another event");
    assert_eq!(inbox(user).await.len(), 3);
}

#[tokio::test]
async fn anything_that_posts_json_can_send() {
    let event = json!({"recipient": "ops", "subject": "Backup", "body": "Done.", "level": "success"});
    // Without an id it is another event each time.
    for _ in 0..2 {
        post("anything", &event).await.body(200, &received(2, 0, 0, 0));
    }
    assert_eq!(titles(&inbox(701).await), ["Backup", "Backup"]);
    assert_eq!(inbox(702).await[0]["message"], "Done.");
    // What is too long for a title is cut, and what is no link is left out.
    let user = fresh_id();
    let long = json!({"user_id": user, "title": "ü".repeat(300), "url": "data:text/html,x"});
    post("anything", &long).await.expect(200);
    let stored = inbox(user).await;
    assert_eq!(stored[0]["title"].as_str().map(|title| title.chars().count()), Some(255));
    assert_eq!(stored[0].get("link"), None);
    for (body, reason) in [
        ("[]", "The body must be a JSON object"),
        (r#"{"a":1,"a":2}"#, r#"Malformed JSON: the key "a" stands twice in one object at line 1 column 10"#),
        (r#"{"user_id":1,"title":"t","type":"none"}"#, ""),
    ] {
        let answer = bring("anything", body, &[("X-API-KEY", TOKEN)]).await.expect(400);
        assert!(
            answer.json()["reason"].as_str().is_some_and(|told| told.starts_with(reason)),
            "{}",
            answer.text
        );
    }
    bring("anything", &"x".repeat(262_145), &[("X-API-KEY", TOKEN)])
        .await
        .failed(413, "The body is too large");
}

#[tokio::test]
async fn what_is_wrong_with_events_has_a_code_of_its_own_and_points_at_the_event() {
    let refused = async |hook: &str, event: &Value| {
        let headers = [("X-API-KEY", TOKEN), ("Accept", "application/problem+json")];
        let told = bring(hook, &event.to_string(), &headers).await.expect(400).json();
        assert_eq!(told["code"], "events_refused", "{told}");
        let problems = told["problems"].as_array().expect("problems");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        problems.iter().map(|p| (text(&p["code"]), text(&p["field"]))).collect::<Vec<_>>()
    };
    let one = |code: &str, field: &str| vec![(code.to_owned(), field.to_owned())];
    let user = fresh_id();
    let unknown = json!({"user_id": user, "title": "t", "type": "none"});
    assert_eq!(refused("anything", &unknown).await, one("unknown_type", ""));
    assert_eq!(refused("anything", &json!({"user_id": user})).await, one("invalid", ""));
    assert_eq!(refused("narrow", &json!({"user_id": user, "title": "t"})).await, one("invalid", ""));
    let mut alert = alert(user, "Odd", "firing");
    alert["labels"]["notification_type"] = "none".into();
    assert_eq!(refused("alerts", &group(&[alert])).await, one("unknown_type", "/alerts/0"));
}

#[tokio::test]
async fn what_no_rule_is_for_is_taken_and_counted() {
    let ignored = r#"bellboard_hook_events_total{hook="payments",outcome="ignored",tenant="default"}"#;
    let before = metric(ignored);
    let body = json!({"id": "evt_9", "type": "customer.created"}).to_string();
    let now = super::proof::now();
    let header = format!("t={now},v1={}", sign(NEW, &format!("{now}.{body}")));
    bring("payments", &body, &[("Stripe-Signature", &header)]).await.body(200, &received(0, 0, 1, 0));
    assert_eq!(metric(ignored), before + 1);
}

#[tokio::test]
async fn a_hook_is_a_principal_like_a_key() {
    let user = fresh_id();
    let event = |kind: &str| json!({"user_id": user, "title": "t", "type": kind});
    post("idle", &event("custom")).await.failed(403, "Permission notification.send is required");
    post("narrow", &event("custom"))
        .await
        .failed(400, "type must be one that this hook may send, which custom is not");
    post("narrow", &event("billing_invoice")).await.expect(200);
    let admin = GATEWAY.api().key(ADMIN);
    let sent = admin.get(&format!("/sent?sender=hook:narrow&user_id={user}")).await.expect(200).json();
    assert_eq!(sent["sent"][0]["sender"], "hook:narrow");
    let audit = admin.get("/audit?principal=hook:narrow&action=key.used").await.expect(200).json();
    assert_eq!(audit["records"].as_array().map(Vec::len), Some(1), "{audit}");
    let since = json!({"sender": "hook:narrow", "since": "2026-01-01T00:00:00Z"});
    let withdrawn = admin.post_json("/withdraw", &since).await.expect(200).json();
    assert_eq!(withdrawn["withdrawn"], 1);
    assert!(inbox(user).await.is_empty());
}

#[tokio::test]
async fn a_sender_that_comes_too_often_is_told_in_the_way_it_understands() {
    let user = fresh_id();
    let body = group(&[alert(user, "Often", "firing")]);
    let over = async |hook: &str, body: &Value| {
        for _ in 0..50 {
            let answer = post(hook, body).await;
            if answer.status != 200 {
                return answer;
            }
        }
        panic!("{hook} has no limit");
    };
    let busy = over("slow", &body).await.failed(503, "The service is busy; try again");
    let told = over("slower", &json!({"user_id": user, "title": "t"})).await;
    let told = told.failed(429, "Rate limit exceeded; retry in 1 s");
    for answer in [busy, told] {
        assert_eq!(answer.header("retry-after"), "1");
        assert!(answer.header("ratelimit").starts_with("\"key\";r=0"), "{answer:?}");
    }
}

#[tokio::test]
async fn metadata_nests_no_deeper_than_that_of_a_send() {
    let user = fresh_id();
    let event = |levels: usize| {
        let data = (1..levels).fold(json!({}), |inner, _| json!({"a": inner}));
        json!({"title": "Deep", "user_id": user, "data": data})
    };
    // The mapping puts it one level further down.
    post("anything", &event(31)).await.expect(200);
    for levels in [32, 100] {
        let told = post("anything", &event(levels)).await.expect(400).json();
        let reason = told["reason"].as_str().expect("a reason").to_owned();
        assert!(reason.contains("metadata must nest at most 32 levels deep"), "{told}");
    }
    assert_eq!(titles(&inbox(user).await), ["Deep"]);
}

#[tokio::test]
async fn a_delivery_costs_what_it_comes_to_and_the_rest_is_summarized() {
    let user = fresh_id();
    let alerts: Vec<_> = (0..100).map(|n| alert(user, &format!("A{n}"), "firing")).collect();
    let mut wanted = received(30, 0, 0, 0);
    wanted["summarized"] = 71.into();
    post("fan-out", &group(&alerts)).await.body(200, &wanted);
    let stored = inbox(user).await;
    let summary = format!("A29 of {user} and 70 more");
    assert_eq!(titles(&stored).iter().filter(|title| **title == summary).count(), 1, "{:?}", titles(&stored));
    assert_eq!(stored.len(), 30);
    // Not enough is left of its limit for ten.
    let busy = post("fan-out", &group(&alerts[40..50])).await.failed(503, "The service is busy; try again");
    assert!(busy.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    assert_eq!(inbox(user).await, stored, "nothing was stored");
}

#[tokio::test]
async fn control_characters_leave_a_title_and_one_that_nobody_sees_is_none() {
    let user = fresh_id();
    let event = |title: &str| json!({"user_id": user, "title": title});
    post("anything", &event("Disk \u{1b}[31mfull\u{7}")).await.body(200, &received(1, 0, 0, 0));
    assert_eq!(titles(&inbox(user).await), ["Disk [31mfull"]);
    assert_eq!(post("anything", &event("\u{200b}\u{3164}")).await.status, 400);
}

#[tokio::test]
async fn more_unknown_recipients_than_the_burst_go_to_the_fallback() {
    let alerts: Vec<_> =
        (0..15).map(|n| alert(if n < 3 { n + 1 } else { 1_000_000 + n }, "C", "firing")).collect();
    let told = post("few", &group(&alerts)).await.expect(200).json();
    assert_eq!((&told["unknown_recipients"], &told["stored"]), (&json!(12), &json!(10)), "{told}");
    // Of user 1 there are thirteen, of the others one each.
    assert_eq!(told["summarized"], 6, "{told}");
}

#[tokio::test]
async fn each_recipient_of_an_event_counts() {
    let user = fresh_id();
    let alerts: Vec<_> = (0..10).map(|n| alert(user, &format!("B{n}"), "firing")).collect();
    post("fan-429", &group(&alerts)).await.body(200, &received(30, 0, 0, 0));
    assert_eq!(inbox(711).await.len(), 10);
    assert_eq!(post("fan-429", &group(&alerts[..9])).await.status, 429);
}
