//! The files under `deploy/` say what is true of the gateway that stands beside them.

mod alerts;
mod compose;
mod kubernetes;
mod scrape;
mod systemd;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::cli::gateway::{Gateway, Site};

/// What may be left to do when `server.shutdown_timeout` has passed: twice the longest commit, by default.
const LAST_COMMIT: Duration = Duration::from_secs(8);
/// `server.shutdown_timeout`, by default.
const SHUTDOWN: Duration = Duration::from_secs(20);

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The documents of a file of YAML.
fn yaml(name: &str) -> Vec<Value> {
    let text = read(name);
    let documents = text.split("\n---\n").map(serde_saphyr::from_str);
    documents.collect::<Result<_, _>>().unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The text at a JSON pointer.
#[track_caller]
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer}: {value}"))
}

/// Starts the gateway on these settings, with ports and a store of this test's own.
fn serve(site: &Site, config: &str) -> Gateway {
    site.good(&["check", "--config", config]);
    let own = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--store", "sqlite://test.db"];
    Gateway::start(site.command(&[["serve", "--config", config].as_slice(), &own].concat()))
}

/// The port that a field of the settings listens on, on all addresses.
fn port(settings: &Value, field: &str) -> u64 {
    let address = text(settings, &format!("/server/{field}"));
    let port = address.strip_prefix("0.0.0.0:").unwrap_or_else(|| panic!("{field}: {address}"));
    port.parse().expect("a port")
}

/// A duration such as `40s` or `2m`.
fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let seconds = if unit == "m" { 60 } else { 1 };
    Duration::from_secs(number.parse::<u64>().expect("a number") * seconds)
}
