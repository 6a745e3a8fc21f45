//! The use case of sending: the type's pipeline, the seal, the store.

use std::{sync::Arc, time::Instant};

use bellboard_sdk::Context;

use crate::{
    config::UserMode,
    domain::{Draft, Error, NotificationId, Principal, Problem, Result, Sealed, Timestamp},
    metrics::Metrics,
    registry::NotificationType,
    snapshot::Snapshot,
    store::{NewNotification, Store},
};

/// Sends notifications. Cheap to clone.
#[derive(Clone)]
pub struct Sending {
    store: Store,
    metrics: Arc<Metrics>,
}

/// What a send stored.
#[derive(Debug)]
pub struct Sent {
    /// The notification's id.
    pub id: NotificationId,
    /// When it was stored.
    pub created_at: Timestamp,
    /// What was stored.
    pub sealed: Arc<Sealed>,
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

impl Sending {
    /// Sends through this store.
    pub fn new(store: Store, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }

    /// Passes a draft through its type's pipeline and stores it. When this returns, it is durable.
    pub async fn send(
        &self,
        snapshot: &Snapshot,
        principal: &Principal,
        draft: Draft,
        now: Timestamp,
        request_id: &str,
    ) -> Result<Sent> {
        let Passed { sealed, .. } = self.pass(snapshot, principal, draft, now)?;
        let create_user = snapshot.tenant(&principal.tenant)?.users == UserMode::Open;
        let new = NewNotification {
            sealed: Arc::clone(&sealed),
            sender: Arc::clone(&principal.name),
            request_id: request_id.to_owned(),
            create_user,
        };
        let stored = self.store.send(&principal.tenant, new).await.inspect_err(|e| {
            self.count_refusal(match e {
                Error::UserNotFound(_) => "user_not_found",
                Error::Busy { .. } => "busy",
                _ => "failed",
            });
        })?;
        Ok(Sent { id: stored.id, created_at: stored.created_at, sealed })
    }

    /// Does all that [`Sending::send`] does but store, and refuses what it would refuse.
    pub async fn try_out(
        &self,
        snapshot: &Snapshot,
        principal: &Principal,
        draft: Draft,
        now: Timestamp,
    ) -> Result<Tried> {
        let Passed { sealed, warnings } = self.pass(snapshot, principal, draft, now)?;
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
        draft: Draft,
        now: Timestamp,
    ) -> Result<Passed> {
        let kind = self.admitted_type(snapshot, principal, &draft)?;
        self.seal(snapshot, principal, kind, draft, now)
    }

    fn admitted_type<'s>(
        &self,
        snapshot: &'s Snapshot,
        principal: &Principal,
        draft: &Draft,
    ) -> Result<&'s NotificationType> {
        let Some(kind) = snapshot.registry.find(&principal.tenant, &draft.kind) else {
            self.count_refusal("unknown_type");
            let known: Vec<_> =
                snapshot.registry.for_tenant(&principal.tenant).map(|t| t.name.as_str()).collect();
            return Err(Error::Invalid(format!("type must be one of: {}", known.join(", "))));
        };
        if !principal.may_send_type(&draft.kind) {
            self.count_refusal("type_not_allowed");
            return Err(Error::Forbidden(format!("This API key may not send the type {}", kind.name)));
        }
        Ok(kind)
    }

    fn seal(
        &self,
        snapshot: &Snapshot,
        principal: &Principal,
        kind: &NotificationType,
        draft: Draft,
        now: Timestamp,
    ) -> Result<Passed> {
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
            let component = if problem.component.is_empty() { "core" } else { &problem.component };
            self.metrics.refusals.with_label_values(&["problem", component]).inc();
        }
    }

    /// Counts a send that no component refused. `reason` is one of a closed list.
    pub fn count_refusal(&self, reason: &'static str) {
        self.metrics.refusals.with_label_values(&[reason, "core"]).inc();
    }
}
