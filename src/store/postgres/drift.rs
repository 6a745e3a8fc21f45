//! Finds heads that do not match their inboxes, and sets them right.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::ask;
use super::connect::Database;
use super::error::{corrupt, internal};
use super::writes::Batch;
use crate::domain::{ChangeKind, Result, TenantId, UserId};
use crate::store::command::{Command, InboxKey, Outcome};
use crate::store::drift::{ROWS, USERS};

/// The last user of a step, by rows and by users. The last row of all ends a walk.
const LAST: &str = "SELECT tenant, user_id FROM (
    (SELECT tenant, user_id FROM inbox WHERE (tenant, user_id) > ($1, $2)
      ORDER BY tenant, user_id LIMIT 1 OFFSET $3)
    UNION ALL
    (SELECT tenant, id FROM directory WHERE (tenant, id) > ($1, $2)
      ORDER BY tenant, id LIMIT 1 OFFSET $4)) AS last
  ORDER BY tenant, user_id LIMIT 1";

/// One that expects an expiry too early is right: it only costs a look.
const DRIFTED: &str = "SELECT d.tenant, d.id
   FROM (SELECT tenant, id, unread, next_expiry, erased_upto, erased_at FROM directory
          WHERE (tenant, id) > ($1, $2) ORDER BY tenant, id LIMIT $5 + 1) AS d
  CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE i.read_at IS NULL) AS unread, min(i.expires_at) AS next_expiry
          FROM inbox i WHERE i.tenant = d.tenant AND i.user_id = d.id AND i.id > d.erased_upto) AS should
  WHERE ($3::text IS NULL OR (d.tenant, d.id) <= ($3, $4)) AND d.erased_at IS NULL
    AND (d.unread <> should.unread OR coalesce(d.next_expiry, 9223372036854775807) > should.next_expiry)";

/// Users after one whose heads do not match, and the last one looked at: `None` at the end.
pub(super) async fn drifted(
    database: &Database,
    after: Option<&InboxKey>,
) -> Result<(Vec<InboxKey>, Option<InboxKey>)> {
    let (tenant, user) = after.map_or(("", 0), |inbox| (inbox.tenant.as_str(), inbox.user.get()));
    let last = ask(LAST).bind(tenant).bind(user).bind(i64::from(ROWS)).bind(i64::from(USERS));
    let last = database.rows(&last).await?.first().map(inbox).transpose().map_err(internal)?;
    let drifted = ask(DRIFTED)
        .bind(tenant)
        .bind(user)
        .bind(last.as_ref().map(|last| last.tenant.as_str()))
        .bind(last.as_ref().map(|last| last.user.get()))
        .bind(i64::from(USERS));
    let rows = database.rows(&drifted).await?;
    Ok((rows.iter().map(inbox).collect::<sqlx::Result<_>>().map_err(internal)?, last))
}

/// The columns of a tenant and a user.
pub(super) fn inbox(row: &PgRow) -> sqlx::Result<InboxKey> {
    let tenant = TenantId::new(row.try_get(0)?).map_err(corrupt)?;
    Ok(InboxKey { tenant, user: UserId::new(row.try_get(1)?).map_err(corrupt)? })
}

/// What the inboxes, whose heads are locked, come to: how many are unread, and what expires first.
const SHOULD: &str = "SELECT w.place, should.unread, should.next_expiry
   FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS w (place, tenant, user_id, erased_upto)
  CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE i.read_at IS NULL) AS unread, min(i.expires_at) AS next_expiry
          FROM inbox i WHERE i.tenant = w.tenant AND i.user_id = w.user_id AND i.id > w.erased_upto) AS should";

/// Looks again, in this transaction, and moves a head that does not match as any change would. To be called
/// before anything else is changed.
pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    let mut asked: BTreeMap<usize, (&InboxKey, i64)> = BTreeMap::new();
    for (place, command) in commands.iter().enumerate() {
        if let Command::Repair(inbox) = command {
            batch.settle(place, Outcome::Rows(0));
            let is_first = asked.values().all(|(other, _)| *other != inbox);
            if let Some(head) = batch.heads.get(inbox).filter(|_| is_first) {
                asked.insert(place, (inbox, head.erased_upto));
            }
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    let should = ask(SHOULD)
        .bind(asked.keys().map(|place| i64::try_from(*place).unwrap_or_default()).collect::<Vec<_>>())
        .bind(asked.values().map(|(inbox, _)| inbox.tenant.as_str()).collect::<Vec<_>>())
        .bind(asked.values().map(|(inbox, _)| inbox.user.get()).collect::<Vec<_>>())
        .bind(asked.values().map(|(_, erased_upto)| *erased_upto).collect::<Vec<_>>());
    for row in should.rows(&mut batch.on).await? {
        let place = usize::try_from(row.try_get::<i64, _>(0)?).map_err(corrupt)?;
        let Some((inbox, _)) = asked.get(&place) else { continue };
        let Some(head) = batch.heads.get(inbox) else { continue };
        let (unread, next_expiry): (i64, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
        let is_late = next_expiry.is_some_and(|should| head.next_expiry.is_none_or(|says| says > should));
        let differs = unread - head.unread;
        if differs != 0 || is_late {
            head.next_expiry = next_expiry;
            batch.step(inbox, ChangeKind::Repaired, None, differs)?;
            batch.settle(place, Outcome::Rows(1));
        }
    }
    Ok(())
}
