//! The bounded queue before the writers: in each lane a line for each tenant, and its writer takes turns.

use std::collections::hash_map::Entry;
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

struct Queued {
    ticket: Arc<Ticket>,
    weight: usize,
    answer: Answer,
}

/// Where a command's outcome goes.
pub(super) type Answer = oneshot::Sender<Result<Outcome>>;

/// Who waits in turn in a lane: a tenant; `None` is the store's own work, which takes its turn like one.
type Line = Option<TenantId>;

#[derive(Default)]
struct Lane {
    lines: HashMap<Line, VecDeque<Queued>>,
    /// The lines that are not empty, the next to be served first.
    turns: VecDeque<Line>,
}

#[derive(Default)]
struct State {
    lanes: Vec<Lane>,
    /// How many commands each tenant has in all lanes.
    held: HashMap<Line, usize>,
    depth: usize,
    closed: bool,
}

pub(super) struct Queue {
    state: Mutex<State>,
    /// One for each lane.
    ready: Vec<Notify>,
    capacity: usize,
    line_capacity: usize,
}

impl Queue {
    /// A queue of so many commands, of which one tenant may hold half, before so many lanes.
    pub fn new(capacity: usize, lanes: usize) -> Self {
        let (capacity, lanes) = (capacity.max(2), lanes.max(1));
        let state = State { lanes: (0..lanes).map(|_| Lane::default()).collect(), ..State::default() };
        let ready = (0..lanes).map(|_| Notify::new()).collect();
        Self { state: Mutex::new(state), ready, capacity, line_capacity: capacity / 2 }
    }

    /// Queues a command, or says that there is no room.
    pub fn push(&self, command: Command) -> Result<Waiting> {
        let line = command.tenant().cloned();
        let weight = command.weight();
        let number = command.lane(self.lanes());
        let ticket = Arc::new(Ticket(Mutex::new(Some(command))));
        let (answer, outcome) = oneshot::channel();
        let mut guard = self.state();
        let state = &mut *guard;
        let held = state.held.get(&line).copied().unwrap_or(0);
        let is_full = state.closed || state.depth >= self.capacity || held >= self.line_capacity;
        let (Some(lane), Some(ready), false) = (state.lanes.get_mut(number), self.ready.get(number), is_full)
        else {
            return Err(Error::Busy { retry_after: RETRY });
        };
        let waiting = lane.lines.entry(line.clone()).or_default();
        if waiting.is_empty() {
            lane.turns.push_back(line.clone());
        }
        waiting.push_back(Queued { ticket: ticket.clone(), weight, answer });
        *state.held.entry(line).or_default() += 1;
        state.depth += 1;
        drop(guard);
        ready.notify_one();
        Ok(Waiting { ticket, outcome })
    }

    /// Waits for commands of a lane and claims up to `max` of them. `None` once closed and empty.
    pub async fn take(&self, lane: usize, max: usize) -> Option<(Vec<Command>, Vec<Answer>)> {
        loop {
            // Looked at first: what is queued at that time is all that ever will be.
            let closed = self.state().closed;
            let taken = self.claim(lane, max);
            if !taken.0.is_empty() {
                return Some(taken);
            }
            if closed {
                return None;
            }
            self.ready.get(lane)?.notified().await;
        }
    }

    /// One command from each line in turn, past those withdrawn, until there are `max` or the next
    /// would make the batch too heavy.
    fn claim(&self, lane: usize, max: usize) -> (Vec<Command>, Vec<Answer>) {
        let mut guard = self.state();
        let State { lanes, held, depth, .. } = &mut *guard;
        let (mut commands, mut answers) = (Vec::new(), Vec::new());
        let Some(lane) = lanes.get_mut(lane) else { return (commands, answers) };
        let mut weight = 0;
        while commands.len() < max {
            let Some(line) = lane.turns.pop_front() else { break };
            let Some(waiting) = lane.lines.get_mut(&line) else { continue };
            let with_next = weight + waiting.front().map_or(0, |entry| entry.weight);
            if with_next > BATCH_WEIGHT && !commands.is_empty() {
                lane.turns.push_front(line);
                break;
            }
            if let Some(entry) = waiting.pop_front() {
                *depth -= 1;
                if let Entry::Occupied(mut held) = held.entry(line.clone()) {
                    *held.get_mut() -= 1;
                    if *held.get() == 0 {
                        held.remove();
                    }
                }
                if let Some(command) = entry.ticket.take() {
                    weight = with_next;
                    commands.push(command);
                    answers.push(entry.answer);
                }
            }
            if waiting.is_empty() {
                lane.lines.remove(&line);
            } else {
                lane.turns.push_back(line);
            }
        }
        (commands, answers)
    }

    /// How many lanes there are.
    pub fn lanes(&self) -> usize {
        self.ready.len()
    }

    /// How many commands wait.
    pub fn depth(&self) -> usize {
        self.state().depth
    }

    /// Takes no more; what is queued is still served.
    pub fn close(&self) {
        self.state().closed = true;
        self.ready.iter().for_each(Notify::notify_one);
    }

    /// Takes no more, and drops what waits in a lane, whose callers then learn that its writer is gone.
    pub fn abandon(&self, lane: usize) {
        self.close();
        while !self.claim(lane, usize::MAX).0.is_empty() {}
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
        let queue = Queue::new(6, 1);
        let mut waiting = Vec::new();
        for _ in 0..3 {
            waiting.push(queue.push(probe_of("noisy")).expect("room"));
        }
        assert!(matches!(queue.push(probe_of("noisy")), Err(Error::Busy { .. })));
        waiting.push(queue.push(probe_of("quiet")).expect("room is kept for others"));
        assert_eq!(tenants(&queue.claim(0, 3).0), ["noisy", "quiet", "noisy"]);
        assert_eq!(queue.depth(), 1);
    }

    #[test]
    fn lanes_share_the_room_and_each_user_has_one() {
        let queue = Queue::new(6, 4);
        let mark = |user: i64| {
            let (tenant, user) = (TenantId::default(), crate::domain::UserId::new(user).expect("an id"));
            Command::PurgeErased(super::super::command::InboxKey { tenant, user })
        };
        let lanes: std::collections::HashSet<_> = (1..=100).map(|user| mark(user).lane(4)).collect();
        assert_eq!(lanes.len(), 4);
        assert_eq!(mark(7).lane(4), mark(7).lane(4));
        let held: Vec<_> = (1..=5).map(|user| queue.push(mark(user))).collect();
        assert_eq!(held.iter().filter(|pushed| pushed.is_ok()).count(), 3, "half of all, whatever the lanes");
        let claimed: Vec<_> = (0..4).flat_map(|lane| queue.claim(lane, 9).0).collect();
        assert_eq!((claimed.len(), queue.depth()), (3, 0));
        assert!(queue.push(mark(1)).is_ok(), "there is room again");
    }

    #[test]
    fn a_withdrawn_command_is_never_claimed() {
        let queue = Queue::new(6, 1);
        drop(queue.push(probe_of("a")).expect("room"));
        let kept = queue.push(probe_of("b")).expect("room");
        assert_eq!(tenants(&queue.claim(0, 9).0), ["b"]);
        assert!(kept.ticket.take().is_none(), "claimed: it can no longer be withdrawn");
    }

    #[test]
    fn a_withdrawn_command_holds_no_memory_while_its_place_waits() {
        let draft = Draft { user_id: 1, kind: "custom".into(), title: "t".into(), ..Draft::default() };
        let sealed = Arc::new(Sealed::from_draft(draft, &Limits::default()).expect("good"));
        let (sender, request_id) = ("key:test".into(), String::new());
        let new = NewNotification {
            sealed: sealed.clone(),
            sender,
            request_id,
            create_user: false,
            idempotency: None,
        };
        let queue = Queue::new(6, 1);
        let waiting = queue.push(Command::Send(TenantId::default(), Box::new(new))).expect("room");
        drop(waiting);
        assert_eq!((queue.depth(), Arc::strong_count(&sealed)), (1, 1));
    }

    #[test]
    fn heavy_commands_are_not_all_claimed_at_once() {
        let queue = Queue::new(100, 1);
        let heavy = |users: usize| {
            let user = (crate::domain::UserId::new(1).expect("an id"), crate::domain::Profile::default());
            queue.push(Command::SeedUsers(TenantId::default(), vec![user; users])).expect("room")
        };
        let _waiting = [heavy(2_000), heavy(400), heavy(400), heavy(400), heavy(1)];
        let claimed: Vec<_> = (0..4).map(|_| queue.claim(0, 9).0.len()).collect();
        assert_eq!(claimed, [1, 2, 2, 0], "always one, and no more than fit");
    }

    #[tokio::test]
    async fn waiting_too_long_is_busy_and_withdraws() {
        let queue = Queue::new(6, 1);
        let waiting = queue.push(probe_of("a")).expect("room");
        assert!(matches!(waiting.outcome(Duration::ZERO).await, Err(Error::Busy { .. })));
        assert!(queue.claim(0, 9).0.is_empty());
    }
}
