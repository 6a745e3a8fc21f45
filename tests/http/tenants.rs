//! Tenants share nothing.

use serde_json::json;

use crate::support::{Token, settings::*};

#[tokio::test]
async fn the_same_user_id_is_another_user_in_each_tenant() {
    let user = fresh_user().await;
    let missing = format!("User {user} not found");
    let ours = with_key(ADMIN).notify(user, "ours").await;
    let body = json!({"user_id": user, "type": "custom", "title": "t"});
    with_key(ACME).send(&body).await.failed(404, &missing);
    with_key(ACME).get(&format!("/users/{user}")).await.failed(404, &missing);
    with_key(ACME).delete(&format!("/users/{user}")).await.failed(404, &missing);
    as_acme_user(user).get("/").await.failed(404, &missing);

    with_key(ACME).put_json(&format!("/users/{user}"), &json!({"display_name": "theirs"})).await.expect(201);
    let theirs = with_key(ACME).notify(user, "theirs").await;
    assert_eq!(as_user(user).get("/").await.ids(), [ours]);
    assert_eq!(as_acme_user(user).get("/").await.ids(), [theirs]);
    assert_eq!(as_acme_user(user).unread().await, 1);
    let name = with_key(ADMIN).get(&format!("/users/{user}")).await.json();
    assert_eq!(name["user"].get("display_name"), None);

    // Nothing of the one moves when the other's is marked, deleted or erased.
    let gone = format!("Notification {ours} not found");
    as_acme_user(user).post(&format!("/{ours}/mark-read")).await.failed(404, &gone);
    as_acme_user(user).delete(&format!("/{ours}")).await.failed(404, &gone);
    as_acme_user(user).post("/mark-all-read").await.expect(200);
    with_key(ACME).delete(&format!("/users/{user}")).await.expect(200);
    let page = as_user(user).get("/").await;
    assert_eq!((page.ids(), page.json()["unread_count"].as_i64()), (vec![ours], Some(1)));
}

#[tokio::test]
async fn the_list_of_users_is_of_one_tenant() {
    let user = fresh_user().await;
    let listed = with_key(ACME).get("/users?limit=200").await.expect(200).json();
    let ids: Vec<_> = listed["users"].as_array().expect("a list").iter().map(|u| &u["user_id"]).collect();
    assert!(ids.contains(&&json!(1)) && !ids.contains(&&json!(user)));
}

#[tokio::test]
async fn an_issuer_proves_users_of_its_own_tenant_alone() {
    // What the one tenant's issuer signs as the other's is nothing.
    let forged =
        Token::of(DEFAULT_SECRET, 1).claim("iss", "https://id.acme.example").claim("aud", "bellboard");
    shared().bearer(forged.sign()).get("/").await.unauthorized("Invalid token");
    let roles = acme_token(1).claim("groups", json!(["admin"]));
    shared().bearer(roles.sign()).get("/users").await.expect(200);
    let elsewhere = acme_token(1).claim("roles", json!(["admin"]));
    let refused = shared().bearer(elsewhere.sign()).get("/users").await;
    refused.failed(403, "Permission user.read is required");
}
