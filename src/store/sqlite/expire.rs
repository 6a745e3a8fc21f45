//! Takes out of inboxes what has expired or outlived its tenant's retention.

use super::marks::remove;
use super::writes::Batch;
use crate::domain::{ChangeKind, NotificationId, Timestamp};
use crate::store::command::{CHUNK, Command, InboxKey, Outcome};

pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    for (place, command) in commands.iter().enumerate() {
        let (inbox, ids) = match command {
            Command::Expire(inbox, at) => (inbox, due(batch, inbox, *at).await?),
            Command::Retire(inbox, ids) => (inbox, ids.iter().copied().map(NotificationId::get).collect()),
            _ => continue,
        };
        let removed = remove(batch, inbox, &ids, ChangeKind::Expired).await?;
        batch.settle(place, Outcome::Rows(removed.len() as u64));
        batch.pending.extend(removed);
        find_next_expiry(batch, inbox).await?;
    }
    Ok(())
}

/// What is due at the time of the reader who asked: were the clock set back since, the reader would
/// otherwise ask for ever.
async fn due(batch: &mut Batch<'_>, inbox: &InboxKey, at: Timestamp) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(
        "SELECT id FROM inbox
          WHERE tenant = ?1 AND user_id = ?2 AND expires_at <= ?3
            AND id > (SELECT erased_upto FROM head WHERE tenant = ?1 AND user_id = ?2)
          ORDER BY expires_at LIMIT ?4",
    )
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .bind(at.0)
    .bind(CHUNK)
    .fetch_all(&mut *batch.connection)
    .await
}

/// Recomputes the head's next expiry. (The `+` makes SQLite use the index of expiries.)
pub(super) async fn find_next_expiry(batch: &mut Batch<'_>, inbox: &InboxKey) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE inbox AS h SET next_expiry =
            (SELECT min(i.expires_at) FROM inbox i
              WHERE i.tenant = ?1 AND i.user_id = ?2 AND i.expires_at IS NOT NULL AND +i.id > h.erased_upto)
          WHERE h.tenant = ?1 AND h.user_id = ?2 AND h.id = 9223372036854775807",
    )
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .execute(&mut *batch.connection)
    .await?;
    Ok(())
}
