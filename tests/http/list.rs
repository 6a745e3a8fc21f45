//! `GET /crm/notification/`.

use serde_json::{Value, json};

use crate::support::{Api, Token, settings::*};

/// A user with so many notifications of the type `custom`, oldest first.
async fn filled(count: usize) -> (Api, i64, Vec<i64>) {
    let user = fresh_user().await;
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(with_key(SENDER).notify(user, &format!("n{n}")).await);
    }
    (as_user(user), user, ids)
}

#[tokio::test]
async fn a_page_says_all_there_is_to_say() {
    let user = fresh_user().await;
    let body = json!({"user_id": user, "type": "system_alert", "title": "Disk", "message": "85%", "link": "/a",
        "metadata": {"severity": "critical"}, "related_ticket_id": 4, "related_user_id": 5});
    let sent = with_key(SENDER).send(&body).await.expect(201);
    let (id, created) = (sent.id(), sent.json()["notification"]["created_at"].clone());
    let expected = json!({"result": "Success", "notifications": [{
        "notification_id": id, "user_id": user, "type": "system_alert", "title": "Disk", "message": "85%",
        "link": "/a", "metadata": {"severity": "critical"}, "related_ticket_id": 4, "severity": "critical",
        "icon": "alert-triangle", "related_user_id": 5, "is_read": false, "created_at": created,
    }], "unread_count": 1});
    as_user(user).get("/").await.body(200, &expected);
}

#[tokio::test]
async fn an_empty_inbox_is_an_empty_page() {
    let empty = json!({"result": "Success", "notifications": [], "unread_count": 0});
    as_user(fresh_user().await).get("/").await.body(200, &empty);
}

#[tokio::test]
async fn both_forms_of_the_path_answer_the_same() {
    let (api, _, _) = filled(3).await;
    let plain = api.get("").await.expect(200).text;
    assert_eq!(api.get("/").await.expect(200).text, plain);
    let first = api.get("?limit=1").await.expect(200);
    assert_eq!(api.get("/?limit=1").await.expect(200).text, first.text);
    assert_eq!(first.ids().len(), 1);
}

/// Every page of a query, one after the other.
async fn pages(api: &Api, query: &str) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/?{query}{cursor}")).await.expect(200);
        pages.push(page.ids());
        match &page.json()["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            Value::Null => return pages,
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn pages_show_every_notification_once_newest_first() {
    let (api, user, mut ids) = filled(7).await;
    ids.reverse();
    assert_eq!(pages(&api, "limit=3").await, [&ids[..3], &ids[3..6], &ids[6..]]);
    assert_eq!(pages(&api, "limit=7").await, [&ids[..]], "a full last page leads to no empty one");
    assert_eq!(pages(&api, "").await, [&ids[..]]);
    // What arrives meanwhile moves no page.
    let first = api.get("/?limit=3").await;
    with_key(SENDER).notify(user, "late").await;
    let next = format!("/?limit=3&cursor={}", first.json()["next_cursor"].as_str().expect("more"));
    assert_eq!(api.get(&next).await.ids(), ids[3..6]);
}

#[tokio::test]
async fn filters_hold_across_pages_and_the_count_is_of_the_whole_inbox() {
    let user = fresh_user().await;
    let (api, sender) = (as_user(user), with_key(SENDER));
    let (mut alerts, mut unread) = (Vec::new(), Vec::new());
    for n in 0..6 {
        let kind = if n % 2 == 0 { "system_alert" } else { "custom" };
        let id = sender.notify_of(kind, user, "t").await;
        if kind == "system_alert" {
            alerts.insert(0, id);
        }
        if n < 2 {
            api.post(&format!("/{id}/mark-read")).await.expect(200);
        } else {
            unread.insert(0, id);
        }
    }
    assert_eq!(pages(&api, "type=system_alert&limit=2").await.concat(), alerts);
    assert_eq!(pages(&api, "unread=true&limit=2").await.concat(), unread);
    assert_eq!(pages(&api, "unread=true&type=system_alert&limit=1").await.concat(), alerts[..2]);
    assert_eq!(pages(&api, "unread=false").await.concat().len(), 6, "false filters nothing");
    assert!(api.get("/?type=billing_invoice").await.ids().is_empty());
    assert_eq!(api.get("/?type=system_alert&limit=1").await.json()["unread_count"], 4);
}

#[tokio::test]
async fn a_page_with_a_filter_may_be_empty_and_go_on() {
    let user = fresh_user().await;
    let (api, sender) = (as_user(user), with_key(SENDER));
    let alert = sender.notify_of("system_alert", user, "the oldest").await;
    for _ in 0..2 {
        let batch = json!({"user_ids": vec![user; 900], "type": "custom", "title": "t"});
        sender.post_json("/send-batch", &batch).await.expect(200);
    }
    let found = pages(&api, "type=system_alert&limit=50").await;
    assert_eq!(found, [vec![], vec![alert]]);
    assert_eq!(pages(&api, "type=system_alert&unread=true&limit=50").await, found);
    assert_eq!(pages(&api, "type=billing_invoice").await.concat(), [0; 0]);
}

#[tokio::test]
async fn values_of_the_query_are_checked() {
    let (api, _, _) = filled(1).await;
    let limit = "limit must be an integer between 1 and 200";
    let cursor = "cursor must be the next_cursor of an earlier page";
    let unread = "unread must be true or false";
    let kind = "type must be the name of a notification type";
    for (query, reason) in [
        ("limit=0&cursor=x", limit),
        ("limit=201", limit),
        ("limit=-1", limit),
        ("limit=ten", limit),
        ("limit=", limit),
        ("limit=%FF", limit),
        ("limit=99999999999999999999", limit),
        ("cursor=", cursor),
        ("cursor=x", cursor),
        ("cursor=12", cursor),
        ("cursor=c'--", cursor),
        ("unread=maybe", unread),
        ("unread=1", unread),
        ("type=", kind),
        ("type=Not%20A%20Type", kind),
        ("type=%00", kind),
    ] {
        api.get(&format!("/?{query}")).await.failed(400, reason);
    }
    for query in ["limit=1", "limit=200", "cursor=c0", "cursor=czzzzzzzzzzzzz", "unread=true"] {
        api.get(&format!("/?{query}")).await.expect(200);
    }
}

#[tokio::test]
async fn a_user_sees_their_own_inbox_alone() {
    let (_, _, _) = filled(2).await;
    assert!(as_user(fresh_user().await).get("/").await.ids().is_empty());
}

#[tokio::test]
async fn a_user_whom_the_directory_does_not_know_is_not_found() {
    as_user(999).get("/").await.failed(404, "User 999 not found");
    as_user(999).get("/unread-count").await.failed(404, "User 999 not found");
    as_user(999).post("/mark-all-read").await.failed(404, "User 999 not found");
}

#[tokio::test]
async fn a_newer_one_takes_the_place_of_an_unread_one_with_its_key() {
    let user = fresh_id();
    with_key(ACME).put_json(&format!("/users/{user}"), &json!({})).await.expect(201);
    let api = as_acme_user(user);
    let body = |parcel: i64| json!({"user_id": user, "type": "parcel", "title": "t", "metadata": {"parcel": parcel, "until": "2099-12-31"}});
    let first = with_key(ACME).send(&body(1)).await.expect(201).id();
    let other = with_key(ACME).send(&body(2)).await.expect(201).id();
    let newer = with_key(ACME).send(&body(1)).await.expect(201).id();
    let list = api.get("/").await;
    assert_eq!(list.ids(), [newer, other]);
    assert_eq!(list.json()["unread_count"], 2);
    assert_eq!(list.json()["notifications"][0]["expires_at"], "2100-01-01T00:00:00Z", "the end of that day");
    api.post(&format!("/{first}/mark-read")).await.failed(404, &format!("Notification {first} not found"));
    // One that was read stays.
    api.post(&format!("/{newer}/mark-read")).await.expect(200);
    let last = with_key(ACME).send(&body(1)).await.expect(201).id();
    assert_eq!(api.get("/").await.ids(), [last, newer, other]);
}

#[tokio::test]
async fn what_expires_leaves_the_list_and_the_count_together() {
    let user = fresh_id();
    with_key(ACME).put_json(&format!("/users/{user}"), &json!({})).await.expect(201);
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(5);
    let body =
        json!({"user_id": user, "type": "parcel", "title": "t", "metadata": {"until": soon.to_string()}});
    with_key(ACME).send(&body).await.expect(201);
    let api = as_acme_user(user);
    let start = std::time::Instant::now();
    loop {
        let page = api.get("/").await.json();
        let shown = page["notifications"].as_array().expect("a list").len();
        assert_eq!(page["unread_count"], shown, "list and count are of one instant");
        if shown == 0 {
            break;
        }
        assert!(start.elapsed().as_secs() < 60, "it expires");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(api.unread().await, 0);
}

#[tokio::test]
async fn the_user_may_be_named_by_sub_and_in_digits() {
    let (_, user, ids) = filled(1).await;
    for (claim, value) in
        [("sub", json!(user.to_string())), ("sub", json!(user)), ("user_id", json!(user.to_string()))]
    {
        let token = Token::of(DEFAULT_SECRET, 1).claim("user_id", Value::Null).claim(claim, value);
        assert_eq!(shared().bearer(token.sign()).get("/").await.ids(), ids);
    }
    // `user_id` wins.
    let both = Token::of(DEFAULT_SECRET, user).claim("sub", "999");
    assert_eq!(shared().bearer(both.sign()).get("/").await.ids(), ids);
}
