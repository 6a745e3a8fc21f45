//! What is told of a draft's fields before its type's pipeline runs: all that is wrong with them.

use super::Sending;
use crate::{
    config::UnknownFields,
    domain::{Draft, Error, Principal, Problem, ProblemCode, Result},
    registry::NotificationType,
    snapshot::Snapshot,
};

/// A draft as it was read. It lacks the fields that are at fault.
#[derive(Debug)]
pub struct ReadDraft {
    /// What could be read.
    pub draft: Draft,
    /// What is wrong with the other fields, first what answers for all.
    pub problems: Vec<Problem>,
    /// Fields that are unknown.
    pub unknown: Vec<Problem>,
}

impl From<Draft> for ReadDraft {
    fn from(draft: Draft) -> Self {
        Self { draft, problems: Vec::new(), unknown: Vec::new() }
    }
}

impl ReadDraft {
    /// The draft, where none of its fields is at fault.
    ///
    /// # Errors
    /// [`Error::Fields`].
    pub fn whole(self) -> Result<Draft> {
        if self.problems.is_empty() { Ok(self.draft) } else { Err(Error::Fields(self.problems)) }
    }
}

impl Sending {
    /// The type of a draft whose fields are as they must be.
    ///
    /// # Errors
    /// [`Error::Fields`] with all that is wrong with them: behind what was found in reading, an unknown type and a link
    /// that is unsafe. [`Error::TypeNotAllowed`].
    pub fn check_fields<'s>(
        &self,
        snapshot: &'s Snapshot,
        principal: &Principal,
        read: &ReadDraft,
    ) -> Result<&'s NotificationType> {
        let ReadDraft { draft, problems, unknown } = read;
        let refused = match unknown.as_slice() {
            [] => &[],
            all if snapshot.tenant(&principal.tenant)?.unknown_fields == UnknownFields::Refuse => all,
            _ => &[],
        };
        let mut problems = [problems, refused].concat();
        let kind = snapshot.registry.find(&principal.tenant, &draft.kind);
        if let Some(kind) = kind.filter(|_| problems.is_empty()) {
            if principal.may_send_type(&kind.name) {
                return Ok(kind);
            }
            self.count_refusal("type_not_allowed");
            return Err(Error::TypeNotAllowed(kind.name.clone()));
        }
        self.count_refusal(if problems.is_empty() { "unknown_type" } else { "malformed" });
        if kind.is_none() && !problems.iter().any(|problem| problem.field == "type") {
            let known: Vec<_> =
                snapshot.registry.for_tenant(&principal.tenant).map(|t| t.name.as_str()).collect();
            let problem = Problem::new("type", format_args!("must be one of: {}", known.join(", ")));
            problems.push(problem.coded(ProblemCode::UnknownType));
        }
        problems.extend(draft.link_problem());
        Err(Error::Fields(problems))
    }
}
