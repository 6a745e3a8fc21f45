//! Creates, changes and erases users.

use std::collections::{BTreeMap, HashSet};

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::ask::{Session, ask};
use super::error::corrupt;
use super::flush::flush;
use super::writes::Batch;
use crate::domain::{Change, ChangeKind, Profile, Timestamp, User, UserId};
use crate::store::command::{Command, InboxKey, Outcome};
use crate::store::key;

/// Rows for the users that a batch creates, in the order of keys and before any head is locked, so that no two
/// batches wait for each other: those put and seeded, and those sent to where `sends` says so. Gives whose there
/// were none.
pub(super) async fn create(
    on: &mut Session<'_>,
    commands: &[Command],
    now: Timestamp,
    sends: bool,
) -> sqlx::Result<HashSet<InboxKey>> {
    let nobody = Profile::default();
    let mut wanted: BTreeMap<InboxKey, &Profile> = BTreeMap::new();
    for command in commands {
        match command {
            Command::PutUser(inbox, profile, _) => {
                wanted.insert(inbox.clone(), profile);
            }
            Command::SeedUsers(tenant, users) => {
                for (user, profile) in users {
                    wanted.entry(key(tenant, *user)).or_insert(profile);
                }
            }
            Command::Send(tenant, new) if sends && new.create_user => {
                wanted.entry(key(tenant, new.sealed.user)).or_insert(&nobody);
            }
            _ => {}
        }
    }
    if wanted.is_empty() {
        return Ok(HashSet::new());
    }
    let insert =
        ask("INSERT INTO directory (tenant, id, display_name, locale, time_zone, created_at, updated_at)
         SELECT u.tenant, u.id, u.display_name, u.locale, u.time_zone, $6, $6
           FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[])
                AS u (tenant, id, display_name, locale, time_zone)
             ON CONFLICT (tenant, id) DO NOTHING RETURNING tenant, id")
        .bind(wanted.keys().map(|inbox| inbox.tenant.as_str()).collect::<Vec<_>>())
        .bind(wanted.keys().map(|inbox| inbox.user.get()).collect::<Vec<_>>())
        .bind(wanted.values().map(|profile| profile.display_name.as_deref()).collect::<Vec<_>>())
        .bind(wanted.values().map(|profile| profile.locale.as_deref()).collect::<Vec<_>>())
        .bind(wanted.values().map(|profile| profile.time_zone.as_deref()).collect::<Vec<_>>())
        .bind(now.0);
    insert.rows(on).await?.iter().map(super::drift::inbox).collect()
}

/// Makes those anew who were erased and are put or sent to, and says which users came to be. An erased user's row
/// is still there, so a seed does not bring them back.
pub(super) fn revive(batch: &mut Batch<'_>, commands: &[Command], created: &HashSet<InboxKey>) {
    let mut created = created.clone();
    let now = batch.now;
    for (place, command) in commands.iter().enumerate() {
        match command {
            Command::PutUser(inbox, profile, _) => {
                let Some(head) = batch.heads.any(inbox) else { continue };
                let is_new = created.remove(inbox) || head.is_erased;
                if head.is_erased {
                    head.revive(now);
                }
                let user = User {
                    id: inbox.user,
                    profile: profile.clone(),
                    created_at: head.created_at,
                    updated_at: now,
                };
                batch.settle(place, Outcome::User(user, is_new));
            }
            Command::Send(tenant, new) if new.create_user => {
                if let Some(head) =
                    batch.heads.any(&key(tenant, new.sealed.user)).filter(|head| head.is_erased)
                {
                    head.revive(now);
                }
            }
            Command::SeedUsers(tenant, users) => {
                let new = users.iter().filter(|(user, _)| created.remove(&key(tenant, *user))).count();
                batch.settle(place, Outcome::Rows(new as u64));
            }
            _ => {}
        }
    }
}

/// Writes profiles, then erases.
pub(super) async fn apply<'a>(batch: &mut Batch<'a>, commands: &'a [Command]) -> sqlx::Result<()> {
    let mut profiles: BTreeMap<&InboxKey, &Profile> = BTreeMap::new();
    for (place, command) in commands.iter().enumerate() {
        if let Command::PutUser(inbox, profile, entry) = command {
            profiles.insert(inbox, profile);
            if let (Some(entry), Some(Outcome::User(_, created))) = (entry, &batch.outcomes[place]) {
                let entry = entry.clone().with("created", *created);
                batch.entries.push((&inbox.tenant, entry));
            }
        }
    }
    if !profiles.is_empty() {
        write(batch, &profiles).await?;
    }
    for (place, command) in commands.iter().enumerate() {
        if let Command::EraseUser(inbox, entry) = command {
            let outcome = erase(batch, inbox).await?;
            if let (Some(entry), Outcome::Done) = (entry, &outcome) {
                batch.entries.push((&inbox.tenant, entry.clone()));
            }
            batch.settle(place, outcome);
        }
    }
    Ok(())
}

async fn write(batch: &mut Batch<'_>, profiles: &BTreeMap<&InboxKey, &Profile>) -> sqlx::Result<()> {
    ask("UPDATE directory d
            SET display_name = p.display_name, locale = p.locale, time_zone = p.time_zone, updated_at = $6
           FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[])
                AS p (tenant, id, display_name, locale, time_zone)
          WHERE d.tenant = p.tenant AND d.id = p.id")
    .bind(profiles.keys().map(|inbox| inbox.tenant.as_str()).collect::<Vec<_>>())
    .bind(profiles.keys().map(|inbox| inbox.user.get()).collect::<Vec<_>>())
    .bind(profiles.values().map(|profile| profile.display_name.as_deref()).collect::<Vec<_>>())
    .bind(profiles.values().map(|profile| profile.locale.as_deref()).collect::<Vec<_>>())
    .bind(profiles.values().map(|profile| profile.time_zone.as_deref()).collect::<Vec<_>>())
    .bind(batch.now.0)
    .run(&mut batch.on)
    .await
    .map(drop)
}

/// Leaves a tombstone that hides all that came before, and notes what is to be purged: all ids that were handed out,
/// as the user's next one comes when this has let go of their head.
async fn erase(batch: &mut Batch<'_>, inbox: &InboxKey) -> sqlx::Result<Outcome> {
    if batch.heads.get(inbox).is_none() {
        return Ok(Outcome::NoUser);
    }
    flush(batch, None).await?;
    let rows = ask("WITH gone AS (
            UPDATE directory
               SET erased_at = $3, rev = rev + 1, unread = 0, next_expiry = NULL,
                   erased_upto = (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM notification_id),
                   display_name = NULL, locale = NULL, time_zone = NULL, updated_at = $3
             WHERE tenant = $1 AND id = $2 RETURNING erased_upto, rev),
         noted AS (
            INSERT INTO erasure (tenant, user_id, upto, rev) SELECT $1, $2, erased_upto, rev FROM gone
                ON CONFLICT (tenant, user_id) DO UPDATE SET upto = excluded.upto, rev = excluded.rev)
         SELECT erased_upto, rev FROM gone")
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .bind(batch.now.0)
    .rows(&mut batch.on)
    .await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let (upto, rev): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if let Some(head) = batch.heads.any(inbox) {
        (head.is_erased, head.erased_upto, head.rev) = (true, upto, rev);
        (head.unread, head.next_expiry) = (0, None);
    }
    batch.changes.push(Change {
        tenant: inbox.tenant.clone(),
        user: inbox.user,
        rev,
        unread: 0,
        kind: ChangeKind::Erased,
        notification: None,
    });
    Ok(Outcome::Done)
}

/// The columns `id, display_name, locale, time_zone, created_at, updated_at`.
pub(super) fn user(row: &PgRow) -> sqlx::Result<User> {
    Ok(User {
        id: UserId::new(row.try_get(0)?).map_err(corrupt)?,
        profile: Profile {
            display_name: row.try_get(1)?,
            locale: row.try_get(2)?,
            time_zone: row.try_get(3)?,
        },
        created_at: Timestamp(row.try_get(4)?),
        updated_at: Timestamp(row.try_get(5)?),
    })
}
