//! Stores notifications, many in one statement.

use sqlx::Row;

use super::heads::Pending;
use super::marks::remove;
use super::values::{ROWS, made, values};
use super::writes::Batch;
use crate::domain::{Change, ChangeKind, NotificationId, TenantId, UserId};
use crate::store::command::{Command, InboxKey, NewNotification, Outcome, Stored};

/// A send and its place in the batch.
type Placed<'a> = (usize, &'a TenantId, &'a NewNotification);

/// Whether the batch is sends alone that one statement stores.
pub(super) fn fits_one_statement(commands: &[Command]) -> bool {
    let plain = |command: &Command| match command {
        Command::Send(_, new) => !new.create_user && new.sealed.collapse_key.is_none(),
        _ => false,
    };
    commands.len() <= ROWS && commands.iter().all(plain)
}

/// Stores every send of the batch.
pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    let sends = commands.iter().enumerate().filter_map(|(place, command)| match command {
        Command::Send(tenant, new) => Some((place, tenant, &**new)),
        _ => None,
    });
    let (collapsing, plain): (Vec<Placed>, Vec<Placed>) =
        sends.partition(|(_, _, new)| new.sealed.collapse_key.is_some());
    for chunk in plain.chunks(ROWS) {
        store(batch, chunk).await?;
    }
    // One by one, as each may replace the one before it.
    for send in collapsing {
        let replaced = take_replaced(batch, send).await?;
        batch.pending.extend(replaced);
        batch.move_heads().await?;
        let stored = store(batch, &[send]).await?;
        if let Some(id) = stored {
            remember_key(batch, send, id).await?;
        }
    }
    Ok(())
}

/// Stores up to [`ROWS`] sends and gives the last id stored.
async fn store(batch: &mut Batch<'_>, sends: &[Placed<'_>]) -> sqlx::Result<Option<NotificationId>> {
    let last = insert(batch, sends).await?;
    if !sends.iter().any(|(_, _, new)| new.create_user) {
        return Ok(last);
    }
    // An open directory: only users it does not know cost more than this one look.
    let unknown: Vec<Placed> =
        sends.iter().filter(|(place, _, new)| new.create_user && batch.is_no_user(*place)).copied().collect();
    if unknown.is_empty() {
        return Ok(last);
    }
    create_users(batch, &unknown).await?;
    insert(batch, &unknown).await
}

/// Stores what is for known users. The trigger moves the heads, and RETURNING sees them moved.
async fn insert(batch: &mut Batch<'_>, sends: &[Placed<'_>]) -> sqlx::Result<Option<NotificationId>> {
    let mut insert = made(format!(
        "INSERT INTO notification (id, tenant, user_id, type, created_at, expires_at, sender, request_id,
                                   related_user_id, doc)
         SELECT v.column1, v.column2, v.column3, v.column4, v.column5, v.column6, v.column7, v.column8,
                v.column9, v.column10
           FROM (VALUES {}) AS v
          CROSS JOIN directory AS d ON d.tenant = v.column2 AND d.id = v.column3 AND d.erased_at IS NULL
         RETURNING id,
               (SELECT d.rev FROM directory d WHERE d.tenant = notification.tenant AND d.id = user_id),
               (SELECT d.unread FROM directory d WHERE d.tenant = notification.tenant AND d.id = user_id)",
        values(1, sends.len(), 10)
    ));
    let first = *batch.next_id;
    let ids = first..;
    for (id, (_, tenant, new)) in ids.zip(sends) {
        let sealed = &new.sealed;
        insert = insert
            .bind(id)
            .bind(tenant.as_str())
            .bind(sealed.user.get())
            .bind(sealed.kind.as_str())
            .bind(batch.now.0)
            .bind(sealed.expires_at.map(|at| at.0))
            .bind(&*new.sender)
            .bind(new.request_id.as_str())
            .bind(sealed.related_user.map(UserId::get))
            .bind(sealed.content.as_json());
    }
    let rows = insert.fetch_all(&mut *batch.connection).await?;
    *batch.next_id += sends.len() as i64;
    for (place, ..) in sends {
        batch.settle(*place, Outcome::NoUser);
    }
    let mut last = None;
    for row in rows {
        let id: i64 = row.try_get(0)?;
        let stored = usize::try_from(id - first).ok().and_then(|n| sends.get(n));
        let (Some((place, tenant, new)), Ok(id)) = (stored, NotificationId::new(id)) else {
            return Err(sqlx::Error::RowNotFound);
        };
        batch.settle(*place, Outcome::Stored(Stored { id, created_at: batch.now }));
        batch.changes.push(Change {
            tenant: (*tenant).clone(),
            user: new.sealed.user,
            rev: row.try_get(1)?,
            unread: row.try_get(2)?,
            kind: ChangeKind::Arrived,
            notification: Some(id),
        });
        last = Some(id);
    }
    Ok(last)
}

/// Creates users, or makes erased ones anew.
async fn create_users(batch: &mut Batch<'_>, sends: &[Placed<'_>]) -> sqlx::Result<()> {
    let mut insert = made(format!(
        "INSERT INTO directory (tenant, id, created_at, updated_at) VALUES {}
         ON CONFLICT (tenant, id) DO UPDATE
            SET erased_at = NULL, created_at = excluded.created_at, updated_at = excluded.updated_at
          WHERE erased_at IS NOT NULL",
        values(1, sends.len(), 4)
    ));
    for (_, tenant, new) in sends {
        insert = insert.bind(tenant.as_str()).bind(new.sealed.user.get()).bind(batch.now.0).bind(batch.now.0);
    }
    insert.execute(&mut *batch.connection).await?;
    Ok(())
}

/// Takes out of the inbox the unread notification that a send replaces.
async fn take_replaced(batch: &mut Batch<'_>, (_, tenant, new): Placed<'_>) -> sqlx::Result<Option<Pending>> {
    let inbox = InboxKey { tenant: tenant.clone(), user: new.sealed.user };
    let unread = "SELECT i.id FROM collapse c
        JOIN directory d ON d.tenant = c.tenant AND d.id = c.user_id AND d.erased_at IS NULL
        JOIN inbox i ON i.tenant = c.tenant AND i.user_id = c.user_id AND i.id = c.id
       WHERE c.tenant = ? AND c.user_id = ? AND c.key = ? AND i.read_at IS NULL AND i.id > d.erased_upto";
    let replaced: Option<i64> = sqlx::query_scalar(unread)
        .bind(tenant.as_str())
        .bind(new.sealed.user.get())
        .bind(new.sealed.collapse_key.as_deref())
        .fetch_optional(&mut *batch.connection)
        .await?;
    let Some(id) = replaced else { return Ok(None) };
    Ok(remove(batch, &inbox, &[id], ChangeKind::Deleted).await?.pop())
}

async fn remember_key(
    batch: &mut Batch<'_>,
    (_, tenant, new): Placed<'_>,
    id: NotificationId,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO collapse (tenant, user_id, key, id) VALUES (?, ?, ?, ?)
         ON CONFLICT (tenant, user_id, key) DO UPDATE SET id = excluded.id",
    )
    .bind(tenant.as_str())
    .bind(new.sealed.user.get())
    .bind(new.sealed.collapse_key.as_deref())
    .bind(id.get())
    .execute(&mut *batch.connection)
    .await?;
    Ok(())
}
