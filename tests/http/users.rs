//! `/crm/notification/users`.

use serde_json::{Value, json};

use crate::support::{Token, settings::*};

#[tokio::test]
async fn a_user_is_created_read_replaced_and_erased() {
    let user = fresh_id();
    let path = format!("/users/{user}");
    let (admin, eraser) = (with_key(ADMIN), with_key(ERASER));
    let missing = format!("User {user} not found");
    admin.get(&path).await.failed(404, &missing);

    let profile = json!({"display_name": "Zoë \"Z\"", "locale": "de-CH", "time_zone": "Europe/Zurich"});
    let created = admin.put_json(&path, &profile).await;
    let at = created.json()["user"]["created_at"].clone();
    let expected = json!({"result": "Success", "user": {"user_id": user, "display_name": "Zoë \"Z\"",
        "locale": "de-CH", "time_zone": "Europe/Zurich", "created_at": at, "updated_at": at}});
    created.body(201, &expected);
    with_key(READER).get(&path).await.body(200, &expected);

    let replaced = admin.put_json(&path, &json!({"locale": "fr", "display_name": null})).await;
    let updated = replaced.json()["user"]["updated_at"].clone();
    let expected = json!({"result": "Success", "user": {"user_id": user, "locale": "fr", "created_at": at,
        "updated_at": updated}});
    replaced.body(200, &expected);

    let erased = json!({"result": "Success", "message": format!("User {user} erased")});
    eraser.delete(&path).await.body(200, &erased);
    eraser.delete(&path).await.failed(404, &missing);
    admin.get(&path).await.failed(404, &missing);
    admin.send(&json!({"user_id": user, "type": "custom", "title": "t"})).await.failed(404, &missing);
    as_user(user).get("/").await.failed(404, &missing);
}

#[tokio::test]
async fn erasing_leaves_nothing_to_one_who_comes_back() {
    let (user, other) = (fresh_user().await, fresh_user().await);
    let (admin, api) = (with_key(ADMIN), as_user(user));
    let old = admin.notify(user, "old").await;
    let about = json!({"user_id": other, "type": "custom", "title": "t", "related_user_id": user});
    admin.send(&about).await.expect(201);
    assert_eq!(api.unread().await, 1);

    with_key(ERASER).delete(&format!("/users/{user}")).await.expect(200);
    let theirs = as_user(other).get("/").await.expect(200);
    assert_eq!(theirs.json()["notifications"][0]["related_user_id"], Value::Null, "{}", theirs.text);

    admin.put_json(&format!("/users/{user}"), &json!({})).await.expect(201);
    let empty = json!({"result": "Success", "notifications": [], "unread_count": 0});
    api.get("/").await.body(200, &empty);
    assert_eq!(api.unread().await, 0);
    api.post(&format!("/{old}/mark-read")).await.failed(404, &format!("Notification {old} not found"));
    api.delete(&format!("/{old}")).await.failed(404, &format!("Notification {old} not found"));
    let new = admin.notify(user, "new").await;
    assert_eq!(api.get("/").await.ids(), [new]);
    assert_eq!(api.unread().await, 1);
    assert!(as_user(other).get("/").await.json()["notifications"][0].get("related_user_id").is_none());
}

#[tokio::test]
async fn in_an_open_directory_the_next_send_makes_an_erased_user_anew() {
    let user = fresh_id();
    let token = |roles: &[&str]| shared().bearer(Token::of(OPEN_SECRET, user).roles(roles).sign());
    with_key(OPEN).notify(user, "old").await;
    token(&["directory"]).delete(&format!("/users/{user}")).await.expect(200);
    token(&[])
        .get("/")
        .await
        .body(200, &json!({"result": "Success", "notifications": [], "unread_count": 0}));
    let new = with_key(OPEN).notify(user, "new").await;
    assert_eq!(token(&[]).get("/").await.ids(), [new]);
    assert_eq!(token(&[]).unread().await, 1);
}

#[tokio::test]
async fn each_permission_allows_its_own_part() {
    let path = format!("/users/{}", fresh_user().await);
    let lacks = |permission: &str| format!("Permission {permission} is required");
    with_key(SENDER).get(&path).await.expect(200);
    with_key(SENDER).put_json(&path, &json!({})).await.failed(403, &lacks("user.manage"));
    with_key(READER).put_json(&path, &json!({})).await.failed(403, &lacks("user.manage"));
    with_key(NOBODY).get(&path).await.failed(403, &lacks("user.read"));
    with_key(NOBODY).get("/users").await.failed(403, &lacks("user.read"));
    // On a key and on a bearer, `admin` does not erase.
    with_key(ADMIN).delete(&path).await.failed(403, &lacks("user.erase"));
    as_user(1).get(&path).await.failed(403, &lacks("user.read"));
    let admin = Token::of(DEFAULT_SECRET, 1).roles(&["admin"]).sign();
    shared().bearer(&admin).put_json(&path, &json!({})).await.expect(200);
    shared().bearer(admin).delete(&path).await.failed(403, &lacks("user.erase"));
    let eraser = Token::of(DEFAULT_SECRET, 1).roles(&["admin", "directory"]).sign();
    shared().bearer(eraser).delete(&path).await.expect(200);
}

#[tokio::test]
async fn a_profile_is_checked() {
    let path = format!("/users/{}", fresh_user().await);
    let api = with_key(ADMIN);
    for (body, field) in [
        (json!({"display_name": 5, "locale": 5}), "display_name must be a string"),
        (json!({"display_name": " "}), "display_name must"),
        (json!({"display_name": "x".repeat(256)}), "display_name must be at most 255 characters"),
        (json!({"locale": "de_CH"}), "locale must"),
        (json!({"locale": ["de"]}), "locale must be a string"),
        (json!({"time_zone": "Mars/Olympus"}), "time_zone must"),
        (json!({"time_zone": "../etc/passwd"}), "time_zone must"),
    ] {
        let answer = api.put_json(&path, &body).await.expect(400);
        let reason = answer.json()["reason"].as_str().expect("text").to_owned();
        assert!(reason.starts_with(field), "{body}: {reason}");
    }
    api.put_json(&path, &json!([])).await.failed(400, "The body must be a JSON object");
    for id in ["0", "x", "9007199254740992"] {
        let reason = "The id in the path must be between 1 and 9007199254740991";
        api.get(&format!("/users/{id}")).await.failed(400, reason);
        api.put_json(&format!("/users/{id}"), &json!({})).await.failed(400, reason);
    }
    api.put_json("/users/9007199254740991", &json!({"display_name": "ü".repeat(255)})).await.expect(201);
}

#[tokio::test]
async fn the_list_pages_by_growing_id() {
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(fresh_user().await);
    }
    let api = with_key(READER);
    let (mut seen, mut path) = (Vec::new(), "/users?limit=3".to_owned());
    loop {
        let page = api.get(&path).await.expect(200).json();
        let users = page["users"].as_array().expect("a list").clone();
        assert!((1..=3).contains(&users.len()));
        seen.extend(users.iter().map(|u| u["user_id"].as_i64().expect("an id")));
        match page["next_cursor"].as_str() {
            Some(next) => path = format!("/users/?limit=3&cursor={next}"),
            None => break,
        }
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    assert!(made.iter().chain(&[1, 2, 3, 5, 123]).all(|id| seen.contains(id)));
    api.get("/users?limit=0").await.failed(400, "limit must be an integer between 1 and 200");
    api.get("/users?cursor=x").await.failed(400, "cursor must be the next_cursor of an earlier page");
    with_key(SENDER).get("/users").await.expect(200);
}
