//! The document's examples. A test validates each against its schema.

use serde_json::{Value, json};

/// Adds an example to each parameter, each request and each good answer.
pub fn add(document: &mut Value) {
    let prefix = super::super::PREFIX;
    let mut put = |path: &str, method: &str, status: &str, request: Value, answer: Value| {
        let operation = &mut document["paths"][format!("{prefix}{path}")][method];
        if !request.is_null() {
            example(&mut operation["requestBody"], request);
        }
        example(&mut operation["responses"][status], answer);
    };
    let user = json!({
        "user_id": 42, "display_name": "Ada Moser", "locale": "de-CH", "time_zone": "Europe/Zurich",
        "created_at": "2026-01-11T14:30:00Z", "updated_at": "2026-01-11T14:30:00Z",
    });
    let profile = json!({"display_name": "Ada Moser", "locale": "de-CH", "time_zone": "Europe/Zurich"});
    put("/send", "post", "201", send_request(), sent());
    put("/send/dry-run", "post", "200", send_request(), dry_run());
    put("/send-batch", "post", "200", batch_request(), batch());
    let event = json!({
        "user_id": 42, "title": "Backup finished", "message": "It took 4 minutes.", "link": "/backups/7",
        "id": "backup-7",
    });
    let received = json!({
        "result": "Success", "message": "Received", "stored": 1, "repeated": 0, "ignored": 0,
        "unknown_recipients": 0,
    });
    put("/hooks/{hook_id}", "post", "200", event, received);
    let page = json!({
        "result": "Success", "notifications": [read_notification(false)], "unread_count": 1, "next_cursor": "c1a",
    });
    put("", "get", "200", Value::Null, page);
    put("/unread-count", "get", "200", Value::Null, json!({"result": "Success", "unread_count": 3}));
    let arrived = json!({
        "event": "notification", "id": "6f1c03d2a95e8b47.58",
        "data": {"unread_count": 4, "notification": read_notification(false)},
    });
    put("/stream", "get", "200", Value::Null, arrived);
    let marked = json!({"result": "Success", "notification": read_notification(true)});
    put("/{id}/mark-read", "post", "200", Value::Null, marked);
    let unread = json!({"result": "Success", "notification": read_notification(false)});
    put("/{id}/mark-unread", "post", "200", Value::Null, unread.clone());
    put("/{id}/restore", "post", "200", Value::Null, unread);
    let ids = json!({"ids": [46, 45, 12]});
    let changed = json!({"result": "Success", "changed": 2, "unread_count": 1, "not_found": [12]});
    put("/mark-read", "post", "200", ids.clone(), changed.clone());
    put("/delete", "post", "200", ids, changed);
    put("/mark-all-read", "post", "200", json!({"up_to": 46}), json!({"result": "Success", "updated": 3}));
    let deleted = json!({"result": "Success", "message": "Notification deleted"});
    put("/{id}", "delete", "200", Value::Null, deleted);
    put("/types", "get", "200", Value::Null, types());
    let one = json!({"result": "Success", "user": user});
    put("/users/{user_id}", "put", "200", profile.clone(), one.clone());
    put("/users/{user_id}", "put", "201", profile, one.clone());
    put("/users/{user_id}", "get", "200", Value::Null, one);
    let erased = json!({"result": "Success", "message": "User 42 erased"});
    put("/users/{user_id}", "delete", "200", Value::Null, erased);
    let users = json!({"result": "Success", "users": [user], "next_cursor": "c16"});
    put("/users", "get", "200", Value::Null, users);
    audit(&mut put);
    let lines = concat!(
        r#"{"user_id":42,"display_name":"Ada Moser"}"#,
        "\n",
        r#"{"user_id":43,"locale":"de_CH"}"#,
        "\n",
    );
    let results = concat!(
        r#"{"line":1,"result":"Success","user_id":42,"created":true}"#,
        "\n",
        r#"{"line":2,"result":"Failed","user_id":43,"reason":"locale must be a language tag such as en or de-CH"}"#,
        "\n",
    );
    put("/users/import", "post", "200", lines.into(), results.into());
    super::for_each_operation(document, |operation| {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(said) = parameter["name"].as_str().and_then(said) {
                parameter["example"] = said;
            }
        }
    });
}

/// What a parameter may say, by its name.
fn said(name: &str) -> Option<Value> {
    Some(match name {
        "Idempotency-Key" => r#""8e03978e-40d5-43dd-bc93-6894a57f9324""#.into(),
        "Last-Event-ID" => "6f1c03d2a95e8b47.57".into(),
        "action" => "user.erased".into(),
        "cursor" => "c1a".into(),
        "hook_id" => "alerts".into(),
        "id" => 46.into(),
        "limit" => 20.into(),
        "principal" | "sender" => "key:2c26b46b68ff".into(),
        "since" => "2026-01-11T14:00:00Z".into(),
        "type" => "billing_invoice".into(),
        "unread" | "dry_run" => true.into(),
        "until" => "2026-01-11T15:00:00Z".into(),
        "user_id" => 42.into(),
        _ => return None,
    })
}

fn audit(put: &mut impl FnMut(&str, &str, &str, Value, Value)) {
    let one = json!({
        "sender": "key:2c26b46b68ff", "request_id": "9f2c4e7a1b3d5f6071829304",
        "notification": read_notification(true),
    });
    let sent = json!({"result": "Success", "sent": [one], "next_cursor": "c1a"});
    put("/sent", "get", "200", Value::Null, sent);
    let leaked = json!({"sender": "key:2c26b46b68ff", "since": "2026-01-11T14:00:00Z"});
    put("/withdraw", "post", "200", leaked, json!({"result": "Success", "withdrawn": 12}));
    let record = json!({
        "at": "2026-01-11T14:30:00Z", "action": "user.erased", "principal": "key:2c26b46b68ff",
        "request_id": "9f2c4e7a1b3d5f6071829304", "detail": {"user_id": 42},
    });
    let records = json!({"result": "Success", "records": [record], "next_cursor": "chfz9k1d0sg"});
    put("/audit", "get", "200", Value::Null, records);
}

fn example(holder: &mut Value, example: Value) {
    for media in holder["content"].as_object_mut().into_iter().flat_map(|c| c.values_mut()) {
        media["example"] = example.clone();
    }
}

fn send_request() -> Value {
    json!({
        "user_id": 42,
        "type": "billing_invoice",
        "title": "Your invoice for January is ready",
        "message": "It is due on 31 January.",
        "link": "/invoices/3021",
        "metadata": {"invoice_id": 3021, "amount": 49.9, "due_date": "2026-01-31"},
        "related_user_id": 7,
    })
}

fn sent() -> Value {
    json!({
        "result": "Success",
        "message": "Notification sent successfully",
        "notification": {
            "notification_id": 46,
            "user_id": 42,
            "type": "billing_invoice",
            "title": "Your invoice for January is ready",
            "message": "It is due on 31 January.",
            "link": "/invoices/3021",
            "metadata": {"invoice_id": 3021, "amount": 49.9, "due_date": "2026-01-31"},
            "is_read": false,
            "created_at": "2026-01-11T14:30:00Z",
            "related_user_id": 7,
        },
    })
}

fn batch_request() -> Value {
    let mut unknown = send_request();
    unknown["user_id"] = 999.into();
    json!({"items": [send_request(), unknown]})
}

fn batch() -> Value {
    let stored = json!({"status": 201, "notification": sent()["notification"]});
    let unknown = json!({"status": 404, "reason": "User 999 not found", "code": "user_not_found"});
    json!({"result": "Success", "sent": 1, "failed": 1, "results": [stored, unknown]})
}

fn dry_run() -> Value {
    let mut notification = read_notification(false);
    notification["metadata"]["amount"] = true.into();
    if let Some(fields) = notification.as_object_mut() {
        fields.shift_remove("notification_id");
    }
    json!({
        "result": "Success",
        "message": "Dry run: nothing was stored",
        "notification": notification,
        "warnings": [{
            "field": "metadata.amount",
            "reason": r#"metadata.amount is not of types "number", "string""#,
            "component": "json_schema",
        }],
        "user_known": true,
    })
}

fn read_notification(read: bool) -> Value {
    let mut notification = sent()["notification"].take();
    notification["severity"] = "info".into();
    notification["icon"] = "receipt".into();
    notification["is_read"] = read.into();
    if read {
        notification["read_at"] = "2026-01-11T15:00:00Z".into();
    }
    notification
}

fn types() -> Value {
    json!({"result": "Success", "types": [{
        "name": "billing_invoice",
        "family": "billing",
        "description": "A new invoice is ready.",
        "icon": "receipt",
        "severity": "info",
        "strict": false,
        "metadata_schema": {"type": "object", "properties": {"invoice_id": {"type": "integer"}}},
    }]})
}
