//! What each operation of the document is asked in the walk.

use serde_json::json;

use crate::support::{Answer, settings::*};

/// The cases of one operation.
pub struct Cases {
    pub operation: &'static str,
    pub need: Need,
    /// A request that is served.
    pub good: fn(&Ground) -> Request,
    /// What serving it answers, time after time.
    pub done: &'static [u16],
    /// Requests that are refused, with their status.
    pub bad: fn(&Ground) -> Vec<(u16, Request)>,
    /// The same about a user and a notification that are not there.
    pub missing: fn(&Ground) -> Vec<(u16, Request)>,
    /// What another tenant's admin of the same user id is answered.
    pub other_tenant: fn(&Answer, &Ground),
}

/// Who may ask.
pub enum Need {
    Inbox,
    Anyone,
    Permission(&'static str),
    /// Who has the secret of the walk's hook.
    Hook,
}

/// What follows the path, and the body with its type.
#[derive(Clone)]
pub struct Request {
    /// In place of the ground's ids in the path.
    pub id: Option<&'static str>,
    pub query: String,
    pub key: Option<&'static str>,
    /// The API key that sends it, in place of one that may do all.
    pub sender: Option<&'static str>,
    pub body: Option<(&'static str, String)>,
}

/// A user of the tenant `default` with one unread notification.
pub struct Ground {
    pub user: i64,
    pub id: i64,
}

impl Ground {
    pub async fn make() -> Self {
        let user = fresh_id();
        let profile = json!({ "display_name": SECRET });
        with_key(ADMIN).put_json(&format!("/users/{user}"), &profile).await.expect(201);
        Self { user, id: with_key(ADMIN).notify(user, SECRET).await }
    }

    /// A text that only its own tenant may see.
    pub fn secret(&self) -> &'static str {
        SECRET
    }

    /// Whether user and notification are as they were made.
    pub async fn is_untouched(&self) {
        let page = as_user(self.user).get("/").await.expect(200);
        assert_eq!((page.ids(), page.json()["unread_count"].as_i64()), (vec![self.id], Some(1)));
        let user = with_key(ADMIN).get(&format!("/users/{}", self.user)).await.expect(200).json();
        assert_eq!(user["user"]["display_name"], SECRET);
    }
}

const SECRET: &str = "for the walk's own tenant alone";
const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

fn plain(_: &Ground) -> Request {
    query("")
}

fn query(query: &str) -> Request {
    Request { id: None, query: query.into(), key: None, sender: None, body: None }
}

fn body(media_type: &'static str, text: impl Into<String>) -> Request {
    Request { body: Some((media_type, text.into())), ..query("") }
}

/// Requests about what can have no such id.
fn bad_ids(_: &Ground) -> Vec<(u16, Request)> {
    ["0", "x"].map(|id| (400, Request { id: Some(id), ..query("") })).into()
}

fn none(_: &Ground) -> Vec<(u16, Request)> {
    Vec::new()
}

/// Bodies that no operation that takes JSON takes.
fn bad_bodies() -> Vec<(u16, Request)> {
    vec![(400, body(JSON, "{")), (413, body(JSON, "x".repeat(262_145))), (415, body("text/plain", "{}"))]
}

fn no_such_user(answer: &Answer, ground: &Ground) {
    let told = json!({"result": "Failed", "reason": format!("User {} not found", ground.user)});
    assert_eq!((answer.status, answer.json()), (404, told));
}

fn no_such_notification(answer: &Answer, ground: &Ground) {
    let told = json!({"result": "Failed", "reason": format!("Notification {} not found", ground.id)});
    assert_eq!((answer.status, answer.json()), (404, told));
}

fn send(ground: &Ground) -> Request {
    let sent = json!({"user_id": ground.user, "type": "custom", "title": "t", "message": "m", "link": "/l",
        "metadata": {"a": 1}, "related_ticket_id": 1, "related_user_id": 1});
    body(JSON, sent.to_string())
}

/// A send of a type that is not among those of its key.
fn forbidden(ground: &Ground) -> (u16, Request) {
    (403, Request { sender: Some(BILLING), ..send(ground) })
}

fn batch(ground: &Ground) -> Request {
    body(JSON, format!(r#"{{"items": [{}]}}"#, send(ground).body.expect("one").1))
}

fn several(ground: &Ground) -> Request {
    body(JSON, json!({"ids": [ground.id]}).to_string())
}

/// Every operation, in the document's order.
pub const CASES: &[Cases] = &[
    Cases {
        operation: "sendNotification",
        need: Need::Permission("notification.send"),
        good: send,
        done: &[201, 201],
        bad: |ground| {
            let keyed = |key, user| {
                let sent = json!({"user_id": user, "type": "custom", "title": "t"});
                Request { key: Some(key), ..body(JSON, sent.to_string()) }
            };
            let user = ground.user;
            let keys = [
                (400, keyed("\"", user)),
                (201, keyed("walk", user)),
                (201, keyed("walk", user)),
                (422, keyed("walk", user + 1)),
            ];
            [bad_bodies(), keys.into(), vec![forbidden(ground)]].concat()
        },
        missing: |ground| vec![(404, send(ground))],
        other_tenant: no_such_user,
    },
    Cases {
        operation: "sendBatch",
        need: Need::Permission("notification.send"),
        good: batch,
        done: &[200, 200],
        bad: |ground| {
            let both = json!({"items": [{}], "user_ids": [ground.user]});
            let whole = json!({"atomic": true, "user_ids": [999], "type": "custom", "title": "t"});
            vec![
                (400, body(JSON, "{")),
                (400, body(JSON, both.to_string())),
                (400, body(JSON, whole.to_string())),
                (200, body(JSON, json!({"items": [{}, 7]}).to_string())),
                (413, body(JSON, "x".repeat(4_194_305))),
                (415, body("text/plain", "{}")),
            ]
        },
        // It tells of an unknown user in the item's result.
        missing: |ground| vec![(200, batch(ground))],
        other_tenant: |answer, ground| {
            let reason = format!("User {} not found", ground.user);
            let unknown = json!({"status": 404, "reason": reason, "code": "user_not_found"});
            let told = json!({"result": "Success", "sent": 0, "failed": 1, "results": [unknown]});
            assert_eq!((answer.status, answer.json()), (200, told));
        },
    },
    Cases {
        operation: "tryNotification",
        need: Need::Permission("notification.send"),
        good: send,
        done: &[200],
        bad: |ground| [bad_bodies(), vec![forbidden(ground)]].concat(),
        // It tells of an unknown user instead of failing.
        missing: |ground| vec![(200, send(ground))],
        other_tenant: |answer, _| {
            let told = answer.json();
            assert_eq!((answer.status, &told["user_known"]), (200, &json!(false)));
        },
    },
    Cases {
        operation: "receiveEvent",
        need: Need::Hook,
        good: |ground| body(JSON, json!({"user_id": ground.user, "title": "t", "id": ground.id}).to_string()),
        done: &[200, 200],
        bad: |_| {
            let elsewhere = Request { id: Some("nowhere"), ..body(JSON, "{}") };
            let silent = Request { id: Some("idle"), ..body(JSON, "{}") };
            [bad_bodies(), vec![(404, elsewhere), (403, silent), (400, body(JSON, "{}"))]].concat()
        },
        missing: none,
        other_tenant: |answer, _| assert_eq!(answer.status, 401),
    },
    Cases {
        operation: "listNotifications",
        need: Need::Inbox,
        good: |_| query("?limit=10&unread=true&type=custom"),
        done: &[200],
        bad: |_| vec![(400, query("?limit=0")), (400, query("?cursor=-")), (400, query("?unread=x"))],
        missing: |_| vec![(404, query(""))],
        other_tenant: no_such_user,
    },
    Cases {
        operation: "getUnreadCount",
        need: Need::Inbox,
        good: plain,
        done: &[200],
        bad: none,
        missing: |_| vec![(404, query(""))],
        other_tenant: no_such_user,
    },
    Cases {
        operation: "streamNotifications",
        need: Need::Inbox,
        good: plain,
        done: &[200],
        bad: none,
        missing: |_| vec![(404, query(""))],
        other_tenant: no_such_user,
    },
    Cases {
        operation: "markRead",
        need: Need::Inbox,
        good: plain,
        done: &[200, 200],
        bad: bad_ids,
        missing: |_| vec![(404, query(""))],
        other_tenant: no_such_notification,
    },
    Cases {
        operation: "markUnread",
        need: Need::Inbox,
        good: plain,
        done: &[200, 200],
        bad: bad_ids,
        missing: |_| vec![(404, query(""))],
        other_tenant: no_such_notification,
    },
    Cases {
        operation: "markManyRead",
        need: Need::Inbox,
        good: several,
        done: &[200, 200],
        bad: |_| [bad_bodies(), vec![(400, body(JSON, r#"{"ids":[]}"#))]].concat(),
        missing: |ground| vec![(404, several(ground))],
        other_tenant: no_such_user,
    },
    Cases {
        operation: "deleteMany",
        need: Need::Inbox,
        good: several,
        done: &[200, 200],
        bad: |_| [bad_bodies(), vec![(400, body(JSON, r#"{"ids":[0]}"#))]].concat(),
        missing: |ground| vec![(404, several(ground))],
        other_tenant: no_such_user,
    },
    Cases {
        operation: "markAllRead",
        need: Need::Inbox,
        good: |ground| body(JSON, json!({"up_to": ground.id}).to_string()),
        done: &[200, 200],
        bad: |_| bad_bodies(),
        missing: |_| vec![(404, query(""))],
        other_tenant: no_such_user,
    },
    Cases {
        operation: "deleteNotification",
        need: Need::Inbox,
        good: plain,
        done: &[200, 404],
        bad: bad_ids,
        missing: |_| vec![(404, query(""))],
        other_tenant: no_such_notification,
    },
    Cases {
        operation: "restoreNotification",
        need: Need::Inbox,
        good: plain,
        done: &[200, 200],
        bad: bad_ids,
        missing: |_| vec![(404, query(""))],
        other_tenant: no_such_notification,
    },
    Cases {
        operation: "listTypes",
        need: Need::Anyone,
        good: plain,
        done: &[200],
        bad: none,
        missing: none,
        other_tenant: |answer, _| assert_eq!(answer.json()["types"].as_array().map(Vec::len), Some(12)),
    },
    Cases {
        operation: "putUser",
        need: Need::Permission("user.manage"),
        good: |_| body(JSON, json!({"locale": "de", "display_name": null}).to_string()),
        done: &[200, 200],
        bad: |_| bad_bodies(),
        missing: none,
        other_tenant: |answer, _| assert_eq!(answer.status, 201),
    },
    Cases {
        operation: "getUser",
        need: Need::Permission("user.read"),
        good: plain,
        done: &[200],
        bad: bad_ids,
        missing: |_| vec![(404, query(""))],
        other_tenant: no_such_user,
    },
    Cases {
        operation: "listSent",
        need: Need::Permission("notification.audit"),
        good: |ground| {
            query(&format!("?limit=200&user_id={}&type=custom&since=2026-01-01T00:00:00Z", ground.user))
        },
        done: &[200, 200],
        bad: |_| vec![(400, query("?limit=0")), (400, query("?sender=x")), (400, query("?until=now"))],
        missing: none,
        other_tenant: |answer, _| assert_eq!(answer.json(), json!({"result": "Success", "sent": []})),
    },
    Cases {
        operation: "withdrawNotifications",
        need: Need::Permission("notification.withdraw"),
        good: |ground| body(JSON, json!({"ids": [ground.id]}).to_string()),
        done: &[200, 200],
        bad: |_| bad_bodies(),
        missing: none,
        other_tenant: |answer, _| assert_eq!(answer.json(), json!({"result": "Success", "withdrawn": 0})),
    },
    Cases {
        operation: "listAudit",
        need: Need::Permission("audit.read"),
        good: |_| query("?limit=200&action=user.put&since=2026-01-01T00:00:00Z"),
        done: &[200, 200],
        bad: |_| vec![(400, query("?limit=0")), (400, query("?action=x")), (400, query("?since=x"))],
        missing: none,
        other_tenant: |answer, ground| {
            let body = answer.json();
            let records = body["records"].as_array().expect("a list");
            assert!(records.iter().all(|r| r["detail"]["user_id"] != ground.user), "{body}");
        },
    },
    Cases {
        operation: "eraseUser",
        need: Need::Permission("user.erase"),
        good: plain,
        done: &[200, 404],
        bad: bad_ids,
        missing: |_| vec![(404, query(""))],
        other_tenant: no_such_user,
    },
    Cases {
        operation: "listUsers",
        need: Need::Permission("user.read"),
        good: |_| query("?limit=200"),
        done: &[200],
        bad: |_| vec![(400, query("?limit=0"))],
        missing: none,
        other_tenant: |answer, ground| {
            let body = answer.json();
            let users = body["users"].as_array().expect("a list");
            assert!(users.iter().all(|user| user["user_id"] != ground.user), "{body}");
        },
    },
    Cases {
        operation: "importUsers",
        need: Need::Permission("user.manage"),
        good: |_| body(LINES, format!("{{\"user_id\":{}}}\n{{}}\n{{\"user_id\":0}}\nx\n", fresh_id())),
        done: &[200],
        bad: |_| vec![(415, body(JSON, "{}"))],
        missing: none,
        other_tenant: |answer, _| assert_eq!(answer.status, 200),
    },
];
