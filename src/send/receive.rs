//! The use case of a hook: what a sender brought, mapped, goes the way of every send.

use std::collections::HashSet;

use futures_util::{FutureExt, StreamExt, stream};

use super::{Once, Sending, Sent, summary};
use crate::{
    config::UserMode,
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
    /// Notifications that a summary stands for.
    pub summarized: u64,
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
    /// durable, and the sender may bring all of it again: what was stored before is found by the events' ids. `most`
    /// notifications are sent, with summaries in place of the rest; `spend` is charged for them before the first.
    ///
    /// # Errors
    /// That of `spend`, where nothing was stored. What may be better later comes next; else all that is wrong with
    /// events, up to a bound.
    #[expect(clippy::too_many_arguments, reason = "each is another part of the request")]
    pub async fn receive(
        &self,
        snapshot: &Snapshot,
        hook: &Hook,
        mapped: Mapped,
        now: Timestamp,
        request_id: &str,
        most: usize,
        spend: impl FnOnce(usize) -> Result<()>,
    ) -> Result<Received> {
        let received = Received { ignored: mapped.ignored, ..Received::default() };
        hook.tally.add(Count::Ignored, mapped.ignored);
        let (problems, later) = (Problems::default(), None);
        let mut delivery =
            Delivery { sending: self, snapshot, hook, now, request_id, received, problems, later };
        mapped.problems.into_iter().for_each(|problem| delivery.refuse(problem));
        let planned = delivery.resolve(&mapped.planned).await?;
        let Some((kept, summaries)) = summary::cut(&planned, most, &snapshot.limits) else {
            delivery.refuse(Problem::new(
                "recipients",
                format!(
                    "are more users than one delivery may reach ({most}): raise the hook's rate_limit.burst"
                ),
            ));
            return Err(Error::Events(delivery.problems.into_vec()));
        };
        spend(kept.len() + summaries.len())?;
        delivery.received.summarized = (planned.len() - kept.len()) as u64;
        let all = kept.iter().copied().chain(summaries.iter().map(|(plan, user)| (plan, *user)));
        for (plan, user, outcome) in delivery.send(all.collect()).await {
            delivery.note(plan, user, outcome);
        }
        match (delivery.later, delivery.problems.is_empty()) {
            (Some(error), _) => Err(error),
            (None, false) => Err(Error::Events(delivery.problems.into_vec())),
            (None, true) => Ok(delivery.received),
        }
    }
}

impl Delivery<'_> {
    /// Who gets what was planned: in place of users whom a managed directory does not know those who stand in.
    async fn resolve<'p>(&mut self, planned: &'p [Planned]) -> Result<Vec<(&'p Planned, UserId)>> {
        let unknown = self.unknown(planned).await?;
        let fallback = self.hook.works.as_ref().map(|works| works.reception.fallback.as_slice());
        let fallback = fallback.unwrap_or_default();
        let mut resolved = Vec::new();
        for plan in planned {
            let is_stranger = !plan.unknown && plan.users.iter().any(|user| unknown.contains(user));
            self.received.unknown += u64::from(plan.unknown || is_stranger);
            if !is_stranger {
                resolved.extend(plan.users.iter().map(|user| (plan, *user)));
                continue;
            }
            if fallback.is_empty() {
                self.refuse(nobody(plan));
            }
            let known = plan.users.iter().filter(|user| !unknown.contains(user));
            let instead = fallback.iter().filter(|user| !plan.users.contains(user));
            resolved.extend(known.chain(instead).map(|user| (plan, *user)));
        }
        self.hook.tally.add(Count::Unknown, self.received.unknown);
        Ok(resolved)
    }

    /// Those among the recipients whom the directory does not know. An open one makes them.
    async fn unknown(&self, planned: &[Planned]) -> Result<HashSet<UserId>> {
        let tenant = &self.hook.principal.tenant;
        if self.snapshot.tenant(tenant)?.users == UserMode::Open {
            return Ok(HashSet::new());
        }
        let users: HashSet<_> = planned.iter().flat_map(|plan| &plan.users).copied().collect();
        let users: Vec<_> = users.into_iter().collect();
        let places = self.sending.store.places(tenant, &users).await?;
        let unknown = users.into_iter().zip(places).filter(|(_, place)| place.is_none());
        Ok(unknown.map(|(user, _)| user).collect())
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
        let keep = self.hook.replay_memory;
        let once = key.as_ref().map(|key| Once {
            key,
            body: b"",
            keep,
            answer: |_, stored, _| stored.id.to_string(),
        });
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
