//! `POST /crm/notification/{id}/mark-unread`.

use serde_json::json;

use crate::support::settings::*;

#[tokio::test]
async fn what_was_read_is_as_if_it_had_not_been() {
    let user = fresh_user().await;
    let api = as_user(user);
    let id = with_key(SENDER).notify(user, "t").await;
    let fresh = api.get("/").await.json()["notifications"][0].clone();
    api.post(&format!("/{id}/mark-read")).await.expect(200);
    assert_eq!(api.unread().await, 0);
    // The second time changes nothing.
    for _ in 0..2 {
        let answer = api.post(&format!("/{id}/mark-unread")).await;
        answer.body(200, &json!({"result": "Success", "notification": fresh}));
        assert_eq!(api.unread().await, 1);
    }
    assert_eq!(api.get("/?unread=true").await.json()["notifications"][0], fresh);
}

#[tokio::test]
async fn anothers_is_as_if_it_never_existed() {
    let user = fresh_user().await;
    let id = with_key(SENDER).notify(user, "t").await;
    as_user(user).post(&format!("/{id}/mark-read")).await.expect(200);
    let reason = format!("Notification {id} not found");
    as_user(fresh_user().await).post(&format!("/{id}/mark-unread")).await.failed(404, &reason);
    as_acme_user(1).post(&format!("/{id}/mark-unread")).await.failed(404, &reason);
    assert_eq!(as_user(user).unread().await, 0);
}
