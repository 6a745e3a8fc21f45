//! The bounded queue before the writers: in each lane a line for each tenant, and its writer takes turns.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::command::{Command, Outcome};
use crate::domain::{Error, Result, TenantId};

/// Decides who has what is queued: the writer that claims it or the caller that withdraws it.
/// The first to take it has it for good; withdrawn, it holds no memory however long its place waits.
struct Ticket(Mutex<Option<Vec<Command>>>);

impl Ticket {
    fn take(&self) -> Option<Vec<Command>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Commands that are claimed together: most often one.
struct Queued {
    ticket: Arc<Ticket>,
    /// The rows that they change beyond the first.
    weight: usize,
    answers: Vec<Answer>,
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

    /// Queues commands of one tenant that are claimed, and so committed, together, in the lane of the first of them;
    /// or says that there is no room.
    pub fn push(&self, commands: Vec<Command>) -> Result<Waiting> {
        let Some(first) = commands.first() else { return Err(Error::Internal("nothing to queue".into())) };
        let line = first.tenant().cloned();
        let number = first.lane(self.lanes());
        let count = commands.len();
        let weight = commands.iter().map(Command::weight).sum::<usize>().saturating_sub(1);
        let (answers, outcomes) = (0..count).map(|_| oneshot::channel()).unzip();
        let ticket = Arc::new(Ticket(Mutex::new(Some(commands))));
        let mut guard = self.state();
        let state = &mut *guard;
        let held = state.held.get(&line).copied().unwrap_or(0);
        let is_full =
            state.closed || state.depth + count > self.capacity || held + count > self.line_capacity;
        let (Some(lane), Some(ready), false) = (state.lanes.get_mut(number), self.ready.get(number), is_full)
        else {
            return Err(Error::Busy { retry_after: RETRY });
        };
        let waiting = lane.lines.entry(line.clone()).or_default();
        if waiting.is_empty() {
            lane.turns.push_back(line.clone());
        }
        waiting.push_back(Queued { ticket: ticket.clone(), weight, answers });
        *state.held.entry(line).or_default() += count;
        state.depth += count;
        drop(guard);
        ready.notify_one();
        Ok(Waiting { ticket, outcomes })
    }

    /// Waits for commands of a lane and claims them for up to `max` callers. `None` once closed and empty.
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

    /// What the next caller of each line in turn asks, past those who withdrew it, until there are `max`. What is heavy
    /// and what is light are not claimed together, as what is light would wait for all of it. A line whose next is of the
    /// other kind, or would make the batch too heavy, is among the first in the next batch, and lets the others pass.
    fn claim(&self, lane: usize, max: usize) -> (Vec<Command>, Vec<Answer>) {
        let mut guard = self.state();
        let State { lanes, held, depth, .. } = &mut *guard;
        let (mut commands, mut answers) = (Vec::new(), Vec::new());
        let Some(lane) = lanes.get_mut(lane) else { return (commands, answers) };
        let (mut callers, mut weight, mut is_heavy, mut later) = (0, 0, false, Vec::new());
        while callers < max {
            let Some(line) = lane.turns.pop_front() else { break };
            let Some(waiting) = lane.lines.get_mut(&line) else { continue };
            let next = waiting.front().map_or(0, |entry| entry.weight);
            let (with_next, next_is_heavy) = (weight + next, next >= HEAVY);
            if callers == 0 {
                is_heavy = next_is_heavy;
            } else if next_is_heavy != is_heavy || with_next > BATCH_WEIGHT {
                later.push((next_is_heavy, line));
                continue;
            }
            if let Some(mut entry) = waiting.pop_front() {
                let count = entry.answers.len();
                *depth -= count;
                if let Entry::Occupied(mut held) = held.entry(line.clone()) {
                    *held.get_mut() -= count;
                    if *held.get() == 0 {
                        held.remove();
                    }
                }
                if let Some(mut claimed) = entry.ticket.take() {
                    (callers, weight) = (callers + 1, with_next);
                    commands.append(&mut claimed);
                    answers.append(&mut entry.answers);
                }
            }
            if waiting.is_empty() {
                lane.lines.remove(&line);
            } else {
                lane.turns.push_back(line);
            }
        }
        later.sort_by_key(|(is_heavy, _)| *is_heavy);
        later.into_iter().rev().for_each(|(_, line)| lane.turns.push_front(line));
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

/// Rows that one batch changes at most, about, beside one for each caller: what waits behind it waits no longer than
/// that takes.
const BATCH_WEIGHT: usize = 1_000;
/// Such rows of one caller that take much longer than a single one.
const HEAVY: usize = 50;

const RETRY: Duration = Duration::from_secs(1);

/// Queued commands as their caller holds them. Dropping it withdraws them, unless the writer has claimed them.
pub(super) struct Waiting {
    ticket: Arc<Ticket>,
    outcomes: Vec<oneshot::Receiver<Result<Outcome>>>,
}

impl Waiting {
    /// The outcome of a command that was queued alone.
    pub async fn outcome(self, longest: Duration) -> Result<Outcome> {
        self.outcomes(longest).await?.pop().unwrap_or_else(|| Err(stopped()))
    }

    /// The outcomes; after `longest` in the queue the commands are withdrawn, but once claimed they are
    /// always answered.
    pub async fn outcomes(mut self, longest: Duration) -> Result<Vec<Result<Outcome>>> {
        let mut waiting = self.outcomes.iter_mut();
        let Some(first) = waiting.next() else { return Ok(Vec::new()) };
        let answered = match tokio::time::timeout(longest, &mut *first).await {
            Ok(answered) => answered,
            Err(_) if self.ticket.take().is_some() => return Err(Error::Busy { retry_after: RETRY }),
            Err(_) => first.await,
        };
        let mut outcomes = Vec::with_capacity(waiting.len() + 1);
        outcomes.push(answered.unwrap_or_else(|_| Err(stopped())));
        // They were claimed with it.
        for outcome in waiting {
            outcomes.push(outcome.await.unwrap_or_else(|_| Err(stopped())));
        }
        Ok(outcomes)
    }
}

fn stopped() -> Error {
    Error::Internal("the store's writer has stopped".into())
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.ticket.take();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::command::NewNotification;
    use super::super::whole::Whole;
    use super::*;
    use crate::domain::{Draft, Limits, Sealed};

    fn probe_of(tenant: &str) -> Command {
        Command::SeedUsers(TenantId::new(tenant).expect("a name"), Vec::new())
    }

    pub fn send_of(whole: Option<Whole>) -> Command {
        let draft = Draft { user_id: 1, kind: "custom".into(), title: "t".into(), ..Draft::default() };
        let new = NewNotification {
            sealed: Arc::new(Sealed::from_draft(draft, &Limits::default()).expect("good")),
            sender: "key:test".into(),
            request_id: String::new(),
            create_user: false,
            idempotency: None,
            whole,
        };
        Command::Send(TenantId::default(), Box::new(new))
    }

    fn tenants(commands: &[Command]) -> Vec<&str> {
        commands.iter().filter_map(|c| c.tenant()).map(TenantId::as_str).collect()
    }

    #[test]
    fn tenants_take_turns_and_none_fills_the_queue_alone() {
        let queue = Queue::new(6, 1);
        let mut waiting = Vec::new();
        for _ in 0..3 {
            waiting.push(queue.push(vec![probe_of("noisy")]).expect("room"));
        }
        assert!(matches!(queue.push(vec![probe_of("noisy")]), Err(Error::Busy { .. })));
        waiting.push(queue.push(vec![probe_of("quiet")]).expect("room is kept for others"));
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
        let held: Vec<_> = (1..=5).map(|user| queue.push(vec![mark(user)])).collect();
        assert_eq!(held.iter().filter(|pushed| pushed.is_ok()).count(), 3, "half of all, whatever the lanes");
        let claimed: Vec<_> = (0..4).flat_map(|lane| queue.claim(lane, 9).0).collect();
        assert_eq!((claimed.len(), queue.depth()), (3, 0));
        assert!(queue.push(vec![mark(1)]).is_ok(), "there is room again");
    }

    #[test]
    fn a_withdrawn_command_is_never_claimed() {
        let queue = Queue::new(6, 1);
        drop(queue.push(vec![probe_of("a")]).expect("room"));
        let kept = queue.push(vec![probe_of("b")]).expect("room");
        assert_eq!(tenants(&queue.claim(0, 9).0), ["b"]);
        assert!(kept.ticket.take().is_none(), "claimed: it can no longer be withdrawn");
    }

    #[test]
    fn a_withdrawn_command_holds_no_memory_while_its_place_waits() {
        let queue = Queue::new(6, 1);
        let send = send_of(None);
        let Command::Send(_, new) = &send else { panic!("a send") };
        let sealed = new.sealed.clone();
        drop(queue.push(vec![send]).expect("room"));
        assert_eq!((queue.depth(), Arc::strong_count(&sealed)), (1, 1));
    }

    #[test]
    fn heavy_commands_are_not_all_claimed_at_once() {
        let queue = Queue::new(100, 1);
        let heavy = |users: usize| {
            let user = (crate::domain::UserId::new(1).expect("an id"), crate::domain::Profile::default());
            queue.push(vec![Command::SeedUsers(TenantId::default(), vec![user; users])]).expect("room")
        };
        let _waiting = [heavy(2_000), heavy(400), heavy(400), heavy(400), heavy(1)];
        let claimed: Vec<_> = (0..4).map(|_| queue.claim(0, 9).0.len()).collect();
        assert_eq!(claimed, [1, 2, 1, 1], "always one, and no more than fit");
    }

    #[test]
    fn what_is_light_takes_turns_with_what_is_heavy() {
        let queue = Queue::new(9_000, 1);
        let many = |tenant: &str, count: usize| {
            queue.push((0..count).map(|_| probe_of(tenant)).collect()).expect("room")
        };
        let heavy = |tenant: &str| {
            let user = (crate::domain::UserId::new(1).expect("an id"), crate::domain::Profile::default());
            let tenant = TenantId::new(tenant).expect("a name");
            queue.push(vec![Command::SeedUsers(tenant, vec![user; 900])]).expect("room")
        };
        let mut waiting = vec![heavy("noisy"), heavy("noisy"), heavy("loud")];
        waiting.extend((0..5).map(|_| many("quiet", 1)));
        let callers: Vec<_> = (0..6).map(|_| tenants(&queue.claim(0, 4).0).join(" ")).collect();
        assert_eq!(callers, ["noisy", "quiet quiet quiet quiet", "loud", "quiet", "noisy", ""]);
    }

    #[test]
    fn what_came_together_is_claimed_together_and_counts_by_its_commands() {
        let queue = Queue::new(10, 1);
        let many = |count: usize| queue.push((0..count).map(|_| probe_of("a")).collect());
        let waiting = (many(2).expect("room"), many(3).expect("room"));
        assert!(matches!(many(1), Err(Error::Busy { .. })), "a tenant holds half");
        assert_eq!((queue.depth(), queue.claim(0, 1).0.len()), (5, 2));
        drop(waiting.1);
        assert!(queue.claim(0, 1).0.is_empty(), "all or none of it is withdrawn");
        assert!(many(5).is_ok(), "there is room again");
    }

    #[tokio::test]
    async fn waiting_too_long_is_busy_and_withdraws() {
        let queue = Queue::new(6, 1);
        let waiting = queue.push(vec![probe_of("a")]).expect("room");
        assert!(matches!(waiting.outcome(Duration::ZERO).await, Err(Error::Busy { .. })));
        assert!(queue.claim(0, 9).0.is_empty());
    }
}
