//! The open connections of a listener: how many each client has, and which is closed for others.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::limit::client_key;

/// How long a connection is left open that was just opened: its request may be on its way.
const GRACE: Duration = Duration::from_secs(1);
/// How long after its opening a connection is left open on which a request is being answered: its sender is still to be
/// authenticated, as by a signature over its body.
const REQUEST_GRACE: Duration = Duration::from_secs(2);

/// The open connections.
pub struct Open {
    /// Maximum number of connections of one client.
    of_client: usize,
    start: Instant,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    next: u64,
    standings: HashMap<u64, Standing>,
    clients: HashMap<IpAddr, usize>,
}

/// How one connection stands. Cheap to clone.
#[derive(Clone)]
pub struct Standing(Arc<Inner>);

struct Inner {
    start: Instant,
    /// A request on it was authenticated.
    authenticated: AtomicBool,
    /// A request on it is being answered.
    busy: AtomicBool,
    /// Milliseconds from `start` until it was opened. Requests change nothing about it: who sends one after the other and
    /// authenticates nobody would hold the connection for ever.
    opened: AtomicU64,
    /// It is to be closed.
    closing: AtomicBool,
    close: Notify,
}

impl Standing {
    fn new(start: Instant) -> Self {
        let standing = Self(Arc::new(Inner {
            start,
            authenticated: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            opened: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            close: Notify::new(),
        }));
        standing.open();
        standing
    }

    /// Notes that it was opened now.
    pub fn open(&self) {
        self.0.opened.store(millis(self.0.start.elapsed()), Relaxed);
    }

    /// Notes that a request on it was authenticated: it is not closed for others any more.
    pub fn authenticated(&self) {
        self.0.authenticated.store(true, Relaxed);
    }

    /// Notes that a request has come.
    pub fn begin(&self) {
        self.0.busy.store(true, Relaxed);
    }

    /// Notes that it is answered.
    pub fn rest(&self) {
        self.0.busy.store(false, Relaxed);
    }

    /// Returns when it is to be closed.
    pub async fn closed(&self) {
        self.0.close.notified().await;
    }

    /// Whether it may be closed for others: nobody was authenticated on it, and its grace has passed.
    fn may_close(&self) -> bool {
        let Inner { authenticated, opened, closing, start, .. } = &*self.0;
        let grace = if self.is_busy() { REQUEST_GRACE } else { GRACE };
        let age = millis(start.elapsed()).saturating_sub(opened.load(Relaxed));
        !authenticated.load(Relaxed) && !closing.load(Relaxed) && age >= millis(grace)
    }

    fn is_busy(&self) -> bool {
        self.0.busy.load(Relaxed)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The place of a connection among the others. Dropping it takes the connection out.
pub struct Place {
    open: Arc<Open>,
    id: u64,
    client: Option<IpAddr>,
    standing: Standing,
}

impl Place {
    /// How the connection stands.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }
}

impl Open {
    /// None yet; each client may have so many.
    pub fn new(of_client: usize) -> Arc<Self> {
        Arc::new(Self { of_client, start: Instant::now(), connections: Mutex::default() })
    }

    /// Takes in a connection from an address, which counts unless it is `None`. `None` when the client has as many as
    /// it may.
    pub fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Place> {
        let client = address.map(client_key);
        let standing = Standing::new(self.start);
        let mut connections = self.connections();
        if let Some(client) = client {
            let count = connections.clients.entry(client).or_default();
            if *count >= self.of_client {
                return None;
            }
            *count += 1;
        }
        connections.next += 1;
        let id = connections.next;
        connections.standings.insert(id, standing.clone());
        drop(connections);
        Some(Place { open: Arc::clone(self), id, client, standing })
    }

    /// Closes the oldest idle connection that authenticated nobody, except this one; else the oldest on which a request
    /// is being answered. Returns whether it closed one: none while another is still closing.
    pub fn close_idle(&self, but: &Place) -> bool {
        let connections = self.connections();
        if connections.standings.values().any(|standing| standing.0.closing.load(Relaxed)) {
            return false;
        }
        let others =
            connections.standings.iter().filter(|(id, standing)| **id != but.id && standing.may_close());
        let Some((_, oldest)) =
            others.min_by_key(|(_, standing)| (standing.is_busy(), standing.0.opened.load(Relaxed)))
        else {
            return false;
        };
        oldest.0.closing.store(true, Relaxed);
        oldest.0.close.notify_one();
        true
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        // No code that holds the lock can leave it half changed.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.open.connections();
        connections.standings.remove(&self.id);
        let Some(client) = self.client else { return };
        if let Some(count) = connections.clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                connections.clients.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn a_client_has_so_many_and_frees_them() {
        let open = Open::new(2);
        let first = open.enter(ip("192.0.2.1")).expect("the first");
        let _second = open.enter(ip("::ffff:192.0.2.1")).expect("the second");
        assert!(open.enter(ip("192.0.2.1")).is_none());
        assert!(open.enter(ip("192.0.2.2")).is_some() && open.enter(None).is_some());
        drop(first);
        assert!(open.enter(ip("192.0.2.1")).is_some());
        let _six = [open.enter(ip("2001:db8::1")), open.enter(ip("2001:db8::2"))];
        assert!(open.enter(ip("2001:db8::3")).is_none(), "one host");
        assert!(open.enter(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn what_is_idle_and_authenticated_nobody_is_closed_first() {
        let start = Instant::now().checked_sub(Duration::from_secs(60)).expect("an earlier instant");
        let open = Arc::new(Open { start, ..Arc::into_inner(Open::new(9)).expect("not shared") });
        let mut places: Vec<_> = (0..4).map(|_| open.enter(None).expect("a place")).collect();
        let age = |place: &Place| place.standing().0.opened.store(0, Relaxed);
        places[0].standing().authenticated();
        places[1].standing().begin();
        assert!(!open.close_idle(&places[3]), "their requests may be on their way");
        places[..3].iter().for_each(age);
        assert!(
            open.close_idle(&places[3]) && places[2].standing().0.closing.load(Relaxed),
            "idle ones first"
        );
        assert!(!open.close_idle(&places[3]), "one at a time");
        drop(places.remove(2));
        assert!(open.close_idle(&places[2]) && places[1].standing().0.closing.load(Relaxed));
        drop(places.remove(1));
        assert!(!open.close_idle(&places[1]), "neither the newcomer nor one that authenticated somebody");
    }
}
