//! Keeps for a while what users deleted, and puts it back.

use std::collections::{HashMap, HashSet};

use super::ask::ask;
use super::marks::{SHOWN, placed, some};
use super::writes::Batch;
use crate::domain::{ChangeKind, Notification, NotificationId, TenantId, Timestamp};
use crate::store::command::{CHUNK, Command, InboxKey, Outcome};

/// What a user deleted, as it stood in the inbox, and the revision of its deletion.
pub(super) struct Deleted {
    pub inbox: InboxKey,
    pub id: NotificationId,
    pub rev: i64,
    pub unread: i64,
    pub read_at: Option<i64>,
    pub deleted_rev: i64,
}

const KEEP: &str = "INSERT INTO deleted
        (id, tenant, user_id, rev, unread, read_at, deleted_rev, deleted_at, is_latest)
 SELECT d.*, $8, EXISTS (SELECT FROM collapse c WHERE c.id = d.id)::int
   FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
        AS d (id, tenant, user_id, rev, unread, read_at, deleted_rev)";

pub(super) async fn keep(batch: &mut Batch<'_>, deleted: &[Deleted]) -> sqlx::Result<()> {
    if deleted.is_empty() {
        return Ok(());
    }
    ask(KEEP)
        .bind(deleted.iter().map(|one| one.id.get()).collect::<Vec<_>>())
        .bind(deleted.iter().map(|one| one.inbox.tenant.as_str()).collect::<Vec<_>>())
        .bind(deleted.iter().map(|one| one.inbox.user.get()).collect::<Vec<_>>())
        .bind(deleted.iter().map(|one| one.rev).collect::<Vec<_>>())
        .bind(deleted.iter().map(|one| one.unread).collect::<Vec<_>>())
        .bind(deleted.iter().map(|one| one.read_at).collect::<Vec<_>>())
        .bind(deleted.iter().map(|one| one.deleted_rev).collect::<Vec<_>>())
        .bind(batch.now.0)
        .run(&mut batch.on)
        .await
        .map(drop)
}

/// Lets go of what is withdrawn, so that nobody puts it back.
pub(super) async fn let_go(
    batch: &mut Batch<'_>,
    tenant: &TenantId,
    ids: impl Iterator<Item = NotificationId>,
) -> sqlx::Result<()> {
    ask("DELETE FROM deleted WHERE id = ANY ($1) AND tenant = $2")
        .bind(ids.map(NotificationId::get).collect::<Vec<_>>())
        .bind(tenant.as_str())
        .run(&mut batch.on)
        .await
        .map(drop)
}

/// Puts back those that would still be there, had they not been deleted. A deletion that is undone goes with its
/// change, as the content would be purged with it.
const PUT_BACK: &str = "WITH w AS MATERIALIZED (
        SELECT number, tenant, user_id, id, since
          FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
               AS w (number, tenant, user_id, id, since)),
     back AS (
        DELETE FROM deleted d USING w, notification n
         WHERE d.id = w.id AND d.tenant = w.tenant AND d.user_id = w.user_id AND d.deleted_at > w.since
           AND n.id = w.id AND n.tenant = w.tenant AND (n.expires_at IS NULL OR n.expires_at > $6)
           AND (d.is_latest = 0 OR d.read_at IS NOT NULL OR EXISTS (SELECT FROM collapse c WHERE c.id = d.id))
        RETURNING d.id, d.tenant, d.user_id, d.rev, d.unread, d.read_at, d.deleted_rev, w.number,
                  n.type, n.doc, n.related_user_id, n.created_at, n.expires_at),
     shown AS (
        INSERT INTO inbox (tenant, user_id, id, rev, unread, read_at, expires_at)
        SELECT tenant, user_id, id, rev, unread, read_at, expires_at FROM back),
     undone AS (
        DELETE FROM change c USING back b
         WHERE c.tenant = b.tenant AND c.user_id = b.user_id AND c.rev = b.deleted_rev)
SELECT id, type, doc, related_user_id, created_at, read_at, expires_at, number FROM back";

/// To be called before anything is deleted: what this batch deletes has its change written only at the end.
pub(super) async fn restore(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    let mut asked: HashMap<(&InboxKey, NotificationId), (Timestamp, Vec<usize>)> = HashMap::new();
    for (place, command) in commands.iter().enumerate() {
        if let Command::Restore(inbox, id, since) = command {
            batch.settle(place, Outcome::NoNotification);
            if batch.heads.shows(inbox, *id) {
                asked.entry((inbox, *id)).or_insert((*since, Vec::new())).1.push(place);
            }
        }
    }
    let mut wanted: Vec<_> = asked.keys().copied().collect();
    let there = some(batch, SHOWN, &wanted, None).await?;
    let settle = |batch: &mut Batch<'_>, one, notification: &Notification, is_back| {
        for place in asked.get(&one).into_iter().flat_map(|(_, places)| places) {
            batch.settle(*place, Outcome::Marked(Box::new(notification.clone()), is_back));
        }
    };
    let mut is_there = HashSet::new();
    for (number, notification) in &there {
        is_there.insert(wanted[*number]);
        settle(batch, wanted[*number], notification, false);
    }
    wanted.retain(|one| !is_there.contains(one));
    if wanted.is_empty() {
        return Ok(());
    }
    let rows = ask(PUT_BACK)
        .bind((0_i64..).take(wanted.len()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(inbox, _)| inbox.tenant.as_str()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(inbox, _)| inbox.user.get()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, id)| id.get()).collect::<Vec<_>>())
        .bind(
            wanted
                .iter()
                .map(|one| asked.get(one).map_or(i64::MAX, |(since, _)| since.0))
                .collect::<Vec<_>>(),
        )
        .bind(batch.expiry.0)
        .rows(&mut batch.on)
        .await?;
    for row in &rows {
        let (number, notification) = placed(row, &wanted)?;
        let (inbox, id) = wanted[number];
        let (kind, unread) = match notification.read_at {
            None => (ChangeKind::Restored, 1),
            Some(_) => (ChangeKind::RestoredRead, 0),
        };
        batch.step(inbox, kind, Some(id), unread)?;
        if let Some(head) = batch.heads.get(inbox) {
            head.expects(notification.expires_at);
        }
        settle(batch, (inbox, id), &notification, true);
    }
    Ok(())
}

pub(super) async fn purge(batch: &mut Batch<'_>, before: Timestamp) -> sqlx::Result<u64> {
    ask("DELETE FROM deleted WHERE id IN (SELECT id FROM deleted WHERE deleted_at < $1 LIMIT $2)")
        .bind(before.0)
        .bind(i64::from(CHUNK))
        .run(&mut batch.on)
        .await
}
