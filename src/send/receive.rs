//! The use case of a hook: what a sender brought, mapped, goes the way of every send.

use futures_util::{FutureExt, StreamExt, stream};

use super::{Once, Sending, Sent};
use crate::{
    domain::{Draft, Error, Problem, Problems, Result, Timestamp, UserId},
    registry::{Mapped, Planned},
    snapshot::{Count, Hook, Snapshot},
};

/// How many of one request wait for the store at once.
const AT_ONCE: usize = 64;
/// The most characters of a collapse key.
const LONGEST_KEY: usize = 255;

/// What a request came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Notifications that were stored.
    pub stored: u64,
    /// Those that had been stored before.
    pub repeated: u64,
    /// Events that no rule is for.
    pub ignored: u64,
    /// Notifications that went to those who stand in.
    pub unknown: u64,
}

/// What is the same for all that one request brings.
struct Delivery<'a> {
    sending: &'a Sending,
    snapshot: &'a Snapshot,
    hook: &'a Hook,
    now: Timestamp,
    request_id: &'a str,
    received: Received,
    problems: Problems,
    /// Why something was not stored that may be later.
    later: Option<Error>,
}

impl Sending {
    /// Sends all that a request came to; each is stored, or fails, alone. When this returns, what was stored is
    /// durable, and the sender may bring all of it again: what was stored before is found by the events' ids.
    ///
    /// # Errors
    /// What may be better later comes first; else all that is wrong with events, up to a bound.
    pub async fn receive(
        &self,
        snapshot: &Snapshot,
        hook: &Hook,
        mapped: Mapped,
        now: Timestamp,
        request_id: &str,
    ) -> Result<Received> {
        let received = Received { ignored: mapped.ignored, ..Received::default() };
        hook.tally.add(Count::Ignored, mapped.ignored);
        let (problems, later) = (Problems::default(), None);
        let mut delivery =
            Delivery { sending: self, snapshot, hook, now, request_id, received, problems, later };
        mapped.problems.into_iter().for_each(|problem| delivery.refuse(problem));
        delivery.all(&mapped.planned).await;
        match (delivery.later, delivery.problems.is_empty()) {
            (Some(error), _) => Err(error),
            (None, false) => Err(Error::Events(delivery.problems.into_vec())),
            (None, true) => Ok(delivery.received),
        }
    }
}

impl Delivery<'_> {
    async fn all(&mut self, planned: &[Planned]) {
        let first: Vec<_> =
            planned.iter().flat_map(|plan| plan.users.iter().map(move |user| (plan, *user))).collect();
        let mut strangers: Vec<&Planned> = Vec::new();
        for (plan, user, outcome) in self.send(first).await {
            match outcome {
                Err(Error::UserNotFound(_)) if !plan.unknown => {
                    if !strangers.iter().any(|other| std::ptr::eq(*other, plan)) {
                        strangers.push(plan);
                    }
                }
                outcome => self.note(plan, user, outcome),
            }
        }
        let unknown = planned.iter().filter(|plan| plan.unknown).count() + strangers.len();
        self.received.unknown = unknown as u64;
        self.hook.tally.add(Count::Unknown, unknown as u64);
        let instead =
            self.hook.works.as_ref().map(|works| works.reception.fallback.as_slice()).unwrap_or_default();
        let mut second = Vec::new();
        for plan in strangers {
            if instead.is_empty() {
                self.refuse(nobody(plan));
            }
            second.extend(instead.iter().filter(|user| !plan.users.contains(user)).map(|user| (plan, *user)));
        }
        for (plan, user, outcome) in self.send(second).await {
            self.note(plan, user, outcome);
        }
    }

    async fn send<'p>(&self, what: Vec<(&'p Planned, UserId)>) -> Vec<(&'p Planned, UserId, Result<Sent>)> {
        let mut sends = Vec::with_capacity(what.len());
        for (plan, user) in what {
            sends.push(async move { (plan, user, self.one(plan, user).await) }.boxed());
        }
        stream::iter(sends).buffered(AT_ONCE).collect().await
    }

    async fn one(&self, plan: &Planned, user: UserId) -> Result<Sent> {
        let collapse_key = plan.draft.collapse_key.as_ref().map(|key| {
            // All that a user gets has one space of keys.
            format!("hook:{}:{key}", self.hook.id).chars().take(LONGEST_KEY).collect()
        });
        let draft = Draft { user_id: user.get(), collapse_key, ..plan.draft.clone() };
        // By the user and not by their place: whom the hook names may change before it comes again.
        let key = plan.id.as_ref().map(|id| format!("{user} {id}"));
        // The id says which event it is; the rest of the body may differ when it comes again.
        let once = key.as_ref().map(|key| Once { key, body: b"", answer: |_, stored| stored.id.to_string() });
        let principal = &self.hook.principal;
        self.sending.send(self.snapshot, principal, Ok(draft.into()), self.now, self.request_id, once).await
    }

    fn note(&mut self, plan: &Planned, user: UserId, outcome: Result<Sent>) {
        let error = match outcome {
            Ok(Sent::Now(..)) => {
                self.received.stored += 1;
                return self.hook.tally.add(Count::Stored, 1);
            }
            Ok(Sent::Before(_)) => {
                self.received.repeated += 1;
                return self.hook.tally.add(Count::Repeated, 1);
            }
            Err(error) => error,
        };
        match error {
            Error::Refused(problems) | Error::Fields(problems) => {
                problems.into_iter().for_each(|problem| self.problems.push(plan.placed(problem)));
                self.hook.tally.add(Count::Refused, 1);
            }
            Error::UserNotFound(_) => {
                let fault = format_args!(
                    "name nobody that is known, and user {user}, who stands in, is not known either"
                );
                self.refuse(plan.placed(Problem::new("recipients", fault)));
            }
            Error::TypeNotAllowed(kind) => {
                let fault = format_args!("must be one that this hook may send, which {kind} is not");
                self.refuse(plan.placed(Problem::new("type", fault)));
            }
            // What is known least of decides: it may be stored already.
            error => {
                self.hook.tally.add(Count::Failed, 1);
                self.later.get_or_insert(error);
            }
        }
    }

    fn refuse(&mut self, problem: Problem) {
        self.hook.tally.add(Count::Refused, 1);
        self.problems.push(problem);
    }
}

fn nobody(plan: &Planned) -> Problem {
    plan.placed(Problem::new("recipients", "name nobody that is known, and nobody stands in"))
}
