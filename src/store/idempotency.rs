//! Idempotency keys: a send that repeats another is answered as that one was, and stores nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::Store;
use super::command::{Command, NewNotification, Outcome, Stored};
use super::maintain::before;
use crate::domain::{Error, Problem, Result, Sealed, TenantId, Timestamp};

/// How long an answer is kept unless its send says otherwise.
pub const ANSWER_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What a send is known by when it comes again.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// The principal's origin, whose key it is.
    pub principal: Arc<str>,
    /// The SHA-256 of the key.
    pub key: [u8; 32],
    /// The SHA-256 of the body as it came.
    pub body: [u8; 32],
    /// How long the answer is kept.
    pub keep: Duration,
    /// What the answer warns of.
    pub warnings: Vec<Problem>,
    /// Writes the answer, which is kept with what it tells of.
    pub answer: Answer,
}

/// Writes the answer to a send: what was stored, its ids, and what the sender is warned of.
pub type Answer = fn(&Sealed, Stored, &[Problem]) -> String;

/// What a send with a key gave.
#[derive(Debug)]
pub enum Answered {
    /// It was stored now.
    Stored(Stored),
    /// It was stored before, and this was the answer.
    Before(String),
}

impl Store {
    /// The answer that is kept for a send, if it was stored before.
    ///
    /// # Errors
    /// [`Error::KeyReused`] where the key was used with another body.
    pub async fn answered(&self, tenant: &TenantId, by: &Idempotency) -> Result<Option<String>> {
        let name = Name { tenant, principal: &by.principal, key: &by.key };
        let since = oldest(self.0.time.for_expiry());
        let Some(kept) = self.0.reads.of(tenant).await?.answer(&name, since).await? else {
            return Ok(None);
        };
        if kept.body == by.body { Ok(Some(kept.answer)) } else { Err(Error::KeyReused) }
    }
}

/// Answers from before this time are kept no longer.
pub(crate) fn oldest(now: Timestamp) -> Timestamp {
    before(now, ANSWER_LIFETIME)
}

/// What an answer is kept under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Name<'a> {
    pub tenant: &'a TenantId,
    pub principal: &'a str,
    pub key: &'a [u8; 32],
}

/// What is kept under a name.
#[derive(Debug)]
pub(crate) struct Kept {
    pub body: Vec<u8>,
    pub answer: String,
}

impl Kept {
    fn outcome(&self, by: &Idempotency) -> Outcome {
        if self.body == by.body { Outcome::Repeated(self.answer.clone()) } else { Outcome::KeyReused }
    }
}

/// A send with a key, and its place in the batch.
#[derive(Clone, Copy)]
pub(crate) struct Keyed<'a> {
    pub place: usize,
    pub tenant: &'a TenantId,
    pub new: &'a NewNotification,
    pub by: &'a Idempotency,
}

impl<'a> Keyed<'a> {
    /// The sends of a batch that have one.
    pub fn all(commands: &'a [Command]) -> Vec<Self> {
        let keyed = |(place, command): (usize, &'a Command)| match command {
            Command::Send(tenant, new) => {
                new.idempotency.as_deref().map(|by| Self { place, tenant, new, by })
            }
            _ => None,
        };
        commands.iter().enumerate().filter_map(keyed).collect()
    }

    pub fn name(&self) -> Name<'a> {
        Name { tenant: self.tenant, principal: &self.by.principal, key: &self.by.key }
    }

    /// Returns the time to store with an answer of now. An answer counts until [`ANSWER_LIFETIME`] after it, so one that
    /// is kept for longer is dated ahead.
    pub fn dated(&self, now: Timestamp) -> Timestamp {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Timestamp(now.0.saturating_add(micros(self.by.keep) - micros(ANSWER_LIFETIME)))
    }
}

/// The sends with a key of one batch, told apart: what is stored, and what repeats that or what was before.
#[derive(Default)]
pub(crate) struct Repeats<'a> {
    firsts: Vec<Keyed<'a>>,
    /// Those that came with the same key as a first one.
    again: Vec<(Keyed<'a>, Name<'a>)>,
    places: HashSet<usize>,
}

impl<'a> Repeats<'a> {
    /// Tells sends apart by what is kept already, by the number of each, and settles what repeats that. A send that
    /// cannot be stored, for want of its user, leaves its key free.
    pub fn of(
        keyed: Vec<Keyed<'a>>,
        kept: &HashMap<usize, Kept>,
        can_be_stored: impl Fn(&Keyed<'a>) -> bool,
        mut settle: impl FnMut(usize, Outcome),
    ) -> Self {
        let mut repeats = Self::default();
        let mut names = HashSet::new();
        for (number, keyed) in keyed.into_iter().enumerate() {
            if let Some(kept) = kept.get(&number) {
                settle(keyed.place, kept.outcome(keyed.by));
                repeats.places.insert(keyed.place);
            } else if can_be_stored(&keyed) {
                if names.insert(keyed.name()) {
                    repeats.firsts.push(keyed);
                } else {
                    repeats.places.insert(keyed.place);
                    repeats.again.push((keyed, keyed.name()));
                }
            }
        }
        repeats
    }

    /// Whether the send at a place repeats another, so that it is not to be stored.
    pub fn has(&self, place: usize) -> bool {
        self.places.contains(&place)
    }

    /// Answers what repeats others of the batch, now that those have their ids; gives what is to be kept.
    pub fn answer(self, outcomes: &mut [Option<Outcome>]) -> Vec<(Keyed<'a>, Stored, Kept)> {
        let mut kept = Vec::with_capacity(self.firsts.len());
        let mut places = HashMap::with_capacity(self.firsts.len());
        for first in self.firsts {
            if let Some(Some(Outcome::Stored(stored))) = outcomes.get(first.place) {
                let answer = (first.by.answer)(&first.new.sealed, *stored, &first.by.warnings);
                places.insert(first.name(), kept.len());
                kept.push((first, *stored, Kept { body: first.by.body.to_vec(), answer }));
            }
        }
        for (again, name) in self.again {
            let first = places.get(&name).and_then(|place| kept.get(*place));
            outcomes[again.place] = first.map(|(_, _, kept)| kept.outcome(again.by));
        }
        kept
    }
}
