//! The memory budget: what the bodies of requests and answers hold together, and each share of it.
//!
//! The number of connections alone bounds too little: each may bring a body of the largest size, or leave an
//! answer unread. A request's body counts as far as it has come, so that a client that only announces one takes no
//! memory from others, and until the request is answered. An answer counts until it is written to its socket.

use std::{
    array,
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use poem::Response;

use crate::domain::{Error, Result, TenantId};

/// The first bytes of each body, which do not count: connections are bounded, and most bodies are no longer.
pub const FREE: usize = 4 << 10;

/// The memory for bodies.
pub struct Budget {
    total: usize,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    all: usize,
    /// Of those shares that hold something.
    shares: HashMap<Share, usize>,
}

/// Who holds memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Share {
    /// A tenant, whose sender or reader is authenticated.
    Tenant(TenantId),
    /// All whose sender is still to be authenticated: they take no memory from a tenant.
    Pending,
    /// Those among them that one hook is to authenticate.
    Hook(Arc<str>),
    /// Those among them from one client, by its [`client_key`](crate::limit::client_key).
    Client(IpAddr),
    /// Those among them from one client that is over the limit of failed authentications.
    Suspect(IpAddr),
}

impl Share {
    /// How much of the budget it may hold.
    fn most(&self, total: usize) -> usize {
        match self {
            Self::Tenant(_) | Self::Pending => total / 2,
            Self::Hook(_) => total / 8,
            Self::Client(_) => total / 16,
            Self::Suspect(_) => total / 64,
        }
    }
}

impl Budget {
    /// A budget of so many bytes, of which one tenant may hold half.
    pub fn new(total: usize) -> Arc<Self> {
        Arc::new(Self { total, used: Mutex::default() })
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // No code that holds the lock can leave the figures half changed.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The most shares that one reservation counts towards.
const SHARES: usize = 3;

const BUSY: Error = Error::Busy { retry_after: Duration::from_secs(1) };

/// What one body holds. Dropping it returns the memory to the budget.
pub struct Reservation {
    budget: Arc<Budget>,
    shares: [Option<Share>; SHARES],
    /// What each share may hold at least: one body.
    least: usize,
    bytes: usize,
}

impl Reservation {
    /// Nothing so far; what is reserved counts towards each of these shares.
    pub fn new(budget: &Arc<Budget>, shares: impl IntoIterator<Item = Share>) -> Self {
        let mut shares = shares.into_iter();
        Self { budget: Arc::clone(budget), shares: array::from_fn(|_| shares.next()), least: 0, bytes: 0 }
    }

    /// The same where each share may hold a body of that length, however small its part of the budget is.
    pub fn of_one(mut self, length: usize) -> Self {
        self.least = length;
        self
    }

    /// Reserves as much as a body of that length needs.
    ///
    /// # Errors
    /// [`Error::Busy`] when a share, or the budget, has no more.
    pub fn reserve(&mut self, length: usize) -> Result<()> {
        let Some(more) = length.saturating_sub(FREE).checked_sub(self.bytes).filter(|more| *more > 0) else {
            return Ok(());
        };
        let mut used = self.budget.used();
        if used.all + more > self.budget.total || !self.fits(&used, &self.shares, more) {
            return Err(BUSY);
        }
        used.add(&self.shares, more);
        self.bytes += more;
        Ok(())
    }

    /// Returns whether each of these shares has room for more bytes.
    fn fits(&self, used: &Used, shares: &[Option<Share>], more: usize) -> bool {
        shares.iter().flatten().all(|share| {
            let most = share.most(self.budget.total).max(self.least);
            used.shares.get(share).copied().unwrap_or_default() + more <= most
        })
    }

    /// Counts what is reserved towards this share alone, in place of those that it counted towards before.
    ///
    /// # Errors
    /// [`Error::Busy`] when the share has no more; then nothing is changed.
    pub fn move_to(&mut self, share: Share) -> Result<()> {
        let shares = [Some(share), None, None];
        let mut used = self.budget.used();
        used.subtract(&self.shares, self.bytes);
        let fits = self.fits(&used, &shares, self.bytes);
        if fits {
            self.shares = shares;
        }
        used.add(&self.shares, self.bytes);
        if fits { Ok(()) } else { Err(BUSY) }
    }

    /// How long a body may be without reserving more.
    pub fn length(&self) -> usize {
        self.bytes + FREE
    }

    /// Holds what a body of that length needs, no more and no less, whatever the bounds say: for an answer to what was
    /// done, for which its handler reserved before.
    pub fn settle(&mut self, length: usize) {
        let bytes = length.saturating_sub(FREE);
        let mut used = self.budget.used();
        used.subtract(&self.shares, self.bytes);
        used.add(&self.shares, bytes);
        self.bytes = bytes;
    }
}

impl Used {
    fn add(&mut self, shares: &[Option<Share>], bytes: usize) {
        if bytes == 0 {
            // A share that holds nothing would never be removed.
            return;
        }
        self.all += bytes;
        for share in shares.iter().flatten() {
            match self.shares.get_mut(share) {
                Some(used) => *used += bytes,
                None => drop(self.shares.insert(share.clone(), bytes)),
            }
        }
    }

    fn subtract(&mut self, shares: &[Option<Share>], bytes: usize) {
        self.all -= bytes;
        for share in shares.iter().flatten() {
            if let Some(used) = self.shares.get_mut(share) {
                *used -= bytes;
                if *used == 0 {
                    self.shares.remove(share);
                }
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.used().subtract(&self.shares, self.bytes);
        }
    }
}

/// The length of an answer's body, in the answer's extensions.
#[derive(Clone, Copy)]
struct Length(usize);

/// Notes the length of an answer's body, where it is large enough to count.
pub fn counted(mut answer: Response, length: usize) -> Response {
    if length > FREE {
        answer.extensions_mut().insert(Length(length));
    }
    answer
}

/// The length that was noted.
pub fn length(answer: &Response) -> Option<usize> {
    answer.extensions().get::<Length>().map(|length| length.0)
}

/// What an answer holds, on its way to the connection in the answer's extensions, which are cloned.
#[derive(Clone)]
pub struct Charge(
    #[expect(dead_code, reason = "the memory is held as long as this is there")] Arc<Reservation>,
);

impl Charge {
    /// Holds a reservation.
    pub fn new(reservation: Reservation) -> Self {
        Self(Arc::new(reservation))
    }
}

/// What the answers hold that a connection has been given and has not written yet.
#[derive(Clone, Default)]
pub struct Unwritten(Arc<(AtomicBool, Mutex<Vec<Charge>>)>);

impl Unwritten {
    /// Adds what an answer holds, all of which the connection has.
    pub fn add(&self, charge: Charge) {
        let (is_some, charges) = &*self.0;
        charges.lock().unwrap_or_else(PoisonError::into_inner).push(charge);
        is_some.store(true, Ordering::Release);
    }

    /// Returns the memory, as all is written.
    pub fn written(&self) {
        let (is_some, charges) = &*self.0;
        if is_some.load(Ordering::Acquire) {
            is_some.store(false, Ordering::Relaxed);
            charges.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(budget: &Arc<Budget>, tenant: &str) -> Reservation {
        Reservation::new(budget, [Share::Tenant(TenantId::new(tenant).expect("a name"))])
    }

    #[test]
    fn a_tenant_takes_half_and_returns_it() {
        let budget = Budget::new(100 << 10);
        let held = |tenant: &str| of(&budget, tenant);
        let mut small: Vec<_> = (0..100).map(|_| held("noisy")).collect();
        assert!(small.iter_mut().all(|held| held.reserve(FREE).is_ok()), "small ones take no memory");
        let mut noisy = held("noisy");
        noisy.reserve(FREE + (30 << 10)).expect("room");
        noisy.reserve(FREE + (50 << 10)).expect("half");
        assert!(matches!(noisy.reserve(FREE + (50 << 10) + 1), Err(Error::Busy { .. })));
        assert!(held("noisy").reserve(FREE + 1).is_err());
        let mut quiet = held("quiet");
        quiet.reserve(FREE + (50 << 10)).expect("the other half");
        assert!(held("third").reserve(FREE + 1).is_err(), "full");
        drop(noisy);
        held("third").reserve(FREE + 1).expect("room again");
        drop(quiet);
        let used = budget.used();
        assert_eq!((used.all, used.shares.len()), (0, 0));
    }

    #[test]
    fn what_is_still_to_be_authenticated_is_shared_by_hook_and_client() {
        let budget = Budget::new(6_400 << 10);
        let address = |last: u8| IpAddr::from([192, 0, 2, last]);
        let body = |hook: &str, last: u8| {
            let shares = [Share::Pending, Share::Hook(hook.into()), Share::Client(address(last))];
            Reservation::new(&budget, shares).of_one(200 << 10)
        };
        let mut held: Vec<_> = (0..3).map(|_| body("a", 1)).collect();
        let taken: Vec<_> = held.iter_mut().map(|body| body.reserve(FREE + (200 << 10)).is_ok()).collect();
        assert_eq!(taken, [true, true, false], "a sixteenth");
        let mut others: Vec<_> = (2..5).map(|last| body("a", last)).collect();
        let taken: Vec<_> = others.iter_mut().map(|body| body.reserve(FREE + (200 << 10)).is_ok()).collect();
        assert_eq!(taken, [true, true, false], "an eighth of the hook");
        body("b", 5).reserve(FREE + (200 << 10)).expect("another hook");
        let shares = [Share::Pending, Share::Hook("b".into()), Share::Suspect(address(1))];
        let suspect = || Reservation::new(&budget, shares.clone()).of_one(200 << 10);
        let (mut one, mut two) = (suspect(), suspect());
        one.reserve(FREE + (200 << 10)).expect("one body");
        assert!(two.reserve(FREE + 1).is_err());
    }

    #[test]
    fn what_was_authenticated_counts_towards_its_tenant_alone() {
        let budget = Budget::new(400 << 10);
        let pending = |hook: &str| {
            let shares =
                [Share::Pending, Share::Hook(hook.into()), Share::Client(IpAddr::from([192, 0, 2, 1]))];
            Reservation::new(&budget, shares).of_one(100 << 10)
        };
        let tenant = || Share::Tenant(TenantId::new("noisy").expect("a name"));
        let mut delivered: Vec<_> = (0..2)
            .map(|_| {
                let mut body = pending("a");
                body.reserve(FREE + (100 << 10)).expect("nothing else is pending");
                body.move_to(tenant()).expect("half is the tenant's");
                body
            })
            .collect();
        let mut body = pending("a");
        body.reserve(FREE + (100 << 10)).expect("the shares of what is pending are free");
        assert!(body.move_to(tenant()).is_err(), "the tenant's half is full");
        assert!(pending("a").reserve(FREE + 1).is_err(), "what was refused is still pending");
        drop(body);
        delivered.clear();
        pending("a").move_to(tenant()).expect("nothing is held");
        let used = budget.used();
        assert_eq!((used.all, used.shares.len()), (0, 0));
    }

    #[test]
    fn an_answer_to_what_was_done_is_never_refused() {
        let budget = Budget::new(100 << 10);
        let mut answer = of(&budget, "a");
        answer.reserve(FREE + 1_000).expect("room");
        answer.settle(FREE + (90 << 10));
        assert!(of(&budget, "a").reserve(FREE + 1).is_err());
        answer.settle(10);
        of(&budget, "a").reserve(FREE + (50 << 10)).expect("it holds nothing");
    }

    #[test]
    fn an_answer_counts_until_its_connection_has_written_it() {
        let budget = Budget::new(100 << 10);
        let mut answer = of(&budget, "a");
        answer.reserve(FREE + (50 << 10)).expect("room");
        let unwritten = Unwritten::default();
        unwritten.add(Charge::new(answer));
        assert!(of(&budget, "a").reserve(FREE + 1).is_err());
        unwritten.written();
        assert_eq!(budget.used().all, 0);
    }
}
