//! Reads the heads that are asked for at the same time by one statement: counts are asked for often, and remembered for
//! half a second at most.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::Row;
use tokio::sync::{Semaphore, oneshot};

use super::ask::ask;
use super::connect::Database;
use super::error::internal;
use super::page;
use crate::domain::{Head, Result};
use crate::store::command::InboxKey;

/// Statements under way at once: what is asked for meanwhile goes into the next one.
const AT_ONCE: usize = 2;

/// Who waits for heads. Whoever gets a turn reads for all; there is no task for it.
pub(super) struct Together {
    waiting: Mutex<Vec<Waiting>>,
    turns: Semaphore,
}

struct Waiting {
    inbox: InboxKey,
    answer: oneshot::Sender<Result<Option<Head>>>,
}

impl Default for Together {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }
}

impl Together {
    /// The head as of some time during the call, `None` for a user who does not exist.
    pub async fn head(&self, database: &Database, inbox: &InboxKey) -> Result<Option<Head>> {
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.waiting().push(Waiting { inbox: inbox.clone(), answer });
            let turn = tokio::select! {
                biased;
                answered = &mut answered => match answered {
                    Ok(head) => return head,
                    Err(_) => continue,
                },
                turn = self.turns.acquire() => turn,
            };
            self.read(database).await;
            drop(turn);
            // It was taken, here or in another's turn. Where that one has hung up it is asked anew.
            if let Ok(head) = answered.await {
                return head;
            }
        }
    }

    /// Reads all that is waited for.
    async fn read(&self, database: &Database) {
        let mut all = std::mem::take(&mut *self.waiting());
        all.retain(|waiting| !waiting.answer.is_closed());
        let inboxes: Vec<_> = all.iter().map(|waiting| waiting.inbox.clone()).collect();
        match heads(database, &inboxes).await {
            Ok(heads) => {
                for (waiting, head) in all.into_iter().zip(heads) {
                    let _ = waiting.answer.send(Ok(head));
                }
            }
            Err(error) => {
                for waiting in all {
                    let _ = waiting.answer.send(Err(error.clone()));
                }
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        // Nothing that holds the lock can leave it half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The heads of these inboxes, in their order.
pub(super) async fn heads(database: &Database, inboxes: &[InboxKey]) -> Result<Vec<Option<Head>>> {
    let mut heads = vec![None; inboxes.len()];
    if inboxes.is_empty() {
        return Ok(heads);
    }
    let rows =
        ask("SELECT d.rev, d.unread, d.next_expiry, d.erased_upto, (SELECT epoch FROM history_now), w.place
           FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS w (place, tenant, id)
           JOIN directory d ON d.tenant = w.tenant AND d.id = w.id AND d.erased_at IS NULL")
        .bind((0_i64..).take(inboxes.len()).collect::<Vec<_>>())
        .bind(inboxes.iter().map(|inbox| inbox.tenant.as_str()).collect::<Vec<_>>())
        .bind(inboxes.iter().map(|inbox| inbox.user.get()).collect::<Vec<_>>());
    for row in &database.rows(&rows).await? {
        let read = || Ok((page::head(row, 0)?, row.try_get::<i64, _>(5)?));
        let (head, place) = read().map_err(internal)?;
        if let Some(found) = usize::try_from(place).ok().and_then(|place| heads.get_mut(place)) {
            *found = Some(head);
        }
    }
    Ok(heads)
}
