//! Finds heads that do not match their inboxes, and sets them right.

use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::error::{corrupt, internal};
use super::expire::find_next_expiry;
use super::heads::Pending;
use super::writes::Batch;
use crate::domain::{ChangeKind, Result, TenantId, UserId};
use crate::store::command::{Command, InboxKey, Outcome};
use crate::store::drift::{ROWS, USERS};

/// What a head `h` should say. One that expects an expiry too early is right: it only costs a look.
macro_rules! should {
    (unread) => {
        "(SELECT count(*) FROM inbox i
           WHERE i.tenant = h.tenant AND i.user_id = h.user_id AND i.id > h.erased_upto
             AND i.id < 9223372036854775807 AND i.read_at IS NULL)"
    };
    (next_expiry) => {
        "(SELECT min(i.expires_at) FROM inbox i
           WHERE i.tenant = h.tenant AND i.user_id = h.user_id AND i.expires_at IS NOT NULL
             AND +i.id > h.erased_upto)"
    };
    (is_late) => {
        concat!("ifnull(h.next_expiry, 9223372036854775807) > ", should!(next_expiry))
    };
}

/// The last user of a step, by rows and by users. The last row of all ends a walk.
const LAST: &str = "SELECT tenant, user_id FROM (
    SELECT * FROM (SELECT tenant, user_id FROM inbox WHERE (tenant, user_id) > (?1, ?2)
                    ORDER BY tenant, user_id LIMIT 1 OFFSET ?3)
    UNION ALL
    SELECT * FROM (SELECT tenant, id FROM directory WHERE (tenant, id) > (?1, ?2)
                    ORDER BY tenant, id LIMIT 1 OFFSET ?4))
  ORDER BY tenant, user_id LIMIT 1";

/// (The inner limit is what bounds it: of two bounds on a pair of columns SQLite seeks one alone.)
const DRIFTED: &str = concat!(
    "SELECT h.tenant, h.user_id FROM (
        SELECT tenant, id FROM directory WHERE (tenant, id) > (?1, ?2) ORDER BY tenant, id LIMIT ?5 + 1) AS d
      CROSS JOIN head h ON h.tenant = d.tenant AND h.user_id = d.id
      WHERE (?3 IS NULL OR (d.tenant, d.id) <= (?3, ?4)) AND (h.unread <> ",
    should!(unread),
    " OR ",
    should!(is_late),
    ")"
);

/// Users after one whose heads do not match, and the last one looked at: `None` at the end.
pub(super) async fn drifted(
    pool: &SqlitePool,
    after: Option<&InboxKey>,
) -> Result<(Vec<InboxKey>, Option<InboxKey>)> {
    let (tenant, user) = after.map_or(("", 0), |inbox| (inbox.tenant.as_str(), inbox.user.get()));
    let last = sqlx::query(LAST).bind(tenant).bind(user).bind(ROWS).bind(USERS).fetch_optional(pool).await;
    let last = last.map_err(internal)?.as_ref().map(inbox).transpose()?;
    let rows = sqlx::query(DRIFTED)
        .bind(tenant)
        .bind(user)
        .bind(last.as_ref().map(|last| last.tenant.as_str()))
        .bind(last.as_ref().map(|last| last.user.get()))
        .bind(USERS)
        .fetch_all(pool)
        .await
        .map_err(internal)?;
    Ok((rows.iter().map(inbox).collect::<Result<_>>()?, last))
}

pub(super) fn inbox(row: &SqliteRow) -> Result<InboxKey> {
    let tenant: &str = row.try_get(0).map_err(internal)?;
    let user = UserId::new(row.try_get(1).map_err(internal)?).map_err(corrupt)?;
    Ok(InboxKey { tenant: TenantId::new(tenant).map_err(corrupt)?, user })
}

/// To be called when every head is moved.
pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    for (place, command) in commands.iter().enumerate() {
        if let Command::Repair(inbox) = command {
            let repaired = repair(batch, inbox).await?;
            batch.settle(place, Outcome::Rows(repaired.into()));
        }
    }
    Ok(())
}

/// Looks again, in this transaction, and moves a head that does not match as any change would.
async fn repair(batch: &mut Batch<'_>, inbox: &InboxKey) -> sqlx::Result<bool> {
    let query = concat!(
        "SELECT ",
        should!(unread),
        " - h.unread, ifnull(",
        should!(is_late),
        ", 0) FROM head h WHERE h.tenant = ? AND h.user_id = ?"
    );
    let query = sqlx::query(query).bind(inbox.tenant.as_str()).bind(inbox.user.get());
    let Some(row) = query.fetch_optional(&mut *batch.connection).await? else { return Ok(false) };
    let (unread, is_late): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
    if unread == 0 && !is_late {
        return Ok(false);
    }
    find_next_expiry(batch, inbox).await?;
    // Other hands changed the row, so it is not where the writer left it.
    batch.heads.forget(inbox);
    batch.pending.push(Pending {
        inbox: inbox.clone(),
        kind: ChangeKind::Repaired,
        notification: None,
        unread,
    });
    batch.move_heads().await?;
    Ok(true)
}
