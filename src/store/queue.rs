//! The bounded queue before the writer: a line for each tenant, and the writer takes turns.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::command::{Command, Outcome};
use crate::domain::{Error, Result, TenantId};

/// Decides who has a queued command: the writer that claims it or the caller that withdraws it.
/// The first to take it has it for good; withdrawn, it holds no memory however long its place waits.
struct Ticket(Mutex<Option<Command>>);

impl Ticket {
    fn take(&self) -> Option<Command> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

struct Entry {
    ticket: Arc<Ticket>,
    weight: usize,
    answer: Answer,
}

/// Where a command's outcome goes.
pub(super) type Answer = oneshot::Sender<Result<Outcome>>;

/// `None` is the store's own work, which takes its turn like a tenant.
type Lane = Option<TenantId>;

#[derive(Default)]
struct State {
    lanes: HashMap<Lane, VecDeque<Entry>>,
    /// The lanes that are not empty, the next to be served first.
    turns: VecDeque<Lane>,
    depth: usize,
    closed: bool,
}

pub(super) struct Queue {
    state: Mutex<State>,
    ready: Notify,
    capacity: usize,
    lane_capacity: usize,
}

impl Queue {
    /// A queue of so many commands, of which one tenant may hold half.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(2);
        Self { state: Mutex::default(), ready: Notify::new(), capacity, lane_capacity: capacity / 2 }
    }

    /// Queues a command, or says that there is no room.
    pub fn push(&self, command: Command) -> Result<Waiting> {
        let lane = command.tenant().cloned();
        let weight = command.weight();
        let ticket = Arc::new(Ticket(Mutex::new(Some(command))));
        let (answer, outcome) = oneshot::channel();
        let mut guard = self.state();
        let state = &mut *guard;
        if state.closed {
            return Err(Error::Busy { retry_after: RETRY });
        }
        let in_lane = state.lanes.get(&lane).map_or(0, VecDeque::len);
        if state.depth >= self.capacity || in_lane >= self.lane_capacity {
            return Err(Error::Busy { retry_after: RETRY });
        }
        if in_lane == 0 {
            state.turns.push_back(lane.clone());
        }
        state.lanes.entry(lane).or_default().push_back(Entry { ticket: ticket.clone(), weight, answer });
        state.depth += 1;
        drop(guard);
        self.ready.notify_one();
        Ok(Waiting { ticket, outcome })
    }

    /// Waits for commands and claims up to `max` of them. `None` once closed and empty.
    pub async fn take(&self, max: usize) -> Option<(Vec<Command>, Vec<Answer>)> {
        loop {
            let taken = self.claim(max);
            if !taken.0.is_empty() {
                return Some(taken);
            }
            if self.state().closed {
                return None;
            }
            self.ready.notified().await;
        }
    }

    /// One command from each lane in turn, past those withdrawn, until there are `max` or the next
    /// would make the batch too heavy.
    fn claim(&self, max: usize) -> (Vec<Command>, Vec<Answer>) {
        let mut guard = self.state();
        let state = &mut *guard;
        let room = max.min(state.depth);
        let (mut commands, mut answers) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let mut weight = 0;
        while commands.len() < max {
            let Some(lane) = state.turns.pop_front() else { break };
            let Some(line) = state.lanes.get_mut(&lane) else { continue };
            let with_next = weight + line.front().map_or(0, |entry| entry.weight);
            if with_next > BATCH_WEIGHT && !commands.is_empty() {
                state.turns.push_front(lane);
                break;
            }
            if let Some(entry) = line.pop_front() {
                state.depth -= 1;
                if let Some(command) = entry.ticket.take() {
                    weight = with_next;
                    commands.push(command);
                    answers.push(entry.answer);
                }
            }
            if line.is_empty() {
                state.lanes.remove(&lane);
            } else {
                state.turns.push_back(lane);
            }
        }
        (commands, answers)
    }

    /// How many commands wait.
    pub fn depth(&self) -> usize {
        self.state().depth
    }

    /// Takes no more; what is queued is still served.
    pub fn close(&self) {
        self.state().closed = true;
        self.ready.notify_one();
    }

    /// Drops what waits, whose callers then learn that the writer is gone.
    pub fn abandon(&self) {
        let mut state = self.state();
        *state = State { closed: true, ..State::default() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows that one batch changes at most, about: what waits behind it waits no longer than that takes.
const BATCH_WEIGHT: usize = 1_000;

const RETRY: Duration = Duration::from_secs(1);

/// A queued command as its caller holds it. Dropping it withdraws the command, unless the writer
/// has claimed it.
pub(super) struct Waiting {
    ticket: Arc<Ticket>,
    outcome: oneshot::Receiver<Result<Outcome>>,
}

impl Waiting {
    /// The outcome; after `longest` in the queue the command is withdrawn, but once claimed it is
    /// always answered.
    pub async fn outcome(mut self, longest: Duration) -> Result<Outcome> {
        let answered = match tokio::time::timeout(longest, &mut self.outcome).await {
            Ok(answered) => answered,
            Err(_) if self.ticket.take().is_some() => return Err(Error::Busy { retry_after: RETRY }),
            Err(_) => (&mut self.outcome).await,
        };
        answered.unwrap_or_else(|_| Err(Error::Internal("the store's writer has stopped".into())))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.ticket.take();
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::NewNotification;
    use super::*;
    use crate::domain::{Draft, Limits, Sealed};

    fn probe_of(tenant: &str) -> Command {
        Command::SeedUsers(TenantId::new(tenant).expect("a name"), Vec::new())
    }

    fn tenants(commands: &[Command]) -> Vec<&str> {
        commands.iter().filter_map(|c| c.tenant()).map(TenantId::as_str).collect()
    }

    #[test]
    fn tenants_take_turns_and_none_fills_the_queue_alone() {
        let queue = Queue::new(6);
        let mut waiting = Vec::new();
        for _ in 0..3 {
            waiting.push(queue.push(probe_of("noisy")).expect("room"));
        }
        assert!(matches!(queue.push(probe_of("noisy")), Err(Error::Busy { .. })));
        waiting.push(queue.push(probe_of("quiet")).expect("room is kept for others"));
        assert_eq!(tenants(&queue.claim(3).0), ["noisy", "quiet", "noisy"]);
        assert_eq!(queue.depth(), 1);
    }

    #[test]
    fn a_withdrawn_command_is_never_claimed() {
        let queue = Queue::new(6);
        drop(queue.push(probe_of("a")).expect("room"));
        let kept = queue.push(probe_of("b")).expect("room");
        assert_eq!(tenants(&queue.claim(9).0), ["b"]);
        assert!(kept.ticket.take().is_none(), "claimed: it can no longer be withdrawn");
    }

    #[test]
    fn a_withdrawn_command_holds_no_memory_while_its_place_waits() {
        let draft = Draft { user_id: 1, kind: "custom".into(), title: "t".into(), ..Draft::default() };
        let sealed = Arc::new(Sealed::from_draft(draft, &Limits::default()).expect("good"));
        let (sender, request_id) = ("key:test".into(), String::new());
        let new = NewNotification { sealed: sealed.clone(), sender, request_id, create_user: false };
        let queue = Queue::new(6);
        let waiting = queue.push(Command::Send(TenantId::default(), Box::new(new))).expect("room");
        drop(waiting);
        assert_eq!((queue.depth(), Arc::strong_count(&sealed)), (1, 1));
    }

    #[test]
    fn heavy_commands_are_not_all_claimed_at_once() {
        let queue = Queue::new(100);
        let heavy = |users: usize| {
            let user = (crate::domain::UserId::new(1).expect("an id"), crate::domain::Profile::default());
            queue.push(Command::SeedUsers(TenantId::default(), vec![user; users])).expect("room")
        };
        let _waiting = [heavy(2_000), heavy(400), heavy(400), heavy(400), heavy(1)];
        let claimed: Vec<_> = (0..4).map(|_| queue.claim(9).0.len()).collect();
        assert_eq!(claimed, [1, 2, 2, 0], "always one, and no more than fit");
    }

    #[tokio::test]
    async fn waiting_too_long_is_busy_and_withdraws() {
        let queue = Queue::new(6);
        let waiting = queue.push(probe_of("a")).expect("room");
        assert!(matches!(waiting.outcome(Duration::ZERO).await, Err(Error::Busy { .. })));
        assert!(queue.claim(9).0.is_empty());
    }
}
