//! The clients that the contract's readers have (curl, a shell script, Python with requests, Node with
//! axios) against the default configuration: each sends what an integration sends, and what the user sees
//! is compared with it.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    cli::gateway::{DEVELOPMENT_KEY, Gateway, Site},
    support::installed,
};

/// Runs a client of this folder against the gateway; it prints one JSON value a line.
fn run(gateway: &Gateway, mut command: Command, file: &str, words: &[&str]) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/clients").join(file);
    command.arg(file).args(words);
    command.env("BASE", format!("http://{}", gateway.public)).env("KEY", DEVELOPMENT_KEY);
    let ran = command.output().expect("the client runs");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{command:?}\n{out}\n{err}");
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {out}"))).collect()
}

fn python(gateway: &Gateway, words: &[&str]) -> Vec<Value> {
    run(gateway, Command::new(installed("python/bin/python")), "send.py", words)
}

fn node(gateway: &Gateway) -> Vec<Value> {
    let mut command = Command::new(installed("bin/node"));
    command.env("NODE_PATH", installed("senders/node_modules"));
    run(gateway, command, "send.js", &[])
}

fn inbox(site: &Site, gateway: &Gateway, user: &str) -> Vec<Value> {
    gateway.inbox(site.good(&["token", "--user", user]).trim())
}

/// What every client sends first.
fn activation() -> Value {
    json!({
        "user_id": 123,
        "type": "provision_complete",
        "title": "Line is up",
        "message": "Line 31 can be used from now on",
        "link": "/services/31",
        "metadata": {"service_id": 31, "provision_job_id": "job-2026-0007", "duration_seconds": 12},
    })
}

/// Holds an answer to the shape of the contract, and gives its notification.
#[track_caller]
fn created(answer: &Value, sent: &Value) -> Value {
    assert_eq!(answer["status"], 201, "{answer}");
    let body = answer["body"].as_object().expect("an object");
    assert_eq!(body.keys().collect::<Vec<_>>(), ["result", "message", "notification"]);
    assert_eq!(
        (&body["result"], &body["message"]),
        (&json!("Success"), &json!("Notification sent successfully"))
    );
    let mut made = body["notification"].clone();
    let fields = made.as_object_mut().expect("an object");
    let id = fields.shift_remove("notification_id").expect("an id");
    let at = fields.shift_remove("created_at").expect("a time");
    assert_eq!(fields.shift_remove("is_read"), Some(json!(false)));
    assert_eq!(&made, sent, "it comes back as it was sent");
    let order: Vec<_> = fields_of(&made);
    assert_eq!(order, fields_of(sent), "in its order");
    assert!(id.as_i64().is_some_and(|id| id > 0));
    let at = at.as_str().expect("text");
    assert!(at.len() == 20 && at.ends_with('Z') && at.as_bytes()[10] == b'T', "{at}");
    body["notification"].clone()
}

fn fields_of(value: &Value) -> Vec<&String> {
    value.as_object().into_iter().flatten().map(|(name, _)| name).collect()
}

#[test]
fn curl_and_a_shell_script() {
    let site = Site::default_settings();
    let gateway = site.serve();
    let answers = run(&gateway, Command::new("bash"), "send.sh", &[]);
    created(&answers[0], &activation());
    let mut short = activation();
    short.as_object_mut().expect("an object").shift_remove("metadata");
    created(&answers[1], &short);
    created(
        &answers[2],
        &json!({"user_id": 1, "type": "custom", "title": "A try", "message": "Does the key work?"}),
    );
    assert_eq!(answers[3], json!({"status": 401, "body": {"message": "Invalid API key"}}));
    let missing = json!({"result": "Failed", "reason": "user_id is required"});
    assert_eq!(answers[4], json!({"status": 400, "body": missing}));
    let unknown = json!({"result": "Failed", "reason": "User 999 not found"});
    assert_eq!(answers[5], json!({"status": 404, "body": unknown}));
    assert_eq!(inbox(&site, &gateway, "123").len(), 2);
}

#[test]
fn python_with_requests() {
    let site = Site::default_settings();
    let gateway = site.serve();
    let answers = python(&gateway, &["one"]);
    let made = created(&answers[0], &activation());
    let seen = inbox(&site, &gateway, "123");
    assert_eq!(seen[0]["notification_id"], made["notification_id"]);
    assert_eq!(seen[0]["metadata"], made["metadata"]);
}

#[test]
fn node_with_axios() {
    let site = Site::default_settings();
    let gateway = site.serve();
    let answers = node(&gateway);
    created(&answers[0], &activation());
    let full = json!({
        "user_id": 5, "type": "ticket_assigned", "title": "For you",
        "related_ticket_id": 42, "related_user_id": 2,
    });
    // The link is made from the ticket, as the sender gave none.
    let mut made = full.clone();
    let fields = made.as_object_mut().expect("an object");
    let link = inbox(&site, &gateway, "5")[0]["link"].clone();
    assert!(link.as_str().is_some_and(|link| link.contains("42")), "{link}");
    fields.shift_insert(3, "link".into(), link);
    created(&answers[1], &made);
    assert_eq!(answers[2]["status"], 400, "axios rejects with the body: {}", answers[2]);
    assert_eq!(answers[2]["body"]["reason"], "title is required");
}

#[test]
fn every_integration_is_taken_as_it_is_sent() {
    let site = Site::default_settings();
    let gateway = site.serve();
    let answers = python(&gateway, &["integrations"]);
    assert_eq!(answers.len(), 9);
    for answer in &answers {
        created(answer, &answer["sent"]);
    }
    // What the types add shows in the inbox, and their advice refuses nothing.
    let seen = inbox(&site, &gateway, "2");
    assert_eq!(seen[0]["type"], "system_alert");
    assert_eq!(seen[0]["title"], "⚠️ Disk nearly full");
    assert_eq!(seen[0]["severity"], "warning");
    let alerted = seen[0]["metadata"]["alert_time"].as_str().expect("text");
    assert!(!alerted.ends_with('Z') && !alerted.contains('+'), "a time without a zone: {alerted}");
    assert_eq!(seen[1]["type"], "billing_invoice");
    assert_eq!(seen[1]["metadata"]["amount"], json!(99.5));
    let seen = inbox(&site, &gateway, "5");
    let kinds: Vec<_> = seen.iter().map(|n| n["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["service_expiring", "provision_failed", "provision_complete"]);
    let metrics = gateway.admin("/metrics").body;
    let advised = metrics.lines().find(|line| line.starts_with("bellboard_send_warnings_total{"));
    assert_eq!(advised, None, "the schemas know what is sent");
}
