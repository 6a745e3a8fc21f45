//! Takes notifications out of inboxes: deleted, withdrawn, expired, or outlived by their tenant's retention.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::ask;
use super::deleted::{self, Deleted};
use super::error::corrupt;
use super::writes::Batch;
use crate::domain::{AuditEntry, ChangeKind, NotificationId, TenantId, Timestamp};
use crate::store::command::{CHUNK, Command, InboxKey, Outcome};
use crate::store::key;

/// A notification that a command takes out.
struct Want {
    place: usize,
    inbox: InboxKey,
    id: NotificationId,
    kind: ChangeKind,
    /// By its user: only while it is shown, and so that it can be put back.
    shown: bool,
}

pub(super) async fn apply<'a>(batch: &mut Batch<'a>, commands: &'a [Command]) -> sqlx::Result<()> {
    let mut wants = due(batch, commands).await?;
    for (place, command) in commands.iter().enumerate() {
        let want = |inbox: &InboxKey, id: &NotificationId, kind, shown| Want {
            place,
            inbox: inbox.clone(),
            id: *id,
            kind,
            shown,
        };
        match command {
            Command::Withdraw(tenant, owners, _) => {
                let mut owners = owners.clone();
                owners.sort_unstable();
                let owners = owners.iter();
                wants.extend(
                    owners.map(|(user, id)| want(&key(tenant, *user), id, ChangeKind::Deleted, false)),
                );
            }
            Command::Retire(inbox, ids) => {
                wants.extend(ids.iter().map(|id| want(inbox, id, ChangeKind::Expired, false)));
            }
            Command::Delete(inbox, id) => wants.push(want(inbox, id, ChangeKind::Deleted, true)),
            _ => {}
        }
    }
    let mut gone: HashMap<usize, Vec<i64>> = HashMap::new();
    for want in take(batch, wants).await? {
        gone.entry(want.place).or_default().push(want.id.get());
    }
    let mut retired = Vec::new();
    for (place, command) in commands.iter().enumerate() {
        let ids = gone.remove(&place).unwrap_or_default();
        let rows = ids.len() as u64;
        let outcome = match command {
            Command::Delete(..) if ids.is_empty() => Outcome::NoNotification,
            Command::Delete(..) => Outcome::Done,
            Command::Withdraw(tenant, owners, entry) => {
                deleted::let_go(batch, tenant, owners.iter().map(|(_, id)| *id)).await?;
                record(batch, tenant, entry, ids);
                Outcome::Rows(rows)
            }
            Command::Expire(inbox, _) | Command::Retire(inbox, _) => {
                retired.push(inbox);
                Outcome::Rows(rows)
            }
            _ => continue,
        };
        batch.settle(place, outcome);
    }
    find_next_expiry(batch, &retired).await
}

fn record<'a>(batch: &mut Batch<'a>, tenant: &'a TenantId, entry: &AuditEntry, ids: Vec<i64>) {
    if !ids.is_empty() {
        batch.entries.push((tenant, entry.clone().with("count", ids.len()).with("ids", ids)));
    }
}

/// What is due at the time of the reader who asked: were the clock set back since, the reader would otherwise
/// ask for ever.
async fn due(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<Vec<Want>> {
    let mut inboxes = Vec::new();
    for (place, command) in commands.iter().enumerate() {
        if let Command::Expire(inbox, Timestamp(at)) = command
            && let Some(head) = batch.heads.get(inbox)
        {
            inboxes.push((place, inbox, *at, head.erased_upto));
        }
    }
    if inboxes.is_empty() {
        return Ok(Vec::new());
    }
    let rows = ask("SELECT w.number, due.id
           FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
                AS w (number, tenant, user_id, at, erased_upto)
          CROSS JOIN LATERAL (
                SELECT i.id FROM inbox i WHERE i.tenant = w.tenant AND i.user_id = w.user_id
                   AND i.expires_at <= w.at AND i.id > w.erased_upto
                 ORDER BY i.expires_at LIMIT $6) AS due")
    .bind((0_i64..).take(inboxes.len()).collect::<Vec<_>>())
    .bind(inboxes.iter().map(|(_, inbox, ..)| inbox.tenant.as_str()).collect::<Vec<_>>())
    .bind(inboxes.iter().map(|(_, inbox, ..)| inbox.user.get()).collect::<Vec<_>>())
    .bind(inboxes.iter().map(|(_, _, at, _)| *at).collect::<Vec<_>>())
    .bind(inboxes.iter().map(|(.., erased_upto)| *erased_upto).collect::<Vec<_>>())
    .bind(i64::from(CHUNK))
    .rows(&mut batch.on)
    .await?;
    let want = |row: &sqlx::postgres::PgRow| {
        let number = usize::try_from(row.try_get::<i64, _>(0)?).map_err(corrupt)?;
        let (place, inbox, ..) = inboxes.get(number).ok_or(sqlx::Error::RowNotFound)?;
        let id = NotificationId::new(row.try_get(1)?).map_err(corrupt)?;
        let (inbox, kind) = ((*inbox).clone(), ChangeKind::Expired);
        Ok(Want { place: *place, inbox, id, kind, shown: false })
    };
    rows.iter().map(want).collect()
}

/// Takes out what is there, each for the first that wants it, and moves the heads. What was hidden before moves
/// none. Gives whose wants were met, in their order.
async fn take(batch: &mut Batch<'_>, wants: Vec<Want>) -> sqlx::Result<Vec<Want>> {
    let mut first: HashMap<(InboxKey, NotificationId), usize> = HashMap::new();
    let mut taken: Vec<Want> = Vec::new();
    for want in wants {
        if batch.heads.shows(&want.inbox, want.id) && !first.contains_key(&(want.inbox.clone(), want.id)) {
            first.insert((want.inbox.clone(), want.id), taken.len());
            taken.push(want);
        }
    }
    if taken.is_empty() {
        return Ok(taken);
    }
    let rows = ask("DELETE FROM inbox i
          USING unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bool[])
                AS w (number, tenant, user_id, id, shown)
          WHERE i.tenant = w.tenant AND i.user_id = w.user_id AND i.id = w.id
            AND (NOT w.shown OR i.expires_at IS NULL OR i.expires_at > $6)
         RETURNING w.number, i.rev, i.unread, i.read_at")
    .bind((0_i64..).take(taken.len()).collect::<Vec<_>>())
    .bind(taken.iter().map(|want| want.inbox.tenant.as_str()).collect::<Vec<_>>())
    .bind(taken.iter().map(|want| want.inbox.user.get()).collect::<Vec<_>>())
    .bind(taken.iter().map(|want| want.id.get()).collect::<Vec<_>>())
    .bind(taken.iter().map(|want| want.shown).collect::<Vec<_>>())
    .bind(batch.expiry.0)
    .rows(&mut batch.on)
    .await?;
    let mut gone: HashMap<usize, &PgRow> = HashMap::with_capacity(rows.len());
    for row in &rows {
        gone.insert(usize::try_from(row.try_get::<i64, _>(0)?).map_err(corrupt)?, row);
    }
    let (mut met, mut kept) = (Vec::with_capacity(rows.len()), Vec::new());
    for (number, want) in taken.into_iter().enumerate() {
        if let Some(row) = gone.get(&number) {
            let read_at: Option<i64> = row.try_get(3)?;
            batch.step(&want.inbox, want.kind, Some(want.id), -i64::from(read_at.is_none()))?;
            if want.shown {
                let (inbox, id) = (want.inbox.clone(), want.id);
                let (rev, unread) = (row.try_get(1)?, row.try_get(2)?);
                let deleted_rev = batch.changes.last().map_or(0, |change| change.rev);
                kept.push(Deleted { inbox, id, rev, unread, read_at, deleted_rev });
            }
            met.push(want);
        }
    }
    deleted::keep(batch, &kept).await?;
    Ok(met)
}

/// Recomputes when something expires next.
async fn find_next_expiry(batch: &mut Batch<'_>, inboxes: &[&InboxKey]) -> sqlx::Result<()> {
    let mut asked = Vec::new();
    for inbox in inboxes {
        if let Some(head) = batch.heads.get(inbox) {
            asked.push((*inbox, head.erased_upto));
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    let rows = ask("SELECT w.number, (
                SELECT min(i.expires_at) FROM inbox i WHERE i.tenant = w.tenant AND i.user_id = w.user_id
                   AND i.expires_at IS NOT NULL AND i.id > w.erased_upto)
           FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])
                AS w (number, tenant, user_id, erased_upto)")
    .bind((0_i64..).take(asked.len()).collect::<Vec<_>>())
    .bind(asked.iter().map(|(inbox, _)| inbox.tenant.as_str()).collect::<Vec<_>>())
    .bind(asked.iter().map(|(inbox, _)| inbox.user.get()).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, erased_upto)| *erased_upto).collect::<Vec<_>>())
    .rows(&mut batch.on)
    .await?;
    for row in &rows {
        let number = usize::try_from(row.try_get::<i64, _>(0)?).map_err(corrupt)?;
        let (inbox, _) = asked.get(number).ok_or(sqlx::Error::RowNotFound)?;
        if let Some(head) = batch.heads.get(inbox) {
            head.next_expiry = row.try_get(1)?;
            head.is_moved = true;
        }
    }
    Ok(())
}
