//! The section `server`: where the gateway listens, who may ask its admin listener, and how much connections hold.

use std::{net::SocketAddr, time::Duration};

use super::{Server, decode::Decoder, field::Section, secret, value};
use crate::domain::Limits;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

const FIELDS: &[&str] = &[
    "listen",
    "admin_listen",
    "admin_token",
    "admin_token_env",
    "admin_token_file",
    "admin_token_next",
    "admin_token_next_env",
    "admin_token_next_file",
    "admin_networks",
    "allowed_hosts",
    "trusted_proxies",
    "request_timeout",
    "drain_time",
    "shutdown_timeout",
    "idle_timeout",
    "max_connections",
    "max_connections_per_client",
    "max_body_memory",
];

pub(super) fn read(decoder: &Decoder<'_>, main: &Section<'_>, limits: &Limits) -> Server {
    let default = Server::default();
    let Some(s) = main.section("server", FIELDS) else { return default };
    let token = |names| {
        let (token, field) = secret::one_of(decoder, &s, names)?;
        if token.0.len() < value::SHORTEST_KEY {
            field.fail(format!("must have at least {} characters", value::SHORTEST_KEY));
        }
        Some((token, field))
    };
    let admin_token = token(["admin_token", "admin_token_env", "admin_token_file"]);
    let next = token(["admin_token_next", "admin_token_next_env", "admin_token_next_file"]);
    if let Some((_, field)) = next.as_ref().filter(|_| admin_token.is_none()) {
        field.fail(
            "stands without admin_token: it is a second token that is valid while one replaces the other",
        );
    }
    let timeout = |name, default| s.duration(name, SECOND..=10 * MINUTE).unwrap_or(default);
    Server {
        listen: s.read("listen", address).unwrap_or(default.listen),
        admin_listen: s.read("admin_listen", address).unwrap_or(default.admin_listen),
        admin_token: admin_token.map(|(token, _)| token),
        admin_token_next: next.map(|(token, _)| token),
        admin_networks: s.list("admin_networks", value::network),
        allowed_hosts: s.list("allowed_hosts", value::host),
        trusted_proxies: s.list("trusted_proxies", value::network),
        request_timeout: timeout("request_timeout", default.request_timeout),
        drain_time: s.duration("drain_time", Duration::ZERO..=10 * MINUTE).unwrap_or(default.drain_time),
        shutdown_timeout: timeout("shutdown_timeout", default.shutdown_timeout),
        idle_timeout: timeout("idle_timeout", default.idle_timeout),
        max_connections: s.size("max_connections", 1..=1_000_000, default.max_connections),
        max_connections_per_client: s
            .integer("max_connections_per_client", 1..=1_000_000)
            .and_then(|n| usize::try_from(n).ok()),
        max_body_memory: max_body_memory(&s, limits).unwrap_or(default.max_body_memory),
    }
}

/// What of `max_body_memory` is needed for each byte that a batch may have: a tenant may hold half, and a batch takes
/// up to twice its size, for its drafts and for its answer.
const BYTES_PER_BATCH_BYTE: usize = 4;

/// Reads `max_body_memory`. Its least and its default have room for the largest body of anything but a batch.
fn max_body_memory(server: &Section<'_>, limits: &Limits) -> Option<usize> {
    let field = server.get("max_body_memory")?;
    let bytes = field.integer(16 << 20..=64 << 30).and_then(|bytes| usize::try_from(bytes).ok())?;
    let batch_bytes = limits.batch_bytes;
    let needed = BYTES_PER_BATCH_BYTE * batch_bytes;
    if bytes < needed {
        field.fail(format!(
            "must be at least {needed}, {BYTES_PER_BATCH_BYTE} times limits.batch_bytes ({batch_bytes}): a tenant may \
             hold half of it, and a batch takes up to twice its size; raise it or lower limits.batch_bytes"
        ));
    }
    Some(bytes)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080".into())
}
