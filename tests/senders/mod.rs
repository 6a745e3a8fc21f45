//! The senders of `examples/`, each the real program with the files that stand there.

mod alertmanager;
mod ansible;
mod scripts;
mod webhooks;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::support::{Gateway, Token, installed};

const SIGNING: &str = "signing-secret-of-the-senders-in-examples";
const KEY: &str = "a-key-for-the-senders-that-stand-in-examples";

/// Tenants and keys as most examples need them.
const SETTINGS: &str = r#"
tenants:
  default:
    users: open
    issuers: [{algorithm: HS256, secret: signing-secret-of-the-senders-in-examples}]
api_keys:
  a-key-for-the-senders-that-stand-in-examples: {}
"#;

/// A file of the project.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(example(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Runs a program that must end well.
#[track_caller]
fn run(command: &mut Command) -> String {
    let ran = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{command:?}\n{out}\n{err}");
    out.into_owned()
}

async fn inbox(gateway: &Gateway, user: i64) -> Vec<Value> {
    let token = Token::of(SIGNING, user).sign();
    let page = gateway.api().bearer(token).get("/").await.expect(200).json();
    page["notifications"].as_array().expect("a list").clone()
}

fn titles(inbox: &[Value]) -> Vec<&str> {
    inbox.iter().filter_map(|n| n["title"].as_str()).collect()
}
