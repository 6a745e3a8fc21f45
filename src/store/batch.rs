//! Stores many notifications of one tenant at once.

use std::sync::atomic::Ordering;

use super::command::{Command, NewNotification, Outcome, Stored};
use super::{Store, Whole, unexpected};
use crate::domain::{Error, Result, TenantId};

/// What became of one notification of a batch.
#[derive(Debug)]
pub enum Kept {
    /// It was stored.
    Stored(Stored),
    /// It could be stored, but another of its batch cannot, and they are stored whole or not at all.
    Withheld,
}

impl Store {
    /// Stores notifications in one transaction. They are durable when this returns. In their order, what became of each;
    /// with `whole` they are all stored, or none is.
    ///
    /// # Errors
    /// [`Error::Busy`] when nothing was stored for want of room or time. Of one alone: [`Error::UserNotFound`] unless
    /// the user exists or is to be created, and what the database failed of. Dropping the future withdraws the batch,
    /// unless the writer has claimed it: then it is stored all the same.
    pub async fn send_batch(
        &self,
        tenant: &TenantId,
        news: Vec<NewNotification>,
        whole: bool,
    ) -> Result<Vec<Result<Kept>>> {
        if news.is_empty() {
            return Ok(Vec::new());
        }
        self.has_space()?;
        let whole = whole.then(|| Whole(self.0.wholes.fetch_add(1, Ordering::Relaxed)));
        let users: Vec<_> = news.iter().map(|new| new.sealed.user).collect();
        let send = |new| Command::Send(tenant.clone(), Box::new(NewNotification { whole, ..new }));
        let outcomes = self.submit_all(news.into_iter().map(send).collect()).await?;
        let kept = outcomes.into_iter().zip(users).map(|(outcome, user)| match outcome? {
            Outcome::Stored(stored) => Ok(Kept::Stored(stored)),
            Outcome::Withheld => Ok(Kept::Withheld),
            Outcome::NoUser => Err(Error::UserNotFound(user)),
            other => Err(unexpected(&other)),
        });
        Ok(kept.collect())
    }
}
