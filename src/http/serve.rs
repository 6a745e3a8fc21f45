//! Serving connections: each request goes to the endpoint, and an answer without an end takes its connection over.
//!
//! This stands in for the framework's own server, which knows no way out of a connection: its buffers, some 16 KiB,
//! would stay with each live stream, and what a stream tells would wait in them for a slow reader. HTTP/1 alone, as a
//! proxy speaks it: browsers' HTTP/2 ends there.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use poem::{
    Addr, Endpoint, Response,
    endpoint::{DynEndpoint, ToDynEndpoint},
    http::{self, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{net::TcpListener, sync::watch, time::timeout};

use super::{
    connections::{Bounded, Bounds, Connection},
    memory::Charge,
    pieces::Pieces,
    takeover::{self, Place, Taken},
};

/// How long a head may be, and how much of an answer is written ahead of a reader.
const BUFFER: usize = 16 << 10;

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// It has not begun.
    Serving,
    /// Requests that run are answered; nothing new begins.
    Ending,
    /// Whatever still runs is cut off.
    Over,
}

type Called = Arc<dyn DynEndpoint<Output = Response>>;

/// Serves until `stop` returns, then lets running requests end within the limit.
///
/// # Errors
/// When the listener has no address.
pub async fn until(
    listener: TcpListener,
    bounds: Bounds,
    endpoint: impl Endpoint<Output = Response> + 'static,
    stop: impl Future<Output = ()>,
    limit: Duration,
) -> io::Result<()> {
    let local = LocalAddr(Addr::SocketAddr(listener.local_addr()?));
    let mut bounded = Bounded::new(listener, bounds);
    let endpoint: Called = Arc::new(ToDynEndpoint(endpoint));
    let phase = watch::Sender::new(Phase::Serving);
    tokio::pin!(stop);
    loop {
        let (connection, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = bounded.accept() => accepted,
        };
        let (endpoint, local, mut phase) = (Arc::clone(&endpoint), local.clone(), phase.subscribe());
        tokio::spawn(async move {
            let mut over = phase.clone();
            let standing = connection.standing();
            tokio::select! {
                () = connected(connection, peer, local, endpoint, &mut phase) => {}
                () = standing.closed() => {}
                _ = over.wait_for(|phase| *phase == Phase::Over) => {}
            }
        });
    }
    drop(bounded);
    phase.send_replace(Phase::Ending);
    // The task of each connection holds a receiver until it ends.
    if timeout(limit, phase.closed()).await.is_err() {
        phase.send_replace(Phase::Over);
        phase.closed().await;
    }
    Ok(())
}

/// Serves one connection to its end.
async fn connected(
    connection: Connection,
    peer: SocketAddr,
    local: LocalAddr,
    endpoint: Called,
    phase: &mut watch::Receiver<Phase>,
) {
    // In a box, so that its room is free again once a stream has taken the connection over.
    if let Some(taken) = Box::pin(requests(connection, peer, local, endpoint, phase)).await {
        taken.go_on().await;
    }
}

/// Answers the requests of a connection; gives back the connection once an answer takes it over.
async fn requests(
    connection: Connection,
    peer: SocketAddr,
    local: LocalAddr,
    endpoint: Called,
    phase: &mut watch::Receiver<Phase>,
) -> Option<Taken> {
    let standing = connection.standing();
    let (place, waiting, unwritten) = (Place::default(), connection.waiting(), connection.unwritten());
    let answer = |request: http::Request<Incoming>| {
        let (endpoint, place, unwritten) = (Arc::clone(&endpoint), place.clone(), unwritten.clone());
        let standing = standing.clone();
        standing.begin();
        let (version, method) = (request.version(), request.method().clone());
        let mut request =
            poem::Request::from((request, local.clone(), RemoteAddr(Addr::SocketAddr(peer)), Scheme::HTTP));
        request.extensions_mut().insert(standing.clone());
        async move {
            let response = endpoint.get_response(request).await;
            standing.rest();
            let response = takeover::left_by(response, &place, version, &method);
            let mut response = http::Response::<_>::from(response);
            let charge = response.extensions_mut().remove::<Charge>();
            Ok::<_, Infallible>(response.map(|body| Pieces::new(body, charge, &unwritten)))
        }
    };
    let mut http = http1::Builder::new()
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(connection), service_fn(answer));
    loop {
        let served = poll_fn(|cx| match Pin::new(&mut http).poll(cx) {
            Poll::Ready(_) => Poll::Ready(false),
            // Its head is on its way.
            Poll::Pending if place.is_taken() && !waiting.is_so() => Poll::Ready(true),
            Poll::Pending => Poll::Pending,
        });
        tokio::select! {
            is_taken = served => match is_taken {
                true => break,
                false => return None,
            },
            _ = phase.wait_for(|phase| *phase != Phase::Serving), if *phase.borrow() == Phase::Serving => {
                Pin::new(&mut http).graceful_shutdown();
            }
        }
    }
    let connection = http.into_parts().io.into_inner();
    place.take(connection)
}
