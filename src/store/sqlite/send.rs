//! Stores notifications, many in one statement.

use super::answers;
use super::heads::Pending;
use super::marks::remove;
use super::values::{ROWS, made, values};
use super::writes::Batch;
use crate::domain::{Change, ChangeKind, NotificationId, TenantId, UserId};
use crate::store::collapse::CollapseHash;
use crate::store::command::{Command, NewNotification, Outcome, Stored};
use crate::store::{key, whole};

/// A send and its place in the batch.
type Placed<'a> = (usize, &'a TenantId, &'a NewNotification);

/// Whether the batch is sends alone that one statement stores. Reads the heads that it will move: no change
/// can come between, as there is one writer.
pub(super) async fn fits_one_statement(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<bool> {
    let mut sends = Vec::with_capacity(commands.len());
    for (place, command) in commands.iter().enumerate() {
        match command {
            Command::Send(tenant, new) if new.sealed.collapse_key.is_none() && new.idempotency.is_none() => {
                sends.push((place, tenant, &**new));
            }
            _ => return Ok(false),
        }
    }
    read_heads(batch, &sends).await?;
    Ok(commands.len() <= ROWS && sends.iter().all(|send| !must_create(batch, send)))
}

/// Stores every send of the batch that repeats no other and is not held back by another.
pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    hold_back(batch, commands).await?;
    let repeats = answers::look(batch, commands).await?;
    let sends: Vec<_> = commands
        .iter()
        .enumerate()
        .filter_map(|(place, command)| match command {
            Command::Send(tenant, new) if !repeats.has(place) && batch.outcomes[place].is_none() => {
                Some((place, tenant, &**new))
            }
            _ => None,
        })
        .collect();
    let (mut collapsing, mut plain) = (Vec::new(), Vec::new());
    for send in sends {
        match send.2.sealed.collapse_key.as_deref() {
            Some(key) => collapsing.push((send, CollapseHash::of(key))),
            None => plain.push(send),
        }
    }
    let mut rest = &*plain;
    while !rest.is_empty() {
        let (chunk, others) = rest.split_at(rows_of(rest.len()));
        store(batch, chunk).await?;
        rest = others;
    }
    // One by one, as each may replace the one before it.
    for (send, hash) in collapsing {
        let replaced = take_replaced(batch, send, hash).await?;
        batch.pending.extend(replaced);
        batch.move_heads().await?;
        if let Some(id) = store(batch, &[send]).await? {
            remember_key(batch, send, hash, id).await?;
        }
    }
    answers::keep(batch, repeats).await
}

/// Settles the sends that are stored only with others which cannot be.
async fn hold_back(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    if !whole::is_any(commands) {
        return Ok(());
    }
    let inboxes: Vec<_> = commands.iter().flat_map(Command::inboxes).collect();
    batch.heads.read(batch.connection, inboxes.into_iter()).await?;
    let can_be_stored = |tenant: &TenantId, new: &NewNotification| {
        new.create_user || batch.heads.knows(&key(tenant, new.sealed.user))
    };
    for (place, outcome) in whole::refused(commands, can_be_stored) {
        batch.settle(place, outcome);
    }
    Ok(())
}

/// How many of so many sends go into the next statement: all of a few, and of many a power of two, as each number is a
/// statement of its own. Each statement is a wait of the writer for its thread, and back, which a large batch
/// would pay often.
fn rows_of(sends: usize) -> usize {
    const MOST: usize = 512;
    if sends <= ROWS { sends } else { (1 << sends.ilog2()).min(MOST) }
}

/// Stores as many sends as [`rows_of`] says and gives the last id stored.
async fn store(batch: &mut Batch<'_>, sends: &[Placed<'_>]) -> sqlx::Result<Option<NotificationId>> {
    read_heads(batch, sends).await?;
    let unknown: Vec<Placed> = sends.iter().filter(|send| must_create(batch, send)).copied().collect();
    if !unknown.is_empty() {
        create_users(batch, &unknown).await?;
        read_heads(batch, sends).await?;
    }
    arrive(batch, sends).await
}

async fn read_heads(batch: &mut Batch<'_>, sends: &[Placed<'_>]) -> sqlx::Result<()> {
    let inboxes = sends.iter().map(|(_, tenant, new)| key(tenant, new.sealed.user));
    batch.heads.read(batch.connection, inboxes).await
}

/// Whether the send is the first to its user in an open directory.
fn must_create(batch: &Batch<'_>, (_, tenant, new): &Placed<'_>) -> bool {
    new.create_user && !batch.heads.knows(&key(tenant, new.sealed.user))
}

/// Stores what is for users whose heads are known, and moves their heads.
async fn arrive(batch: &mut Batch<'_>, sends: &[Placed<'_>]) -> sqlx::Result<Option<NotificationId>> {
    let mut arriving = Vec::with_capacity(sends.len());
    for (place, tenant, new) in sends {
        let Some(head) = batch.heads.step(&key(tenant, new.sealed.user), 1) else {
            batch.settle(*place, Outcome::NoUser);
            continue;
        };
        let id = NotificationId::new(*batch.next_id).map_err(|e| sqlx::Error::Encode(Box::new(e)))?;
        *batch.next_id += 1;
        batch.settle(*place, Outcome::Stored(Stored { id, created_at: batch.now }));
        batch.changes.push(Change {
            tenant: (*tenant).clone(),
            user: new.sealed.user,
            rev: head.rev,
            unread: head.unread,
            kind: ChangeKind::Arrived,
            notification: Some(id),
        });
        arriving.push((id, head, *tenant, *new));
    }
    let Some((last, ..)) = arriving.last() else { return Ok(None) };
    let last = *last;
    let mut insert = made(format!("INSERT INTO arrival VALUES {}", values(arriving.len(), 12)));
    for (id, head, tenant, new) in &arriving {
        let sealed = &new.sealed;
        insert = insert
            .bind(id.get())
            .bind(tenant.as_str())
            .bind(sealed.user.get())
            .bind(sealed.kind.as_str())
            .bind(batch.now.0)
            .bind(sealed.expires_at.map(|at| at.0))
            .bind(&*new.sender)
            .bind(new.request_id.as_str())
            .bind(sealed.related_user.map(UserId::get))
            .bind(sealed.content.as_json())
            .bind(head.rev)
            .bind(head.unread);
    }
    insert.execute(&mut *batch.connection).await?;
    Ok(Some(last))
}

/// Creates users, or makes erased ones anew.
async fn create_users(batch: &mut Batch<'_>, sends: &[Placed<'_>]) -> sqlx::Result<()> {
    let mut insert = made(format!(
        "INSERT INTO directory (tenant, id, created_at, updated_at) VALUES {}
         ON CONFLICT (tenant, id) DO UPDATE
            SET erased_at = NULL, created_at = excluded.created_at, updated_at = excluded.updated_at
          WHERE erased_at IS NOT NULL",
        values(sends.len(), 4)
    ));
    for (_, tenant, new) in sends {
        insert = insert.bind(tenant.as_str()).bind(new.sealed.user.get()).bind(batch.now.0).bind(batch.now.0);
    }
    insert.execute(&mut *batch.connection).await?;
    Ok(())
}

/// Takes out of the inbox the unread notification that a send replaces.
async fn take_replaced(
    batch: &mut Batch<'_>,
    (_, tenant, new): Placed<'_>,
    hash: CollapseHash,
) -> sqlx::Result<Option<Pending>> {
    let inbox = key(tenant, new.sealed.user);
    let unread = "SELECT i.id FROM collapse c
        JOIN head h ON h.tenant = c.tenant AND h.user_id = c.user_id
        JOIN inbox i ON i.tenant = c.tenant AND i.user_id = c.user_id AND i.id = c.id
       WHERE c.tenant = ? AND c.user_id = ? AND c.key = ? AND i.read_at IS NULL AND i.id > h.erased_upto";
    let replaced: Option<i64> = sqlx::query_scalar(unread)
        .bind(tenant.as_str())
        .bind(new.sealed.user.get())
        .bind(hash.0.as_slice())
        .fetch_optional(&mut *batch.connection)
        .await?;
    let Some(id) = replaced else { return Ok(None) };
    Ok(remove(batch, &inbox, &[id], ChangeKind::Deleted).await?.pop())
}

async fn remember_key(
    batch: &mut Batch<'_>,
    (_, tenant, new): Placed<'_>,
    hash: CollapseHash,
    id: NotificationId,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO collapse (tenant, user_id, key, id) VALUES (?, ?, ?, ?)
         ON CONFLICT (tenant, user_id, key) DO UPDATE SET id = excluded.id",
    )
    .bind(tenant.as_str())
    .bind(new.sealed.user.get())
    .bind(hash.0.as_slice())
    .bind(id.get())
    .execute(&mut *batch.connection)
    .await?;
    Ok(())
}
