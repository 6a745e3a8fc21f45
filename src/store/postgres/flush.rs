//! Writes what a batch has come to: arrivals, changes, heads, and that the batch took place, in one statement.

use std::collections::BTreeMap;

use sqlx::Row;

use super::alone::Mark;
use super::ask::ask;
use super::error::corrupt;
use super::writes::Batch;
use crate::domain::{ChangeKind, NotificationId, TenantId, UserId};
use crate::store::collapse::CollapseHash;
use crate::store::command::{NewNotification, Outcome, Stored};

/// A notification on its way into the database.
pub(super) struct Arrival<'a> {
    /// Its place in the batch, and that of its change among the changes.
    pub place: usize,
    pub change: usize,
    pub tenant: &'a TenantId,
    pub new: &'a NewNotification,
    /// The hash of its collapse key.
    pub key: Option<CollapseHash>,
}

/// Ids are taken here, when all heads are locked. What stands under `WITH` is all of one state, and nothing of it
/// looks at another's rows.
const FLUSH: &str = "WITH
arrived AS MATERIALIZED (
    SELECT nextval('notification_id') AS id, a.*
      FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bigint[],
                  $8::text[], $9::bigint[], $10::bigint[], $11::bytea[])
           AS a (tenant, user_id, type, expires_at, sender, request_id, related_user_id, doc, rev, unread, key)),
stored AS (
    INSERT INTO notification (id, tenant, user_id, type, created_at, expires_at, sender, request_id,
                              related_user_id, doc)
    SELECT id, tenant, user_id, type, $12, expires_at, sender, request_id, related_user_id, doc FROM arrived),
shown AS (
    INSERT INTO inbox (tenant, user_id, id, rev, unread, expires_at)
    SELECT tenant, user_id, id, rev, unread, expires_at FROM arrived),
collapsing AS (
    INSERT INTO collapse (tenant, user_id, key, id)
    SELECT tenant, user_id, key, id FROM arrived WHERE key IS NOT NULL
        ON CONFLICT (tenant, user_id, key) DO UPDATE SET id = excluded.id),
told AS (
    INSERT INTO change (tenant, user_id, rev, kind, notification_id, unread, at)
    SELECT c.tenant, c.user_id, c.rev, c.kind, c.notification_id, c.unread, $12
      FROM unnest($13::text[], $14::bigint[], $15::bigint[], $16::text[], $17::bigint[], $18::bigint[])
           AS c (tenant, user_id, rev, kind, notification_id, unread)),
moved AS (
    UPDATE directory d
       SET rev = h.rev, unread = h.unread, next_expiry = h.next_expiry,
           erased_at = CASE WHEN h.revived THEN NULL ELSE d.erased_at END,
           created_at = CASE WHEN h.revived THEN $12 ELSE d.created_at END,
           updated_at = CASE WHEN h.revived THEN $12 ELSE d.updated_at END
      FROM unnest($19::text[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bool[])
           AS h (tenant, id, rev, unread, next_expiry, revived)
     WHERE d.tenant = h.tenant AND d.id = h.id),
marked AS (
    INSERT INTO lane (id, batch, at) SELECT $25, $26, $12 WHERE $25 IS NOT NULL
        ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, at = excluded.at)
SELECT id FROM arrived";

/// Writes all of it that is not in the database yet. The last flush of a batch has its lane and number.
pub(super) async fn flush(batch: &mut Batch<'_>, mark: Option<&Mark>) -> sqlx::Result<()> {
    let arrivals = std::mem::take(&mut batch.arrivals);
    let told: Vec<_> =
        batch.changes[batch.written..].iter().filter(|change| change.kind != ChangeKind::Arrived).collect();
    // In the order of keys, for the sake of the pages.
    let moved: BTreeMap<_, _> = batch.heads.moved().collect();
    if mark.is_none() && arrivals.is_empty() && told.is_empty() && moved.is_empty() {
        return Ok(());
    }
    let change = |arrival: &Arrival| &batch.changes[arrival.change];
    let all = ask(FLUSH)
        .bind(arrivals.iter().map(|a| a.tenant.as_str()).collect::<Vec<_>>())
        .bind(arrivals.iter().map(|a| a.new.sealed.user.get()).collect::<Vec<_>>())
        .bind(arrivals.iter().map(|a| a.new.sealed.kind.as_str()).collect::<Vec<_>>())
        .bind(arrivals.iter().map(|a| a.new.sealed.expires_at.map(|at| at.0)).collect::<Vec<_>>())
        .bind(arrivals.iter().map(|a| &*a.new.sender).collect::<Vec<_>>())
        .bind(arrivals.iter().map(|a| a.new.request_id.as_str()).collect::<Vec<_>>())
        .bind(arrivals.iter().map(|a| a.new.sealed.related_user.map(UserId::get)).collect::<Vec<_>>())
        .bind(arrivals.iter().map(|a| a.new.sealed.content.as_json()).collect::<Vec<_>>())
        .bind(arrivals.iter().map(|a| change(a).rev).collect::<Vec<_>>())
        .bind(arrivals.iter().map(|a| change(a).unread).collect::<Vec<_>>())
        .bind(arrivals.iter().map(|a| a.key.as_ref().map(|key| key.0.as_slice())).collect::<Vec<_>>())
        .bind(batch.now.0)
        .bind(told.iter().map(|c| c.tenant.as_str()).collect::<Vec<_>>())
        .bind(told.iter().map(|c| c.user.get()).collect::<Vec<_>>())
        .bind(told.iter().map(|c| c.rev).collect::<Vec<_>>())
        .bind(told.iter().map(|c| c.kind.as_str()).collect::<Vec<_>>())
        .bind(told.iter().map(|c| c.notification.map(NotificationId::get)).collect::<Vec<_>>())
        .bind(told.iter().map(|c| c.unread).collect::<Vec<_>>())
        .bind(moved.keys().map(|inbox| inbox.tenant.as_str()).collect::<Vec<_>>())
        .bind(moved.keys().map(|inbox| inbox.user.get()).collect::<Vec<_>>())
        .bind(moved.values().map(|head| head.rev).collect::<Vec<_>>())
        .bind(moved.values().map(|head| head.unread).collect::<Vec<_>>())
        .bind(moved.values().map(|head| head.next_expiry).collect::<Vec<_>>())
        .bind(moved.values().map(|head| head.is_revived).collect::<Vec<_>>())
        .bind(mark.map(|mark| mark.lane))
        .bind(mark.map(|mark| mark.number));
    for head in moved.into_values() {
        (head.is_moved, head.is_revived) = (false, false);
    }
    let ids = all.rows(&mut batch.on).await?;
    if ids.len() != arrivals.len() {
        return Err(corrupt("not as many ids as notifications"));
    }
    for (arrival, row) in arrivals.iter().zip(&ids) {
        let id = NotificationId::new(row.try_get(0)?).map_err(corrupt)?;
        batch.changes[arrival.change].notification = Some(id);
        batch.settle(arrival.place, Outcome::Stored(Stored { id, created_at: batch.now }));
    }
    batch.written = batch.changes.len();
    Ok(())
}
