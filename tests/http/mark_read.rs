//! `POST /crm/notification/{id}/mark-read`.

use serde_json::json;

use crate::support::settings::*;

#[tokio::test]
async fn it_answers_the_notification_and_keeps_the_first_time() {
    let user = fresh_user().await;
    let api = as_user(user);
    let id = with_key(SENDER).notify(user, "t").await;
    let first = api.post(&format!("/{id}/mark-read")).await.expect(200);
    let shown = first.json()["notification"].clone();
    let expected = json!({"result": "Success", "notification": {
        "notification_id": id, "user_id": user, "type": "custom", "title": "t", "severity": "info", "icon": "bell",
        "is_read": true, "read_at": shown["read_at"], "created_at": shown["created_at"],
    }});
    assert!(shown["read_at"].is_string());
    let first = first.body(200, &expected);
    // Times are shown in whole seconds: let the next one begin.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let again = api.post(&format!("/{id}/mark-read")).await.expect(200);
    assert_eq!(again.text, first.text);
    assert_eq!(api.get("/").await.json()["notifications"][0], shown);
}

#[tokio::test]
async fn anothers_is_as_if_it_never_existed() {
    let user = fresh_user().await;
    let id = with_key(SENDER).notify(user, "t").await;
    let reason = format!("Notification {id} not found");
    as_user(fresh_user().await).post(&format!("/{id}/mark-read")).await.failed(404, &reason);
    as_acme_user(1).post(&format!("/{id}/mark-read")).await.failed(404, &reason);
    as_user(user)
        .post("/9007199254740991/mark-read")
        .await
        .failed(404, "Notification 9007199254740991 not found");
    assert_eq!(as_user(user).unread().await, 1);
}

#[tokio::test]
async fn the_id_is_checked() {
    let api = as_user(fresh_user().await);
    for id in ["0", "-1", "x", "1.0", "9007199254740992", "99999999999999999999", "+1", "%31x"] {
        let reason = "The id in the path must be between 1 and 9007199254740991";
        api.post(&format!("/{id}/mark-read")).await.failed(400, reason);
    }
}
