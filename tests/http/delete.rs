//! `DELETE /crm/notification/{id}`.

use serde_json::json;

use crate::support::settings::*;

#[tokio::test]
async fn what_is_deleted_is_gone() {
    let user = fresh_user().await;
    let api = as_user(user);
    let kept = with_key(SENDER).notify(user, "t").await;
    let id = with_key(SENDER).notify(user, "t").await;
    let done = json!({"result": "Success", "message": "Notification deleted"});
    let answer = api.delete(&format!("/{id}")).await;
    // How long it can be restored.
    assert_eq!(answer.header("x-restorable-for"), "30");
    answer.body(200, &done);
    let gone = format!("Notification {id} not found");
    api.delete(&format!("/{id}")).await.failed(404, &gone);
    api.post(&format!("/{id}/mark-read")).await.failed(404, &gone);
    assert_eq!(api.get("/").await.ids(), [kept]);
    let next = with_key(SENDER).notify(user, "t").await;
    assert!(next > id, "ids are not used again");
}

#[tokio::test]
async fn anothers_is_as_if_it_never_existed() {
    let user = fresh_user().await;
    let id = with_key(SENDER).notify(user, "t").await;
    let reason = format!("Notification {id} not found");
    as_user(fresh_user().await).delete(&format!("/{id}")).await.failed(404, &reason);
    as_acme_user(2).delete(&format!("/{id}")).await.failed(404, &reason);
    assert_eq!(as_user(user).get("/").await.ids(), [id]);
}

#[tokio::test]
async fn the_id_is_checked() {
    let api = as_user(fresh_user().await);
    for id in ["0", "x", "9007199254740992"] {
        let reason = "The id in the path must be between 1 and 9007199254740991";
        api.delete(&format!("/{id}")).await.failed(400, reason);
    }
}
