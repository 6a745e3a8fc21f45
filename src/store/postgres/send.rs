//! Stores notifications.

use std::collections::HashSet;

use sqlx::Row;

use super::ask::ask;
use super::error::corrupt;
use super::flush::{Arrival, flush};
use super::writes::Batch;
use crate::domain::{ChangeKind, NotificationId, TenantId};
use crate::store::collapse::CollapseHash;
use crate::store::command::{Command, InboxKey, NewNotification, Outcome};
use crate::store::idempotency::Repeats;
use crate::store::{key, whole};

/// A send that collapses what came before it with its key.
struct Collapsing<'a> {
    place: usize,
    tenant: &'a TenantId,
    new: &'a NewNotification,
    inbox: InboxKey,
    key: CollapseHash,
}

/// Whether no user is still to be created for a send.
pub(super) fn knows_all(batch: &mut Batch<'_>, commands: &[Command]) -> bool {
    commands.iter().all(|command| match command {
        Command::Send(tenant, new) if new.create_user => {
            batch.heads.get(&key(tenant, new.sealed.user)).is_some()
        }
        _ => true,
    })
}

/// Settles the sends that are stored only with others which cannot be.
pub(super) fn hold_back(batch: &mut Batch<'_>, commands: &[Command]) {
    let has = |tenant: &TenantId, new: &NewNotification| batch.heads.has(&key(tenant, new.sealed.user));
    for (place, outcome) in whole::refused(commands, has) {
        batch.settle(place, outcome);
    }
}

/// Stores what repeats no other send and is not settled yet.
pub(super) async fn apply<'a>(
    batch: &mut Batch<'a>,
    commands: &'a [Command],
    repeats: &Repeats<'_>,
) -> sqlx::Result<()> {
    let mut collapsing = Vec::new();
    for (place, command) in commands.iter().enumerate() {
        let Command::Send(tenant, new) = command else { continue };
        if repeats.has(place) || batch.outcomes[place].is_some() {
            continue;
        }
        let inbox = key(tenant, new.sealed.user);
        match new.sealed.collapse_key.as_deref().map(CollapseHash::of) {
            Some(key) => collapsing.push(Collapsing { place, tenant, new, inbox, key }),
            None => arrive(batch, place, tenant, new, None)?,
        }
    }
    // Each may replace the one before it, so those of one key go one after another.
    while !collapsing.is_empty() {
        let mut seen = HashSet::new();
        let (now, later): (Vec<_>, Vec<_>) =
            collapsing.into_iter().partition(|send| seen.insert((send.inbox.clone(), send.key)));
        take_replaced(batch, &now).await?;
        for send in now {
            arrive(batch, send.place, send.tenant, send.new, Some(send.key))?;
        }
        if !later.is_empty() {
            flush(batch, None).await?;
        }
        collapsing = later;
    }
    Ok(())
}

fn arrive<'a>(
    batch: &mut Batch<'a>,
    place: usize,
    tenant: &'a TenantId,
    new: &'a NewNotification,
    hash: Option<CollapseHash>,
) -> sqlx::Result<()> {
    let inbox = key(tenant, new.sealed.user);
    let Some(head) = batch.heads.get(&inbox) else {
        batch.settle(place, Outcome::NoUser);
        return Ok(());
    };
    head.expects(new.sealed.expires_at);
    batch.step(&inbox, ChangeKind::Arrived, None, 1)?;
    batch.arrivals.push(Arrival { place, change: batch.changes.len() - 1, tenant, new, key: hash });
    Ok(())
}

/// Takes out of the inboxes the unread notifications that sends replace.
async fn take_replaced(batch: &mut Batch<'_>, sends: &[Collapsing<'_>]) -> sqlx::Result<()> {
    let mut known = Vec::with_capacity(sends.len());
    for send in sends {
        if let Some(head) = batch.heads.get(&send.inbox) {
            known.push((send, head.erased_upto));
        }
    }
    if known.is_empty() {
        return Ok(());
    }
    let rows = ask("DELETE FROM inbox i
          USING unnest($1::bigint[], $2::text[], $3::bigint[], $4::bytea[], $5::bigint[])
                AS w (number, tenant, user_id, key, erased_upto)
           JOIN collapse c ON c.tenant = w.tenant AND c.user_id = w.user_id AND c.key = w.key
          WHERE i.tenant = c.tenant AND i.user_id = c.user_id AND i.id = c.id
            AND i.read_at IS NULL AND i.id > w.erased_upto
         RETURNING w.number, i.id")
    .bind((0_i64..).take(known.len()).collect::<Vec<_>>())
    .bind(known.iter().map(|(send, _)| send.tenant.as_str()).collect::<Vec<_>>())
    .bind(known.iter().map(|(send, _)| send.inbox.user.get()).collect::<Vec<_>>())
    .bind(known.iter().map(|(send, _)| send.key.0.as_slice()).collect::<Vec<_>>())
    .bind(known.iter().map(|(_, erased_upto)| *erased_upto).collect::<Vec<_>>())
    .rows(&mut batch.on)
    .await?;
    for row in &rows {
        let number = usize::try_from(row.try_get::<i64, _>(0)?).map_err(corrupt)?;
        let (send, _) = known.get(number).ok_or(sqlx::Error::RowNotFound)?;
        let id = NotificationId::new(row.try_get(1)?).map_err(corrupt)?;
        batch.step(&send.inbox, ChangeKind::Deleted, Some(id), -1)?;
    }
    Ok(())
}
