//! The document keeps to the one of the last release: a client that was made from that goes on as it is.

mod compare;

use serde_json::{Value, json};

use compare::breaks;

const DOCUMENT: &str = include_str!("../../openapi/bellboard.json");
const BASELINE: &str = include_str!("../../openapi/baseline.json");

/// What is changed, and how.
type Change = (&'static str, fn(&mut Value));

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn nothing_breaks_the_clients_of_the_last_release() {
    let found = breaks(&read(BASELINE), &read(DOCUMENT));
    assert!(
        found.is_empty(),
        "openapi/bellboard.json breaks what openapi/baseline.json promises:\n{}\n\nClients that were generated break \
         with it. Find a way that only adds; else see \"Change the document\" in CONTRIBUTING.md.",
        found.join("\n")
    );
}

#[test]
fn each_way_to_break_a_client_is_found() {
    for (what, change) in BREAKING {
        let found = breaks(&read(BASELINE), &changed(what, *change));
        assert!(!found.is_empty(), "not found: {what}");
    }
}

#[test]
fn what_only_adds_breaks_nothing() {
    for (what, change) in HARMLESS {
        let found = breaks(&read(BASELINE), &changed(what, *change));
        assert!(found.is_empty(), "{what}: {found:?}");
    }
}

fn changed(what: &str, change: fn(&mut Value)) -> Value {
    let mut document = read(BASELINE);
    change(&mut document);
    assert_ne!(document, read(BASELINE), "{what} changes nothing");
    document
}

fn operation<'a>(document: &'a mut Value, method: &str, path: &str) -> &'a mut Value {
    let operation = &mut document["paths"][format!("/crm/notification{path}")][method];
    assert!(operation.is_object(), "{method} {path}");
    operation
}

fn send(document: &mut Value) -> &mut Value {
    operation(document, "post", "/send")
}

fn schema<'a>(document: &'a mut Value, name: &str) -> &'a mut Value {
    let schema = &mut document["components"]["schemas"][name];
    assert!(schema.is_object(), "{name}");
    schema
}

fn remove(holder: &mut Value, name: &str) {
    holder.as_object_mut().and_then(|holder| holder.remove(name)).unwrap_or_else(|| panic!("{name}"));
}

fn push(list: &mut Value, value: Value) {
    list.as_array_mut().expect("a list").push(value);
}

const BREAKING: &[Change] = &[
    ("an operation removed", |d| remove(&mut d["paths"], "/crm/notification/unread-count")),
    ("a method removed", |d| remove(&mut d["paths"]["/crm/notification/users/{user_id}"], "get")),
    ("an operationId renamed", |d| send(d)["operationId"] = "send".into()),
    ("an operation in another group", |d| send(d)["tags"] = json!(["Inbox"])),
    ("a field of an answer removed", |d| remove(&mut schema(d, "Notification")["properties"], "link")),
    ("a field of an answer of another type", |d| {
        schema(d, "Notification")["properties"]["related_ticket_id"]["type"] = "string".into();
    }),
    ("a field of an answer in another format", |d| {
        remove(&mut schema(d, "Notification")["properties"]["created_at"], "format");
    }),
    ("a field of an answer that may be absent", |d| {
        schema(d, "ListResponse")["required"] = json!(["result", "notifications"]);
    }),
    ("a field of an answer that may be null", |d| {
        schema(d, "Notification")["properties"]["message"]["nullable"] = true.into();
    }),
    ("another schema of an answer", |d| {
        let media =
            &mut operation(d, "get", "/unread-count")["responses"]["200"]["content"]["application/json"];
        media["schema"]["$ref"] = "#/components/schemas/MessageResponse".into();
    }),
    ("a required field of a request added", |d| {
        schema(d, "SendRequest")["properties"]["channel"] = json!({"type": "string"});
        push(&mut schema(d, "SendRequest")["required"], "channel".into());
    }),
    ("an optional field of a request made required", |d| {
        push(&mut schema(d, "SendRequest")["required"], "message".into());
    }),
    ("a field of a request removed", |d| remove(&mut schema(d, "SendRequest")["properties"], "link")),
    ("a field of a request that may not be null", |d| {
        remove(&mut schema(d, "SendRequest")["properties"]["link"], "nullable");
    }),
    ("a request closed to more fields", |d| schema(d, "SendRequest")["additionalProperties"] = false.into()),
    ("a limit narrowed", |d| schema(d, "SendRequest")["properties"]["title"]["maxLength"] = 200.into()),
    ("a limit added", |d| schema(d, "SendRequest")["properties"]["metadata"]["maxProperties"] = 5.into()),
    ("a limit of a list narrowed", |d| {
        schema(d, "WithdrawRequest")["properties"]["ids"]["maxItems"] = 10.into()
    }),
    ("a pattern added", |d| schema(d, "SendRequest")["properties"]["type"]["pattern"] = "^[a-z]+$".into()),
    ("an alternative of a pattern removed", |d| {
        let parameters = &mut operation(d, "get", "/sent")["parameters"];
        let sender = parameters.as_array_mut().expect("a list").iter_mut().find(|p| p["name"] == "sender");
        sender.expect("a sender")["schema"]["pattern"] = "^(key:[0-9a-f]{12})$".into();
    }),
    ("a list of types closed", |d| {
        schema(d, "SendRequest")["properties"]["type"]["enum"] = json!(["custom"]);
    }),
    ("an enum of a request narrowed", |d| {
        let parameters = &mut operation(d, "get", "/audit")["parameters"];
        let with_enum = |p: &&mut Value| p["schema"].get("enum").is_some();
        let action = parameters.as_array_mut().expect("a list").iter_mut().find(with_enum).expect("an enum");
        action["schema"]["enum"].as_array_mut().expect("a list").pop();
    }),
    ("the elements of a list of a request of any type", |d| {
        remove(&mut schema(d, "WithdrawRequest")["properties"]["ids"], "items");
    }),
    ("the elements of a list of an answer of any type", |d| {
        remove(&mut schema(d, "ListResponse")["properties"]["notifications"], "items");
    }),
    ("a free object of a request without its values", |d| {
        remove(&mut schema(d, "SendRequest")["properties"]["metadata"], "additionalProperties");
    }),
    ("a free object of an answer without its values", |d| {
        schema(d, "AuditRecord")["properties"]["detail"]["additionalProperties"] = true.into();
    }),
    ("the values of a free object of a request of one type", |d| {
        schema(d, "SendRequest")["additionalProperties"] = json!({"type": "string"});
    }),
    ("an enum of an answer widened", |d| {
        push(&mut d["components"]["headers"]["IdempotencyReplayed"]["schema"]["enum"], "false".into());
    }),
    ("a parameter made required", |d| operation(d, "get", "")["parameters"][0]["required"] = true.into()),
    ("a required parameter added", |d| {
        let header =
            json!({"name": "X-Trace", "in": "header", "required": true, "schema": {"type": "string"}});
        push(&mut send(d)["parameters"], header);
    }),
    ("a parameter removed", |d| {
        operation(d, "get", "")["parameters"].as_array_mut().expect("a list").pop();
    }),
    ("another default", |d| operation(d, "get", "")["parameters"][0]["schema"]["default"] = 20.into()),
    ("a body made required", |d| {
        operation(d, "post", "/mark-all-read")["requestBody"]["required"] = true.into()
    }),
    ("a status removed", |d| remove(&mut send(d)["responses"], "429")),
    ("another good status", |d| {
        let done = send(d)["responses"]["201"].clone();
        send(d)["responses"]["202"] = done;
    }),
    ("a header removed", |d| {
        remove(&mut d["components"]["responses"]["TooManyRequests"]["headers"], "Retry-After");
    }),
    ("a media type removed", |d| {
        send(d)["requestBody"]["content"] = json!({"application/xml": {"schema": {"type": "string"}}});
    }),
    ("a credential no longer enough", |d| send(d)["security"] = json!([{"Bearer": []}])),
    ("two credentials at once", |d| send(d)["security"] = json!([{"ApiKey": [], "Bearer": []}])),
    ("another header for the key", |d| {
        d["components"]["securitySchemes"]["ApiKey"]["name"] = "X-Key".into();
    }),
];

const HARMLESS: &[Change] = &[
    ("an operation added", |d| {
        let operation = send(d).clone();
        d["paths"]["/crm/notification/send-more"] = json!({"post": operation});
    }),
    ("an optional field of a request added", |d| {
        schema(d, "SendRequest")["properties"]["channel"] = json!({"type": "string"});
    }),
    ("a field of an answer added", |d| {
        schema(d, "Notification")["properties"]["channel"] = json!({"type": "string"});
        push(&mut schema(d, "Notification")["required"], "channel".into());
    }),
    ("an optional parameter added", |d| {
        let flag = json!({"name": "flag", "in": "query", "schema": {"type": "boolean"}});
        push(&mut operation(d, "get", "")["parameters"], flag);
    }),
    ("a status of an error added", |d| {
        let error = send(d)["responses"]["400"].clone();
        send(d)["responses"]["409"] = error;
    }),
    ("a header added", |d| {
        d["components"]["responses"]["TooManyRequests"]["headers"]["X-More"] =
            json!({"schema": {"type": "string"}});
    }),
    ("a limit widened", |d| schema(d, "SendRequest")["properties"]["title"]["maxLength"] = 500.into()),
    ("a required field of a request made optional", |d| {
        schema(d, "SendRequest")["required"] = json!(["user_id", "title"]);
    }),
    ("a type added", |d| {
        push(&mut schema(d, "SendRequest")["properties"]["type"]["x-extensible-enum"], "parcel".into());
    }),
    ("a credential added", |d| {
        d["components"]["securitySchemes"]["Basic"] = json!({"type": "http", "scheme": "basic"});
        push(&mut send(d)["security"], json!({"Basic": []}));
    }),
    ("a media type added", |d| {
        send(d)["requestBody"]["content"]["application/xml"] = json!({"schema": {"type": "string"}});
    }),
    ("other words", |d| send(d)["description"] = "Sends.".into()),
];
