//! A batch of nothing but plain sends: one statement that is a transaction by itself, so one round trip.

use super::ask::{Ask, ask};
use super::connect::Times;
use super::error::corrupt;
use crate::domain::{Change, ChangeKind, NotificationId, TenantId, Timestamp, UserId};
use crate::store::command::{Command, NewNotification, Outcome, Stored};
use crate::store::engine::Applied;

/// A send, with its tenant.
type New<'a> = (&'a TenantId, &'a NewNotification);

/// The sends of a batch that nothing but they, and nothing but the heads of their users, is needed for.
pub(super) fn sends(commands: &[Command]) -> Option<Vec<New<'_>>> {
    commands.iter().map(send).collect()
}

fn send(command: &Command) -> Option<New<'_>> {
    match command {
        Command::Send(tenant, new) if new.idempotency.is_none() && new.sealed.collapse_key.is_none() => {
            Some((tenant, new))
        }
        _ => None,
    }
}

/// All under `WITH` goes by one state, taken before anything is locked. So it computes from nothing but heads as they
/// are given when they are locked, which is as they were committed last, and looks at no other row.
///
/// It does nothing, and gives no row, where its connection has other settings than it should have, as behind a pooler;
/// where its lane's last batch is not the one before it: it comes too late, and the lane has given it up; or where users
/// are missing who are to be created, or without whom others' sends are not to be stored.
const ALONE: &str = "WITH
own AS MATERIALIZED (
    SELECT id FROM lane
     WHERE current_setting('transaction_isolation') = 'read committed'
       AND current_setting('statement_timeout')::interval = $14::bigint * interval '1 millisecond'
       AND set_config('lock_timeout', $15::text, true) IS NOT NULL
       AND set_config('synchronous_commit', 'on', true) = 'on'
       AND id = $11 AND batch = $12
       FOR UPDATE),
head AS MATERIALIZED (
    SELECT d.tenant, d.id AS user_id, d.rev, d.unread, d.next_expiry,
           s.type, s.expires_at, s.sender, s.request_id, s.related_user_id, s.doc, s.place
      FROM own
     CROSS JOIN unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bigint[],
                       $8::text[])
           WITH ORDINALITY AS s (tenant, user_id, type, expires_at, sender, request_id, related_user_id, doc, place)
      JOIN directory d ON d.tenant = s.tenant AND d.id = s.user_id
     WHERE d.erased_at IS NULL
     ORDER BY d.tenant, d.id, s.place FOR UPDATE OF d),
arrived AS MATERIALIZED (
    SELECT nextval('notification_id') AS id, h.*, row_number() OVER (PARTITION BY user_id, tenant ORDER BY place) AS step
      FROM head h WHERE (SELECT count(*) FROM head) >= $9),
stored AS (
    INSERT INTO notification (id, tenant, user_id, type, created_at, expires_at, sender, request_id,
                              related_user_id, doc)
    SELECT id, tenant, user_id, type, $10, expires_at, sender, request_id, related_user_id, doc FROM arrived),
shown AS (
    INSERT INTO inbox (tenant, user_id, id, rev, unread, expires_at)
    SELECT tenant, user_id, id, rev + step, unread + step, expires_at FROM arrived),
moved AS (
    UPDATE directory d SET rev = m.rev, unread = m.unread, next_expiry = m.next_expiry
      FROM (SELECT tenant, user_id, max(rev + step) AS rev, max(unread + step) AS unread,
                   least(min(next_expiry), min(expires_at)) AS next_expiry
              FROM arrived GROUP BY tenant, user_id) AS m
     WHERE d.tenant = m.tenant AND d.id = m.user_id)
UPDATE lane SET batch = $13, at = $10, answer = (
       SELECT coalesce(array_agg(place) || array_agg(id) || array_agg(rev + step) || array_agg(unread + step), '{}')
         FROM arrived)
  FROM own WHERE lane.id = own.id AND (SELECT count(*) FROM head) >= $9
RETURNING answer";

/// Whose batch it is: the lane, its last batch, and this one's number.
pub(super) struct Mark {
    pub lane: i64,
    pub before: i64,
    pub number: i64,
}

pub(super) fn all(sends: &[New<'_>], now: Timestamp, mark: &Mark, times: Times) -> Ask {
    let needs_all = sends.iter().any(|(_, new)| new.create_user || new.whole.is_some());
    let needed = if needs_all { sends.len() } else { 0 };
    ask(ALONE)
        .bind(sends.iter().map(|(tenant, _)| tenant.as_str()).collect::<Vec<_>>())
        .bind(sends.iter().map(|(_, new)| new.sealed.user.get()).collect::<Vec<_>>())
        .bind(sends.iter().map(|(_, new)| new.sealed.kind.as_str()).collect::<Vec<_>>())
        .bind(sends.iter().map(|(_, new)| new.sealed.expires_at.map(|at| at.0)).collect::<Vec<_>>())
        .bind(sends.iter().map(|(_, new)| &*new.sender).collect::<Vec<_>>())
        .bind(sends.iter().map(|(_, new)| new.request_id.as_str()).collect::<Vec<_>>())
        .bind(sends.iter().map(|(_, new)| new.sealed.related_user.map(UserId::get)).collect::<Vec<_>>())
        .bind(sends.iter().map(|(_, new)| new.sealed.content.as_json()).collect::<Vec<_>>())
        .bind(i64::try_from(needed).unwrap_or(i64::MAX))
        .bind(now.0)
        .bind(mark.lane)
        .bind(mark.before)
        .bind(mark.number)
        .bind(i64::try_from(times.statement.as_millis()).unwrap_or(i64::MAX))
        .bind(times.lock.as_millis().to_string())
}

/// What the lane's row says became of the sends. Of users who are not there it says nothing.
pub(super) fn applied(commands: &[Command], answer: &[i64], now: Timestamp) -> sqlx::Result<Applied> {
    let mut outcomes: Vec<_> = commands.iter().map(|_| Outcome::NoUser).collect();
    let mut changes = Vec::with_capacity(commands.len());
    let count = answer.len() / 4;
    for (n, place) in answer.iter().take(count).enumerate() {
        let place = usize::try_from(place - 1).map_err(corrupt)?;
        let Some(Command::Send(tenant, new)) = commands.get(place) else {
            return Err(corrupt("a lane's answer is not that of its batch"));
        };
        let figure = |part: usize| answer[part * count + n];
        let id = NotificationId::new(figure(1)).map_err(corrupt)?;
        outcomes[place] = Outcome::Stored(Stored { id, created_at: now });
        changes.push(Change {
            tenant: tenant.clone(),
            user: new.sealed.user,
            rev: figure(2),
            unread: figure(3),
            kind: ChangeKind::Arrived,
            notification: Some(id),
        });
    }
    Ok(Applied { outcomes, changes })
}
