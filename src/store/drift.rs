//! Compares heads with their inboxes, in steps that no send waits behind, and sets right what differs.
//!
//! By the data rule they never differ. Whoever changes the tables by hand can make them, and so could a
//! fault of the store: this finds it before a user does.

use super::command::{Command, InboxKey, Outcome};
use super::{Store, unexpected};
use crate::domain::Result;

/// Rows of inboxes that a step looks at, about: an inbox is looked at as a whole.
pub(super) const ROWS: u32 = 5_000;
/// Users that a step looks at, at most.
pub(super) const USERS: u32 = 500;

/// How far a walk through all heads has come.
#[derive(Debug, Default)]
pub struct Walk(Option<InboxKey>);

/// What one step of a walk found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Heads that did not match their inboxes, and were set right.
    pub repaired: u64,
    /// Whether all were looked at: the next step begins anew.
    pub done: bool,
}

impl Store {
    /// Takes the next step of a walk. Each head is compared with its inbox in one state of the store, on a
    /// reading connection; only one that differs is taken to the writer, which looks again.
    ///
    /// # Errors
    /// When the store cannot be read, or takes nothing now. The walk stays where it is.
    pub async fn check_heads(&self, walk: &mut Walk) -> Result<Checked> {
        let (drifted, last) = self.0.reads.own().await?.drifted(walk.0.as_ref()).await?;
        let mut repaired = 0;
        for inbox in drifted {
            match self.submit(Command::Repair(inbox.clone())).await? {
                Outcome::Rows(0) => {}
                Outcome::Rows(_) => {
                    tracing::error!(
                        tenant = inbox.tenant.as_str(),
                        user = inbox.user.get(),
                        "an inbox's head did not match its rows; it was set right"
                    );
                    repaired += 1;
                }
                other => return Err(unexpected(&other)),
            }
        }
        walk.0 = last;
        Ok(Checked { repaired, done: walk.0.is_none() })
    }
}
