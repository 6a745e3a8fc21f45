//! Connections within bounds: how many there are, and how long one may be silent.
//!
//! A head that is never finished, an answer that is never read and a connection that is forgotten all hold a
//! file descriptor; whoever can open connections could otherwise hold all of them.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use poem::{
    http::uri::Scheme,
    listener::{Acceptor, TcpAcceptor},
    web::{LocalAddr, RemoteAddr},
};
use prometheus::{IntCounter, IntGauge};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until},
};

/// What holds for the connections of one listener.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// How many are open at once; further ones wait until one ends.
    pub most: usize,
    /// A connection ends when nothing was read or written for this long.
    pub idle: Duration,
    /// It also ends when nothing was *written* for `idle` and this: by then any request would have been
    /// answered, so what still comes in, byte by byte, is a head that never ends. So it does when an answer
    /// waited this long to be taken whole: until then it is held in memory.
    pub request: Duration,
    /// Counts those that are open.
    pub open: IntGauge,
    /// Counts those that were ended by these times.
    pub timed_out: IntCounter,
    /// What is known of the other sides.
    pub clients: Clients,
}

/// What an answer without an end must know of the other sides, by their addresses. Of most there is nothing.
#[derive(Debug, Clone, Default)]
pub struct Clients(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Those that do not take what is written, and since when.
    waiting: HashMap<SocketAddr, Instant>,
    /// Those that send no more. The framework goes on with an answer, as they may still read; but who follows a stream
    /// has left.
    gone: HashSet<SocketAddr>,
}

impl Clients {
    /// How long what was written has waited to be taken, if it does.
    pub fn waits(&self, client: SocketAddr) -> Option<Duration> {
        self.lock().waiting.get(&client).map(Instant::elapsed)
    }

    /// Whether it has left. The task of its connection is woken when it does.
    pub fn has_gone(&self, client: SocketAddr) -> bool {
        self.lock().gone.contains(&client)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait when no connection can be taken, as without free file descriptors.
const BREATH: Duration = Duration::from_millis(50);
/// How long such a failure is not told again: where places come and go one by one, every other try fails.
const QUIET: Duration = Duration::from_secs(1);

/// Takes connections within bounds.
pub struct Bounded {
    inner: TcpAcceptor,
    bounds: Arc<Bounds>,
    free: Arc<Semaphore>,
    told: Option<Instant>,
}

impl Bounded {
    /// Takes the connections of this listener.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn new(listener: TcpListener, bounds: Bounds) -> io::Result<Self> {
        let free = Arc::new(Semaphore::new(bounds.most.min(Semaphore::MAX_PERMITS)));
        Ok(Self { inner: TcpAcceptor::from_tokio(listener)?, bounds: Arc::new(bounds), free, told: None })
    }
}

impl Acceptor for Bounded {
    type Io = Connection;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.inner.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(Connection, LocalAddr, RemoteAddr, Scheme)> {
        let place = Arc::clone(&self.free).acquire_owned().await.map_err(io::Error::other)?;
        loop {
            match self.inner.accept().await {
                Ok((stream, local, remote, scheme)) => {
                    let peer = remote.as_socket_addr().copied();
                    return Ok((Connection::new(stream, peer, &self.bounds, place), local, remote, scheme));
                }
                // The other side has gone already.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(e) => {
                    if self.told.is_none_or(|at| at.elapsed() >= QUIET) {
                        self.told = Some(Instant::now());
                        tracing::error!(error = %e, "no connection can be taken; trying again until one can");
                    }
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }
}

/// A connection that ends itself when it is silent for too long.
pub struct Connection {
    stream: TcpStream,
    peer: Option<SocketAddr>,
    bounds: Arc<Bounds>,
    /// When a byte was last read or written.
    moved: Instant,
    /// When a byte was last written; at first, when the connection was taken.
    written: Instant,
    /// Since when an answer waits for the other side to take it.
    waits: Option<Instant>,
    /// Fires now and then to look at the two. It is not set again with every byte, which would cost more
    /// than reading the time.
    timer: Pin<Box<Sleep>>,
    ended: bool,
    /// Whether the other side sends no more.
    gone: bool,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(
        stream: TcpStream,
        peer: Option<SocketAddr>,
        bounds: &Arc<Bounds>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let now = Instant::now();
        bounds.open.inc();
        Self {
            stream,
            peer,
            bounds: Arc::clone(bounds),
            moved: now,
            written: now,
            waits: None,
            timer: Box::pin(sleep_until(now + bounds.idle)),
            ended: false,
            gone: false,
            _place: place,
        }
    }

    /// To be asked when nothing moves; the task is woken when the time has come.
    fn ended(&mut self, cx: &mut Context<'_>) -> bool {
        while !self.ended && self.timer.as_mut().poll(cx).is_ready() {
            let Bounds { idle, request, .. } = *self.bounds;
            let answered = self.waits.map_or(self.written, |since| since.min(self.written));
            let due = (self.moved + idle).min(answered + idle + request);
            self.ended = due <= Instant::now();
            if self.ended {
                self.bounds.timed_out.inc();
            } else {
                self.timer.as_mut().reset(due);
            }
        }
        self.ended
    }

    fn or_ended<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_pending() && self.ended(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl Connection {
    fn waits(&mut self) {
        if self.waits.is_none() {
            let now = Instant::now();
            self.waits = Some(now);
            if let Some(peer) = self.peer {
                self.bounds.clients.lock().waiting.insert(peer, now);
            }
        }
    }

    fn goes(&mut self) {
        if let (false, Some(peer)) = (self.gone, self.peer) {
            self.gone = true;
            self.bounds.clients.lock().gone.insert(peer);
        }
    }

    fn waits_no_more(&mut self) {
        if let (Some(_), Some(peer)) = (self.waits.take(), self.peer) {
            self.bounds.clients.lock().waiting.remove(&peer);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.waits_no_more();
        if let (true, Some(peer)) = (self.gone, self.peer) {
            self.bounds.clients.lock().gone.remove(&peer);
        }
        self.bounds.open.dec();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if polled.is_ready() {
            self.moved = Instant::now();
            if buf.filled().len() == before && buf.remaining() > 0 {
                self.goes();
            }
        }
        self.or_ended(cx, polled)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        if polled.is_ready() {
            self.moved = Instant::now();
            self.written = self.moved;
        } else {
            self.waits();
        }
        self.or_ended(cx, polled)
    }

    /// Asked for only when all that was to be written has been.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waits_no_more();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
