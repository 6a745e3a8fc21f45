//! Sending many notifications at once: each passes its pipeline alone, the store takes them together.

use std::sync::Arc;

use super::{Passed, ReadDraft, Sending, new_notification};
use crate::{
    domain::{Error, Principal, Problem, Result, Sealed, Timestamp},
    snapshot::Snapshot,
    store::{Kept, NewNotification, Stored},
};

/// How many pass their pipelines before other requests have a turn.
const STRETCH: usize = 32;

/// What became of one send of a batch.
#[derive(Debug)]
pub enum BatchItem {
    /// It was stored as this, with these warnings.
    Stored(Arc<Sealed>, Stored, Vec<Problem>),
    /// It was refused.
    Failed(Error),
    /// It was good, but another one failed, and all or none were to be stored.
    Withheld,
}

impl Sending {
    /// Passes drafts through their types' pipelines and stores those that pass, in one transaction: with `atomic` all of
    /// them or none. Gives what became of each. When this returns, what was stored is durable.
    ///
    /// # Errors
    /// Those of the store, where it took nothing.
    pub async fn send_batch(
        &self,
        snapshot: &Snapshot,
        principal: &Principal,
        drafts: impl Iterator<Item = Result<ReadDraft>> + Send,
        now: Timestamp,
        request_id: &str,
        atomic: bool,
    ) -> Result<Vec<BatchItem>> {
        let mut items = Vec::with_capacity(drafts.size_hint().0);
        let (mut places, mut all, mut news) = (Vec::new(), Vec::new(), Vec::new());
        for (place, draft) in drafts.enumerate() {
            if place % STRETCH == STRETCH - 1 {
                tokio::task::yield_now().await;
            }
            match self.pass(snapshot, principal, draft, now) {
                Ok(passed) => {
                    news.push(new_notification(snapshot, principal, &passed.sealed, request_id)?);
                    places.push(place);
                    all.push(passed);
                    items.push(BatchItem::Withheld);
                }
                Err(error) => items.push(BatchItem::Failed(error)),
            }
        }
        if atomic && news.len() < items.len() {
            self.look_up(principal, &news, &places, &mut items).await?;
            return Ok(items);
        }
        let kept = self.store.send_batch(&principal.tenant, news, atomic).await;
        let kept = kept.inspect_err(|e| self.count_error(e))?;
        let took_any = kept.iter().any(|kept| matches!(kept, Ok(Kept::Stored(_))));
        for ((kept, place), Passed { sealed, warnings }) in kept.into_iter().zip(places).zip(all) {
            items[place] = match kept.inspect_err(|e| self.count_error(e)) {
                Ok(Kept::Stored(stored)) => BatchItem::Stored(sealed, stored, warnings),
                Ok(Kept::Withheld) => BatchItem::Withheld,
                Err(error @ Error::UserNotFound(_)) => BatchItem::Failed(error),
                // The store failed, not the send: where it took nothing, that is all there is to say.
                Err(error) if !took_any => return Err(error),
                Err(error) => BatchItem::Failed(error),
            };
        }
        Ok(items)
    }

    /// Of a batch that is not stored, finds what the store would have found besides: users whom a managed directory does
    /// not know.
    async fn look_up(
        &self,
        principal: &Principal,
        news: &[NewNotification],
        places: &[usize],
        items: &mut [BatchItem],
    ) -> Result<()> {
        let wanted = news.iter().zip(places).filter(|(new, _)| !new.create_user);
        let (users, places): (Vec<_>, Vec<_>) = wanted.map(|(new, place)| (new.sealed.user, *place)).unzip();
        let heads = self.store.places(&principal.tenant, &users).await?;
        for ((head, user), place) in heads.iter().zip(users).zip(places) {
            if head.is_none() {
                let error = Error::UserNotFound(user);
                self.count_error(&error);
                items[place] = BatchItem::Failed(error);
            }
        }
        Ok(())
    }
}
