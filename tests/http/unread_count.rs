//! `GET /crm/notification/unread-count`.

use serde_json::json;

use crate::support::settings::*;

#[tokio::test]
async fn it_follows_every_change_at_once() {
    let user = fresh_user().await;
    let (api, sender) = (as_user(user), with_key(SENDER));
    api.get("/unread-count").await.body(200, &json!({"result": "Success", "unread_count": 0}));
    let mut ids = Vec::new();
    for n in 1..=4 {
        ids.push(sender.notify(user, "t").await);
        assert_eq!(api.unread().await, n);
    }
    api.post(&format!("/{}/mark-read", ids[0])).await.expect(200);
    assert_eq!(api.unread().await, 3);
    api.delete(&format!("/{}", ids[0])).await.expect(200);
    assert_eq!(api.unread().await, 3, "it was read");
    api.delete(&format!("/{}", ids[1])).await.expect(200);
    assert_eq!(api.unread().await, 2, "it was not");
    api.post("/mark-all-read").await.expect(200);
    assert_eq!(api.unread().await, 0);
    assert_eq!(api.get("/").await.json()["unread_count"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_never_stale_however_many_write_at_once() {
    let user = fresh_user().await;
    let writers: Vec<_> = (0..8)
        .map(|n| {
            tokio::spawn(async move {
                let (api, sender) = (as_user(user), with_key(SENDER));
                for _ in 0..20 {
                    let id = sender.notify(user, "t").await;
                    // One's own unread notification is counted as soon as its send was answered.
                    assert!(api.unread().await >= 1);
                    match n % 4 {
                        0 => drop(api.post(&format!("/{id}/mark-read")).await.expect(200)),
                        1 => drop(api.delete(&format!("/{id}")).await.expect(200)),
                        _ => {}
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no fault");
    }
    let api = as_user(user);
    let page = api.get("/?unread=true&limit=200").await;
    assert_eq!(page.ids().len(), 80);
    assert_eq!(page.json()["unread_count"], 80);
    assert_eq!(api.unread().await, 80);
    assert_eq!(api.get("/?limit=200").await.ids().len(), 120);
}

#[tokio::test]
async fn an_answer_names_the_inbox_by_tenant_and_user() {
    let user = fresh_user().await;
    with_key(ACME).put_json(&format!("/users/{user}"), &json!({})).await.expect(201);
    for (api, inbox) in
        [(as_user(user), format!("default/{user}")), (as_acme_user(user), format!("acme/{user}"))]
    {
        for path in ["/", "/unread-count", "/stream"] {
            assert_eq!(api.get(path).await.expect(200).header("x-inbox"), inbox, "{path}");
        }
        assert_eq!(api.post("/mark-all-read").await.expect(200).header("x-inbox"), inbox);
    }
    assert_eq!(with_key(ADMIN).get("/types").await.expect(200).header("x-inbox"), "");
    assert_eq!(shared().get("/").await.expect(401).header("x-inbox"), "");
}
