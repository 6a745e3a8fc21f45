//! `GET /crm/notification/sent`: what was sent, and whether it was read.

use serde_json::json;

use crate::support::settings::*;

fn key_name(key: &str) -> String {
    format!("key:{}", &hash_of(key)[..12])
}

#[tokio::test]
async fn it_shows_who_sent_and_whether_it_was_read() {
    let (user, admin) = (fresh_user().await, with_key(ADMIN));
    let first = with_key(SENDER).notify(user, "first").await;
    let second = admin.notify_of("system_alert", user, "second").await;
    as_user(user).post(&format!("/{first}/mark-read")).await.expect(200);
    let page = admin.get(&format!("/sent?user_id={user}")).await.expect(200).json();
    let sent = page["sent"].as_array().expect("a list");
    assert_eq!((sent.len(), page.get("next_cursor")), (2, None));
    assert_eq!((&sent[1]["sender"], &sent[0]["sender"]), (&json!(key_name(SENDER)), &json!(key_name(ADMIN))));
    let (new, old) = (&sent[0]["notification"], &sent[1]["notification"]);
    assert_eq!((&new["notification_id"], &new["is_read"]), (&json!(second), &json!(false)));
    assert_eq!((&old["notification_id"], &old["is_read"]), (&json!(first), &json!(true)));
    let list = as_user(user).get("/").await.expect(200).json();
    assert_eq!((new, old), (&list["notifications"][0], &list["notifications"][1]), "as its reader sees it");

    let ids = async |query: String| {
        let page = admin.get(&format!("/sent?user_id={user}{query}")).await.expect(200).json();
        let sent = page["sent"].as_array().expect("a list").iter();
        sent.map(|s| s["notification"]["notification_id"].as_i64().expect("an id")).collect::<Vec<_>>()
    };
    assert_eq!(ids(format!("&sender={}", key_name(SENDER))).await, [first]);
    assert_eq!(ids("&type=system_alert".into()).await, [second]);
    assert_eq!(ids("&since=2026-01-01T00:00:00Z".into()).await, [second, first]);
    assert!(ids("&until=2026-01-01T00:00:00Z".into()).await.is_empty());
    let page = admin.get(&format!("/sent?user_id={user}&limit=1")).await.expect(200).json();
    assert_eq!(ids(format!("&cursor={}", page["next_cursor"].as_str().expect("more"))).await, [first]);
    let reason = "sender must be a principal's name, such as key:2c26b46b68ff, user:42 or hook:alerts";
    admin.get("/sent?sender=me").await.failed(400, reason);
    with_key(SENDER).get("/sent").await.failed(403, "Permission notification.audit is required");
}

#[tokio::test]
async fn it_finds_a_sender_without_naming_a_user() {
    let (user, sender) = (fresh_user().await, key_name(BASE64));
    let sent = with_key(BASE64).notify(user, "by the one").await;
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = with_key(ADMIN).get(&format!("/sent?limit=200&sender={sender}{cursor}")).await;
        let page = page.expect(200).json();
        found.extend(page["sent"].as_array().expect("a list").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(found.iter().all(|one| one["sender"] == json!(sender)));
    assert!(found.iter().any(|one| one["notification"]["notification_id"] == sent));
}
