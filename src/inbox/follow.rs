//! Following an inbox: what a live stream tells next.

use super::{EMPTY, Inbox, Owner};
use crate::{
    config::UserMode,
    domain::{Error, Event, EventId, Head, Result, TenantId, Timestamp},
    store::{Followed, Since},
};

/// What a stream is to tell.
#[derive(Debug)]
pub enum Tell {
    /// It begins here.
    Ready(Head),
    /// What was missed cannot be told: the list is to be loaded again.
    Reset(Head),
    /// What happened, which may be nothing.
    Events(Vec<Event>),
}

/// A step of a stream.
#[derive(Debug)]
pub struct Step {
    /// What it tells.
    pub tell: Tell,
    /// Up to where all is told then.
    pub at: EventId,
    /// Where the head stood.
    pub head: Head,
}

impl Step {
    /// Whether there is more to tell at once.
    pub fn has_more(&self) -> bool {
        self.at.rev < self.head.rev
    }

    /// When something is to expire next.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.head.next_expiry
    }

    fn at(head: Head, tell: Tell) -> Self {
        Self { tell, at: head.event_id(), head }
    }
}

impl Inbox {
    /// Begins to follow an inbox, from now on.
    pub async fn follow(&self, owner: Owner<'_>) -> Result<Step> {
        let head = self.head(owner).await?;
        Ok(Step::at(head, Tell::Ready(head)))
    }

    /// Begins where nobody knows what the reader has.
    pub async fn follow_anew(&self, owner: Owner<'_>) -> Result<Step> {
        let head = self.head(owner).await?;
        Ok(Step::at(head, Tell::Reset(head)))
    }

    /// What comes after a place in the inbox's history.
    ///
    /// # Errors
    /// [`Error::UserNotFound`].
    pub async fn follow_on(&self, owner: Owner<'_>, after: EventId) -> Result<Step> {
        let Followed { head, since } = match self.store.events(owner.tenant, owner.user, after).await {
            Err(Error::UserNotFound(_)) if owner.users == UserMode::Open => {
                let head = self.nobody(owner.tenant).await?;
                let tell =
                    if head.event_id() == after { Tell::Events(Vec::new()) } else { Tell::Reset(head) };
                return Ok(Step::at(head, tell));
            }
            followed => followed?,
        };
        self.unread.seen(owner.tenant, owner.user, &head).await;
        Ok(match since {
            Since::Events(events, at) => Step { tell: Tell::Events(events), at, head },
            Since::Unknown => Step::at(head, Tell::Reset(head)),
        })
    }

    async fn head(&self, owner: Owner<'_>) -> Result<Head> {
        match self.store.head(owner.tenant, owner.user).await {
            Err(Error::UserNotFound(_)) if owner.users == UserMode::Open => self.nobody(owner.tenant).await,
            found => found,
        }
    }

    /// The head of a user whom nobody has written to yet, in an open directory.
    pub(super) async fn nobody(&self, tenant: &TenantId) -> Result<Head> {
        Ok(Head { epoch: self.store.epoch(tenant).await?, ..EMPTY })
    }
}
