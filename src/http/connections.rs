//! Connections within bounds: how many there are, and how long one may be silent.
//!
//! A head that is never finished, an answer that is never read and a connection that is forgotten all hold a
//! file descriptor; whoever can open connections could otherwise hold all of them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use prometheus::{IntCounter, IntGauge};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until, timeout},
};

use super::{
    memory::Unwritten,
    standing::{Open, Place, Standing},
};

/// Whose connections are not counted by client.
pub type Exempt = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// What holds for the connections of one listener.
#[derive(Clone)]
pub struct Bounds {
    /// How many are open at once; further ones wait until one ends. One that is idle and authenticated nobody is closed
    /// for them.
    pub most: usize,
    /// How many one client may have; further ones are closed at once.
    pub of_client: usize,
    /// The clients for whom that does not hold.
    pub exempt: Exempt,
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
    /// Counts those that were closed for others.
    pub refused: IntCounter,
}

/// How long to wait when no connection can be taken, as without free file descriptors.
const BREATH: Duration = Duration::from_millis(50);
/// How long such a failure is not told again: where places come and go one by one, every other try fails.
const QUIET: Duration = Duration::from_secs(1);

/// Takes connections within bounds.
pub struct Bounded {
    listener: TcpListener,
    bounds: Arc<Bounds>,
    free: Arc<Semaphore>,
    connections: Arc<Open>,
    told: Option<Instant>,
}

impl Bounded {
    /// Takes the connections of this listener.
    pub fn new(listener: TcpListener, bounds: Bounds) -> Self {
        let free = Arc::new(Semaphore::new(bounds.most.min(Semaphore::MAX_PERMITS)));
        let connections = Open::new(bounds.of_client);
        Self { listener, bounds: Arc::new(bounds), free, connections, told: None }
    }

    /// The next one, and who it is from; waits until there is room for it.
    pub async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let (stream, peer) = self.accepted().await;
            let counted = Some(peer.ip()).filter(|ip| !(self.bounds.exempt)(ip.to_canonical()));
            let Some(place) = self.connections.enter(counted) else {
                self.bounds.refused.inc();
                continue;
            };
            let permit = self.permit(&place).await;
            return (Connection::new(stream, &self.bounds, place, permit), peer);
        }
    }

    /// Waits until there is room, which is made where a connection is idle and authenticated nobody.
    async fn permit(&self, place: &Place) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                return permit;
            }
            if self.connections.close_idle(place) {
                self.bounds.refused.inc();
            }
            // Another may have become idle by then.
            if let Ok(Ok(permit)) = timeout(BREATH, Arc::clone(&self.free).acquire_owned()).await {
                return permit;
            }
        }
    }

    async fn accepted(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
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

/// Whether what was written to a connection waits to be taken.
#[derive(Debug, Clone, Default)]
pub struct Waiting(Arc<AtomicBool>);

impl Waiting {
    /// Whether it does.
    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection that ends itself when it is silent for too long.
pub struct Connection {
    stream: TcpStream,
    bounds: Arc<Bounds>,
    /// When a byte was last read or written.
    moved: Instant,
    /// When a byte was last written; at first, when the connection was taken.
    written: Instant,
    /// Since when an answer waits for the other side to take it.
    waits: Option<Instant>,
    waiting: Waiting,
    unwritten: Unwritten,
    /// Fires now and then to look at the two. It is not set again with every byte, which would cost more
    /// than reading the time.
    timer: Pin<Box<Sleep>>,
    ended: bool,
    place: Place,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TcpStream, bounds: &Arc<Bounds>, place: Place, permit: OwnedSemaphorePermit) -> Self {
        let now = Instant::now();
        // It may have waited for its place; its grace begins now.
        place.standing().open();
        bounds.open.inc();
        Self {
            stream,
            bounds: Arc::clone(bounds),
            moved: now,
            written: now,
            waits: None,
            waiting: Waiting::default(),
            unwritten: Unwritten::default(),
            timer: Box::pin(sleep_until(now + bounds.idle)),
            ended: false,
            place,
            _permit: permit,
        }
    }

    /// Tells, also when somebody else has the connection, whether something waits.
    pub fn waiting(&self) -> Waiting {
        self.waiting.clone()
    }

    /// How it stands among the others.
    pub fn standing(&self) -> Standing {
        self.place.standing().clone()
    }

    /// What the answers hold that the connection was given.
    pub fn unwritten(&self) -> Unwritten {
        self.unwritten.clone()
    }

    /// Sends each piece at once, however small.
    pub fn hold_nothing_back(&self) {
        // It would only come later.
        let _ = self.stream.set_nodelay(true);
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

impl Drop for Connection {
    fn drop(&mut self) {
        self.bounds.open.dec();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if polled.is_ready() {
            self.moved = Instant::now();
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
            self.waits.get_or_insert_with(Instant::now);
            self.waiting.0.store(true, Ordering::Relaxed);
        }
        self.or_ended(cx, polled)
    }

    /// Asked for only when all that was to be written has been.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unwritten.written();
        if self.waits.take().is_some() {
            self.waiting.0.store(false, Ordering::Relaxed);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
