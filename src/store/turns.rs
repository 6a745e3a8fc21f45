//! Turns at the reading connections: tenants are served round robin, and none holds all connections.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::command::InboxKey;
use super::engine::Reads;
use crate::domain::{Error, Head, Result, TenantId};

/// Maximum number of reads of one tenant that wait for a turn.
const MAX_WAITING: usize = 4_096;

const RETRY: Duration = Duration::from_secs(1);

/// The reads of an engine. Each call takes a turn, which ends with the returned guard.
pub(super) struct Readers {
    reads: Box<dyn Reads>,
    turns: Arc<Turns>,
    timeout: Duration,
}

impl Readers {
    /// Serves reads over this number of connections; a read waits for its turn until the timeout.
    pub fn new(reads: Box<dyn Reads>, connections: u32, timeout: Duration) -> Self {
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        Self { reads, turns: Turns::new(connections), timeout }
    }

    /// Waits for a turn of a tenant.
    ///
    /// # Errors
    /// [`Error::Busy`] after the timeout, and when too many reads of the tenant wait.
    pub async fn of(&self, tenant: &TenantId) -> Result<Reading<'_>> {
        self.turn(Some(tenant)).await
    }

    /// Waits for a turn of the store's own maintenance, which is served like a tenant.
    ///
    /// # Errors
    /// [`Error::Busy`] after the timeout.
    pub async fn own(&self) -> Result<Reading<'_>> {
        self.turn(None).await
    }

    /// Reads a head. An engine that coalesces heads needs no turn for each: two statements serve all tenants.
    ///
    /// # Errors
    /// Those of the turn and of the read.
    pub async fn head(&self, inbox: &InboxKey) -> Result<Option<Head>> {
        if self.reads.coalesces_heads() {
            return self.reads.head(inbox).await;
        }
        self.of(&inbox.tenant).await?.head(inbox).await
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.reads.close().await;
    }

    async fn turn(&self, tenant: Option<&TenantId>) -> Result<Reading<'_>> {
        let turn = match self.turns.enter(tenant.cloned())? {
            Entered::Now(turn) => turn,
            Entered::Waiting(turn) => match tokio::time::timeout(self.timeout, turn).await {
                Ok(Ok(turn)) => turn,
                _ => return Err(Error::Busy { retry_after: RETRY }),
            },
        };
        Ok(Reading { reads: &*self.reads, _turn: turn })
    }
}

/// The reads of an engine during a turn.
pub(super) struct Reading<'a> {
    reads: &'a dyn Reads,
    _turn: Turn,
}

impl<'a> Deref for Reading<'a> {
    type Target = dyn Reads + 'a;

    fn deref(&self) -> &Self::Target {
        self.reads
    }
}

/// Who takes turns: a tenant; `None` is the store's own maintenance.
type Line = Option<TenantId>;

struct Turns {
    state: Mutex<State>,
    /// Maximum number of turns at once of one tenant: a connection is left for the others.
    bound: usize,
}

#[derive(Default)]
struct State {
    free: usize,
    running: HashMap<Line, usize>,
    waiting: HashMap<Line, VecDeque<oneshot::Sender<Turn>>>,
    /// The tenants with waiting reads, the next to be served first.
    order: VecDeque<Line>,
}

enum Entered {
    Now(Turn),
    Waiting(oneshot::Receiver<Turn>),
}

/// One turn. Dropping it serves the next read.
struct Turn {
    turns: Arc<Turns>,
    line: Line,
}

impl Turns {
    fn new(connections: usize) -> Arc<Self> {
        let free = connections.max(1);
        Arc::new(Self {
            state: Mutex::new(State { free, ..State::default() }),
            bound: free.saturating_sub(1).max(1),
        })
    }

    fn enter(self: &Arc<Self>, line: Line) -> Result<Entered> {
        let mut state = self.state();
        // Where a connection is free, all that wait are of tenants at their bound.
        if state.free > 0 && state.start(&line, self.bound) {
            drop(state);
            return Ok(Entered::Now(Turn { turns: Arc::clone(self), line }));
        }
        let State { waiting, order, .. } = &mut *state;
        let of_line = waiting.entry(line.clone()).or_default();
        if of_line.len() >= MAX_WAITING {
            of_line.retain(|turn| !turn.is_closed());
            if of_line.len() >= MAX_WAITING {
                return Err(Error::Busy { retry_after: RETRY });
            }
        }
        if of_line.is_empty() {
            order.retain(|other| *other != line);
            order.push_back(line);
        }
        let (turn, waiting) = oneshot::channel();
        of_line.push_back(turn);
        Ok(Entered::Waiting(waiting))
    }

    /// Ends a turn of a tenant, and starts those that are next.
    fn leave(self: &Arc<Self>, line: &Line) {
        let mut started = Vec::new();
        let mut state = self.state();
        state.free += 1;
        if let Entry::Occupied(mut running) = state.running.entry(line.clone()) {
            *running.get_mut() -= 1;
            if *running.get() == 0 {
                running.remove();
            }
        }
        for _ in 0..state.order.len() {
            if state.free == 0 {
                break;
            }
            let Some(line) = state.order.pop_front() else { break };
            if state.running.get(&line).is_some_and(|running| *running >= self.bound) {
                state.order.push_back(line);
                continue;
            }
            let Some(of_line) = state.waiting.get_mut(&line) else { continue };
            // Past those whose caller has gone.
            let next = std::iter::from_fn(|| of_line.pop_front()).find(|turn| !turn.is_closed());
            if of_line.is_empty() {
                state.waiting.remove(&line);
            } else {
                state.order.push_back(line.clone());
            }
            if let Some(next) = next
                && state.start(&line, self.bound)
            {
                started.push((next, Turn { turns: Arc::clone(self), line }));
            }
        }
        drop(state);
        for (next, turn) in started {
            // A caller that has gone meanwhile drops the turn, which serves the next.
            let _ = next.send(turn);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a free connection for a tenant that is below its bound.
    fn start(&mut self, line: &Line, bound: usize) -> bool {
        let running = self.running.get(line).copied().unwrap_or(0);
        if running >= bound {
            return false;
        }
        self.running.insert(line.clone(), running + 1);
        self.free -= 1;
        true
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.leave(&self.line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str) -> Line {
        Some(TenantId::new(name).expect("a name"))
    }

    fn now(turns: &Arc<Turns>, name: &str) -> Turn {
        match turns.enter(line(name)) {
            Ok(Entered::Now(turn)) => turn,
            _ => panic!("{name} waits"),
        }
    }

    fn later(turns: &Arc<Turns>, name: &str) -> oneshot::Receiver<Turn> {
        match turns.enter(line(name)) {
            Ok(Entered::Waiting(turn)) => turn,
            _ => panic!("{name} does not wait"),
        }
    }

    #[test]
    fn a_tenant_leaves_a_connection_to_the_others() {
        let turns = Turns::new(3);
        let _noisy = [now(&turns, "noisy"), now(&turns, "noisy")];
        let mut third = later(&turns, "noisy");
        let quiet = now(&turns, "quiet");
        drop(quiet);
        assert!(third.try_recv().is_err(), "still at its bound");
        drop(now(&turns, "quiet"));
    }

    #[test]
    fn tenants_take_turns() {
        let turns = Turns::new(1);
        let mut running = now(&turns, "noisy");
        let mut waiting: Vec<_> = ["noisy", "noisy", "quiet"].map(|name| (name, later(&turns, name))).into();
        let mut served = Vec::new();
        while !waiting.is_empty() {
            drop(running);
            let next = waiting.iter_mut().position(|(_, turn)| !turn.is_empty()).expect("one is served");
            let (name, mut turn) = waiting.remove(next);
            running = turn.try_recv().expect("its turn");
            served.push(name);
        }
        assert_eq!(served, ["noisy", "quiet", "noisy"]);
    }

    #[test]
    fn a_caller_that_has_gone_frees_its_turn() {
        let turns = Turns::new(1);
        let running = now(&turns, "a");
        drop(later(&turns, "a"));
        let served = later(&turns, "b");
        drop(running);
        // Dropped when its turn has come, and not yet been taken.
        drop(served);
        drop(now(&turns, "c"));
        let state = turns.state();
        assert_eq!((state.free, state.running.len(), state.waiting.len()), (1, 0, 0));
    }

    #[test]
    fn only_so_many_wait() {
        let turns = Turns::new(1);
        let _running = now(&turns, "a");
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| later(&turns, "a")).collect();
        assert!(matches!(turns.enter(line("a")), Err(Error::Busy { .. })));
        waiting.pop();
        drop(later(&turns, "a"));
        drop(later(&turns, "b"));
    }
}
