//! How many connections each listener may hold, within what the system lets the process open.

use std::sync::Arc;

use crate::{
    config::Server,
    http::listen::{Bounds, Exempt},
    metrics::Metrics,
    snapshot::Shared,
};

/// Connections of the admin listener: apart, so that it is reachable while the public one is full.
const ADMIN_CONNECTIONS: usize = 64;
/// Open files for all but the public connections: the admin listener's, the store's, the settings'.
const OTHER_FILES: u64 = 160;

/// The bounds of the public listener and of the admin listener. What the snapshot in force names trusted proxies is not
/// counted by client.
pub fn of(server: &Server, metrics: &Metrics, shared: &Shared) -> (Bounds, Bounds) {
    let shared = shared.clone();
    let exempt: Exempt =
        Arc::new(move |ip| shared.load().trusted_proxies.iter().any(|network| network.contains(&ip)));
    let bounds = |listener: &str, most: usize, of_client: Option<usize>| Bounds {
        most,
        of_client: of_client.unwrap_or(most.div_ceil(2)),
        exempt: Arc::clone(&exempt),
        idle: server.idle_timeout,
        request: server.request_timeout,
        open: metrics.connections.with_label_values(&[listener]),
        timed_out: metrics.connections_timed_out.with_label_values(&[listener]),
        refused: metrics.connections_refused.with_label_values(&[listener]),
    };
    let public = public_connections(server.max_connections);
    (
        bounds("public", public, server.max_connections_per_client),
        bounds("admin", ADMIN_CONNECTIONS, Some(ADMIN_CONNECTIONS)),
    )
}

/// Raises the limit of open files as far as it goes, and takes what was asked for if there is room.
fn public_connections(asked: usize) -> usize {
    let Ok(files) = rlimit::increase_nofile_limit(u64::MAX) else { return asked };
    let room = usize::try_from(room(files)).unwrap_or(usize::MAX);
    if asked > room {
        tracing::warn!(
            "server.max_connections is {asked}, but the limit of {files} open files leaves room for {room}"
        );
    }
    asked.min(room)
}

fn room(files: u64) -> u64 {
    files.saturating_sub(OTHER_FILES).max(files / 4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!([1 << 20, 1_024, 200, 64, 0].map(room), [(1 << 20) - 160, 864, 50, 16, 1]);
    }
}
