//! `POST /crm/notification/hooks/{hook_id}`: what senders bring that cannot speak the API.

mod events;
mod pending;
mod proof;

use std::{fs, path::Path, sync::LazyLock};

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Answer, Api, Gateway, Token, api::ask, settings::DEFAULT_SECRET};

const TOKEN: &str = "token-of-the-hooks-of-the-tests-00001";
const OLD: &str = "whsec_old-secret-of-the-payments-00001";
const NEW: &str = "whsec_new-secret-of-the-payments-00001";

const SETTINGS: &str = r#"
plugins: ./plugins
log: {level: debug}
rate_limits: {failed_auth: {per_second: 1000000}}
roles: {nobody: []}
tenants:
  default:
    users: open
    issuers: [{algorithm: HS256, secret: signing-secret-of-the-default-tenant-0001}]
    hooks:
      alerts: {mapping: alertmanager, secrets: [{secret: TOKEN}], fallback: 900}
      payments: {mapping: stripe, secrets: [{secret_file: ./old}, {secret_file: ./new}], replay_window: 1m}
      ci: {mapping: github, secrets: [{secret: TOKEN}], recipients: {login=ada: 700}}
      anything: {mapping: generic, secrets: [{secret: TOKEN}], recipients: {ops: [701, 702]}}
      signed: {mapping: generic, authentication: github, secrets: [{secret: TOKEN}]}
      door: {mapping: doors, secrets: [{secret: TOKEN}], settings: {rooms: {b1: Vault}}}
      slow: {mapping: alertmanager, secrets: [{secret: TOKEN}], rate_limit: {per_second: 1, burst: 1}}
      slower: {mapping: generic, secrets: [{secret: TOKEN}], rate_limit: {per_second: 1, burst: 1}}
      fan-out: {mapping: alertmanager, secrets: [{secret: TOKEN}], rate_limit: {per_second: 1, burst: 30}}
      fan-429: {mapping: alertmanager, secrets: [{secret: TOKEN}], overload: 429,
        rate_limit: {per_second: 1, burst: 30}, recipients: {severity=page: [711, 712]}}
      tight: {mapping: generic, secrets: [{secret: TOKEN}], body_bytes: 2048}
      narrow: {mapping: generic, secrets: [{secret: TOKEN}], types: ["billing_*"]}
      idle: {mapping: generic, secrets: [{secret: TOKEN}], roles: [nobody]}
  managed:
    seed: [1, 2, 3]
    issuers: [{algorithm: HS256, secret: signing-secret-of-the-tenant-acme-0000001}]
    hooks:
      known: {mapping: generic, secrets: [{secret: TOKEN}], fallback: [1, 2]}
      strict: {mapping: generic, secrets: [{secret: TOKEN}]}
      few: {mapping: alertmanager, secrets: [{secret: TOKEN}], fallback: 1, rate_limit: {per_second: 1, burst: 10}}
api_keys:
  admin-key-of-the-default-tenant-000001: {roles: [admin]}
"#;

/// A sender of the site's own: no code, only this.
const DOORS: &str = r#"
description: The doors of the building.
settings: {rooms: {}}
for_each: log.entries
rules:
  - when: item.state == "open"
    recipients: "{{ item.badge }}"
    type: custom
    title: "{{ settings.rooms[item.door] | default(item.door) }} was opened"
    link: "/doors/{{ item.door }}"
    metadata: {at: "{{ item.at }}", by: {badge: "{{ item.badge }}"}}
    id: "{{ item.nr }}"
"#;

static GATEWAY: LazyLock<Gateway> = LazyLock::new(|| {
    Gateway::start_in(&SETTINGS.replace("TOKEN", TOKEN), |folder: &Path| {
        let home = folder.join("plugins/doors");
        fs::create_dir_all(&home).expect("a folder");
        fs::write(home.join("hook.yaml"), DOORS).expect("a mapping");
        fs::write(folder.join("old"), OLD).expect("a secret");
        fs::write(folder.join("new"), format!("{NEW}\n")).expect("a secret");
    })
});

/// Brings a body to a hook, with these headers.
async fn bring(hook: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = GATEWAY.api().request(Method::POST, &format!("/hooks/{hook}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(request.header("Content-Type", "application/json").body(body.to_owned())).await
}

/// The same with the token in `Authorization`, as Alertmanager does.
async fn post(hook: &str, body: &Value) -> Answer {
    bring(hook, &body.to_string(), &[("Authorization", &format!("Bearer {TOKEN}"))]).await
}

/// What a hook answers to what it took.
fn received(stored: u64, repeated: u64, ignored: u64, unknown: u64) -> Value {
    json!({"result": "Success", "message": "Received", "stored": stored, "repeated": repeated,
        "ignored": ignored, "unknown_recipients": unknown})
}

fn reader(user: i64) -> Api {
    GATEWAY.api().bearer(Token::of(DEFAULT_SECRET, user).sign())
}

async fn inbox(user: i64) -> Vec<Value> {
    let page = reader(user).get("/").await.expect(200).json();
    page["notifications"].as_array().expect("a list").clone()
}

fn titles(inbox: &[Value]) -> Vec<&str> {
    inbox.iter().filter_map(|n| n["title"].as_str()).collect()
}

/// What a metric's line says.
fn metric(line: &str) -> u64 {
    let text = GATEWAY.admin_get("/metrics");
    let value = text.lines().find_map(|l| l.strip_prefix(line)).and_then(|v| v.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {line} in\n{text}"))
}

fn sign(secret: &str, text: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key").chain_update(text);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
