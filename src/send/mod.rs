//! The use case of sending: the type's pipeline, the seal, the store.

mod batch;
mod fields;
mod receive;
mod summary;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use batch::BatchItem;
pub use fields::ReadDraft;
pub use receive::Received;

use bellboard_sdk::Context;
use sha2::{Digest, Sha256};

use crate::{
    config::UserMode,
    domain::{Draft, Error, Principal, Problem, Result, Sealed, Timestamp},
    metrics::Metrics,
    registry::NotificationType,
    snapshot::Snapshot,
    store::{Answer, Answered, Idempotency, NewNotification, Store, Stored},
};

/// The component of a problem that no component of a type found.
pub const CORE: &str = "core";

/// Sends notifications. Cheap to clone.
#[derive(Clone)]
pub struct Sending {
    store: Store,
    metrics: Arc<Metrics>,
}

/// What a send came to.
#[derive(Debug)]
pub enum Sent {
    /// It was stored now, as this, with these warnings.
    Now(Arc<Sealed>, Stored, Vec<Problem>),
    /// It repeats one that was stored before, which was answered so.
    Before(String),
}

/// A send that may come again, as its sender said by a key.
pub struct Once<'a> {
    /// The key.
    pub key: &'a str,
    /// The body as it came.
    pub body: &'a [u8],
    /// How long the answer is kept.
    pub keep: Duration,
    /// Writes the answer, to be kept.
    pub answer: Answer,
}

impl Once<'_> {
    fn by(&self, principal: &Principal) -> Idempotency {
        Idempotency {
            principal: Arc::clone(&principal.origin),
            key: Sha256::digest(self.key).into(),
            body: Sha256::digest(self.body).into(),
            keep: self.keep,
            warnings: Vec::new(),
            answer: self.answer,
        }
    }
}

/// What a send would store, and what its sender should know of it.
#[derive(Debug)]
pub struct Tried {
    /// What would be stored.
    pub sealed: Arc<Sealed>,
    /// Advisory problems, which the tenant lets through for this type.
    pub warnings: Vec<Problem>,
    /// Whether the tenant's directory knows the user. A send to an unknown one makes them in an open
    /// directory and fails in a managed one.
    pub user_known: bool,
}

/// A draft that its type's pipeline and the seal let through.
struct Passed {
    sealed: Arc<Sealed>,
    warnings: Vec<Problem>,
}

fn new_notification(
    snapshot: &Snapshot,
    principal: &Principal,
    sealed: &Arc<Sealed>,
    request_id: &str,
) -> Result<NewNotification> {
    Ok(NewNotification {
        sealed: Arc::clone(sealed),
        sender: Arc::clone(&principal.name),
        request_id: request_id.to_owned(),
        create_user: snapshot.tenant(&principal.tenant)?.users == UserMode::Open,
        idempotency: None,
        whole: None,
    })
}

impl Sending {
    /// Sends through this store.
    pub fn new(store: Store, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }

    /// Passes a draft through its type's pipeline and stores it. When this returns, it is durable. What came before
    /// under its key is looked for first, as limits and types may have changed since.
    pub async fn send(
        &self,
        snapshot: &Snapshot,
        principal: &Principal,
        read: Result<ReadDraft>,
        now: Timestamp,
        request_id: &str,
        once: Option<Once<'_>>,
    ) -> Result<Sent> {
        let mut idempotency = once.map(|once| Box::new(once.by(principal)));
        if let Some(by) = &idempotency {
            let answered = self.store.answered(&principal.tenant, by).await;
            if let Some(answer) = answered.inspect_err(|e| self.count_error(e))? {
                return Ok(Sent::Before(answer));
            }
        }
        let Passed { sealed, warnings } = self.pass(snapshot, principal, read, now)?;
        if let Some(by) = &mut idempotency {
            by.warnings.clone_from(&warnings);
        }
        let new = new_notification(snapshot, principal, &sealed, request_id)?;
        let sent = self.store.send_once(&principal.tenant, NewNotification { idempotency, ..new }).await;
        Ok(match sent.inspect_err(|e| self.count_error(e))? {
            Answered::Stored(stored) => Sent::Now(sealed, stored, warnings),
            Answered::Before(answer) => Sent::Before(answer),
        })
    }

    /// Does all that [`Sending::send`] does but store, and refuses what it would refuse.
    pub async fn try_out(
        &self,
        snapshot: &Snapshot,
        principal: &Principal,
        read: Result<ReadDraft>,
        now: Timestamp,
    ) -> Result<Tried> {
        let Passed { sealed, warnings } = self.pass(snapshot, principal, read, now)?;
        let user_known = match self.store.user(&principal.tenant, sealed.user).await {
            Ok(_) => true,
            Err(Error::UserNotFound(_)) => false,
            Err(error) => return Err(error),
        };
        Ok(Tried { sealed, warnings, user_known })
    }

    /// Everything before the store.
    fn pass(
        &self,
        snapshot: &Snapshot,
        principal: &Principal,
        read: Result<ReadDraft>,
        now: Timestamp,
    ) -> Result<Passed> {
        let read = read.inspect_err(|_| self.count_refusal("malformed"))?;
        let kind = self.check_fields(snapshot, principal, &read)?;
        let ReadDraft { draft, unknown: mut all, .. } = read;
        for _ in &all {
            self.metrics.warnings.with_label_values(&[kind.name.as_str(), CORE]).inc();
        }
        let Passed { sealed, warnings } = self.seal(snapshot, principal, kind, draft, now)?;
        all.extend(warnings);
        Ok(Passed { sealed, warnings: all })
    }

    fn seal(
        &self,
        snapshot: &Snapshot,
        principal: &Principal,
        kind: &NotificationType,
        draft: Draft,
        now: Timestamp,
    ) -> Result<Passed> {
        let deep = draft.metadata.as_ref().and_then(|metadata| snapshot.limits.too_deep(metadata));
        if let Some(problem) = deep {
            self.count_problems(std::slice::from_ref(&problem));
            return Err(Error::Refused(vec![problem]));
        }
        let started = Instant::now();
        let (own_message, own_link) = (draft.message.is_some(), draft.link.is_some());
        let strict = snapshot.tenant(&principal.tenant)?.is_strict(&kind.name);
        let run = kind.run(draft, &Context { now: now.0 }, strict);
        for warning in &run.warnings {
            self.metrics.warnings.with_label_values(&[kind.name.as_str(), &warning.component]).inc();
        }
        let sealed = run.result.and_then(|mut draft| {
            // Templates only fill: what they made too long for this site is left out, not held against the sender.
            let fits = |text: &String, max: usize| text.chars().count() <= max;
            draft.message = draft.message.filter(|text| own_message || fits(text, snapshot.limits.message));
            draft.link = draft.link.filter(|text| own_link || fits(text, snapshot.limits.link));
            Sealed::from_draft(draft, &snapshot.limits)
        });
        self.metrics.pipeline_seconds.observe(started.elapsed().as_secs_f64());
        match sealed {
            Ok(sealed) => Ok(Passed { sealed: Arc::new(sealed), warnings: run.warnings }),
            Err(problems) => {
                self.count_problems(&problems);
                Err(Error::Refused(problems))
            }
        }
    }

    fn count_problems(&self, problems: &[Problem]) {
        for problem in problems {
            let component = if problem.component.is_empty() { CORE } else { &problem.component };
            self.metrics.refusals.with_label_values(&["problem", component]).inc();
        }
    }

    fn count_error(&self, error: &Error) {
        self.count_refusal(match error {
            Error::UserNotFound(_) => "user_not_found",
            Error::KeyReused => "key_reused",
            Error::Busy { .. } => "busy",
            _ => "failed",
        });
    }

    /// Counts a send that no component refused. `reason` is one of a closed list.
    fn count_refusal(&self, reason: &'static str) {
        self.metrics.refusals.with_label_values(&[reason, "core"]).inc();
    }
}
