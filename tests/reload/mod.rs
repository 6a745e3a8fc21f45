//! Reloading: a good change is in force within seconds, a bad one changes nothing.

mod faults;
mod files;
mod hooks;
mod jwks;
mod keys;
mod last_good;
mod limits;
mod load;
mod lost;
mod refused;
mod settings;
mod tokens;
mod told;
mod types;
mod types_live;
mod usage;

use serde_json::Value;

use crate::cli::gateway::{Gateway, until};

/// Waits until a send with that key is answered with this status.
#[track_caller]
fn answers(gateway: &Gateway, key: &str, status: u16) {
    until(&format!("{key} is answered {status}"), || (gateway.hello(key).status == status).then_some(()));
}

/// What a metric's line says.
fn metric(gateway: &Gateway, line: &str) -> f64 {
    let text = gateway.admin("/metrics").body;
    let value = text.lines().find_map(|l| l.strip_prefix(line)).and_then(|v| v.trim().parse().ok());
    value.unwrap_or_default()
}

/// How many reloads came out so.
fn reloads(gateway: &Gateway, outcome: &str) -> f64 {
    metric(gateway, &format!("bellboard_config_reloads_total{{outcome=\"{outcome}\"}}"))
}

/// Readiness, which no reload may take away.
#[track_caller]
fn ready(gateway: &Gateway) -> Value {
    let ready = gateway.admin("/readyz");
    assert_eq!(ready.status, 200, "{}", ready.body);
    ready.json()
}
