//! `POST /crm/notification/{id}/restore`.

use serde_json::json;

use crate::support::settings::*;

#[tokio::test]
async fn what_was_deleted_comes_back_as_it_was() {
    let user = fresh_user().await;
    let (api, sender) = (as_user(user), with_key(SENDER));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, sender.notify(user, "t").await);
    }
    api.post(&format!("/{}/mark-read", ids[1])).await.expect(200);
    let before = api.get("/").await.json();
    for place in [1, 2] {
        api.delete(&format!("/{}", ids[place])).await.expect(200);
    }
    assert_eq!((api.get("/").await.ids(), api.unread().await), (vec![ids[0]], 1));
    for (place, unread) in [(1, 1), (2, 2), (2, 2)] {
        let shown = json!({"result": "Success", "notification": before["notifications"][place]});
        api.post(&format!("/{}/restore", ids[place])).await.body(200, &shown);
        assert_eq!(api.unread().await, unread);
    }
    assert_eq!(api.get("/").await.json(), before);
}

#[tokio::test]
async fn anothers_is_as_if_it_never_existed() {
    let user = fresh_user().await;
    let id = with_key(SENDER).notify(user, "t").await;
    as_user(user).delete(&format!("/{id}")).await.expect(200);
    let reason = format!("Notification {id} not found");
    as_user(fresh_user().await).post(&format!("/{id}/restore")).await.failed(404, &reason);
    as_acme_user(1).post(&format!("/{id}/restore")).await.failed(404, &reason);
    as_user(user)
        .post("/9007199254740991/restore")
        .await
        .failed(404, "Notification 9007199254740991 not found");
    as_user(user).post(&format!("/{id}/restore")).await.expect(200);
}

#[tokio::test]
async fn what_was_withdrawn_is_not_the_readers_to_restore() {
    let user = fresh_user().await;
    let (api, admin) = (as_user(user), with_key(ADMIN));
    let (there, deleted) = (admin.notify(user, "t").await, admin.notify(user, "t").await);
    api.delete(&format!("/{deleted}")).await.expect(200);
    admin.post_json("/withdraw", &json!({"ids": [there, deleted]})).await.expect(200);
    for id in [there, deleted] {
        let reason = format!("Notification {id} not found");
        api.post(&format!("/{id}/restore")).await.failed(404, &reason);
    }
}
