//! Opening the listeners, and closing them when told.

use std::{
    net::SocketAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use poem::{Endpoint, Response};
use tokio::net::{TcpListener, TcpSocket};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

pub use super::connections::{Bounds, Exempt};
use super::{
    drain::{Drained, Draining},
    serve,
};

/// A bound listener: connections wait in it from now on.
pub struct Bound {
    /// Where it listens; the port is real even where 0 was asked for.
    pub address: SocketAddr,
    bounds: Bounds,
    listener: TcpListener,
}

/// Binds an address; the error names the field that gave it.
pub async fn bind(field: &str, address: SocketAddr, bounds: Bounds) -> Result<Bound, String> {
    let fault = |e: std::io::Error| format!("{field}: cannot listen on {address}: {e}");
    let listener = listen(address).map_err(fault)?;
    let address = listener.local_addr().map_err(fault)?;
    Ok(Bound { address, bounds, listener })
}

/// Bytes that the system takes of an answer ahead of its reader, doubled for its own use. It would take up to 4 MiB,
/// which count towards a container's memory and towards nobody's share.
const SEND_BUFFER: u32 = 128 << 10;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // Each connection inherits it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The order to stop: SIGTERM or SIGINT. It is heard from the making of this value on.
pub struct Stop {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
}

impl Stop {
    /// Listens for the order.
    ///
    /// # Errors
    /// When signals cannot be heard.
    pub fn heard() -> Result<Self, String> {
        #[cfg(unix)]
        {
            let hear = |kind| signal(kind).map_err(|e| format!("signals cannot be heard: {e}"));
            Ok(Self { terminate: hear(SignalKind::terminate())?, interrupt: hear(SignalKind::interrupt())? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Returns once it is given, and again when it is given again.
    pub async fn told(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Serves both until `stop` returns, then lets running requests end within the limit; tells whether they did. While it
/// drains, every answer of the public one ends its connection.
pub async fn until_told(
    (public, api): (Bound, impl Endpoint<Output = Response> + 'static),
    (private, admin): (Bound, impl Endpoint<Output = Response> + 'static),
    draining: Draining,
    stop: impl Future<Output = ()> + Send + 'static,
    limit: Duration,
) -> Result<bool, String> {
    let api = Drained(api, draining);
    let told = OnceLock::new();
    let stop = async {
        stop.await;
        let _ = told.set(Instant::now());
    }
    .shared();
    let fault = |e: std::io::Error| format!("a listener failed: {e}");
    let (a, b) = tokio::join!(
        serve::until(public.listener, public.bounds, api, stop.clone(), limit),
        serve::until(private.listener, private.bounds, admin, stop, limit),
    );
    a.and(b).map_err(fault)?;
    // The server says nothing of what it cuts off, but it does so only when the limit has passed.
    Ok(told.get().is_none_or(|told| told.elapsed() < limit))
}
