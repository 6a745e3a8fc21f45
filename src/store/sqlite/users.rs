//! Creates, changes and erases users.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::audit;
use super::heads::record;
use super::values::{ROWS, made, values};
use super::writes::Batch;
use crate::domain::{Change, ChangeKind, Profile, TenantId, Timestamp, User, UserId};
use crate::store::command::{Command, InboxKey, Outcome};

pub(super) async fn apply(batch: &mut Batch<'_>, commands: &[Command]) -> sqlx::Result<()> {
    for (place, command) in commands.iter().enumerate() {
        let outcome = match command {
            Command::PutUser(inbox, profile, entry) => {
                let outcome = put(batch, inbox, profile).await?;
                if let (Some(entry), Outcome::User(_, created)) = (entry, &outcome) {
                    audit::write(batch, &inbox.tenant, &entry.clone().with("created", *created)).await?;
                }
                outcome
            }
            Command::SeedUsers(tenant, users) => seed(batch, tenant, users).await?,
            Command::EraseUser(inbox, entry) => {
                let outcome = erase(batch, inbox).await?;
                if let (Some(entry), Outcome::Done) = (entry, &outcome) {
                    audit::write(batch, &inbox.tenant, entry).await?;
                }
                outcome
            }
            _ => continue,
        };
        batch.settle(place, outcome);
    }
    Ok(())
}

/// Columns of a user, in the order that [`user`] reads them.
pub(super) const COLUMNS: &str = "id, display_name, locale, time_zone, created_at, updated_at";

pub(super) fn user(row: &SqliteRow) -> sqlx::Result<User> {
    Ok(User {
        id: UserId::new(row.try_get(0)?).map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
        profile: Profile {
            display_name: row.try_get(1)?,
            locale: row.try_get(2)?,
            time_zone: row.try_get(3)?,
        },
        created_at: Timestamp(row.try_get(4)?),
        updated_at: Timestamp(row.try_get(5)?),
    })
}

async fn put(batch: &mut Batch<'_>, inbox: &InboxKey, profile: &Profile) -> sqlx::Result<Outcome> {
    let known = "SELECT 1 FROM directory WHERE tenant = ? AND id = ? AND erased_at IS NULL";
    let known: Option<i64> = sqlx::query_scalar(known)
        .bind(inbox.tenant.as_str())
        .bind(inbox.user.get())
        .fetch_optional(&mut *batch.connection)
        .await?;
    let row = sqlx::query(
        "INSERT INTO directory (tenant, id, display_name, locale, time_zone, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
         ON CONFLICT (tenant, id) DO UPDATE
            SET display_name = ?3, locale = ?4, time_zone = ?5, updated_at = ?6, erased_at = NULL,
                created_at = iif(erased_at IS NULL, created_at, ?6)
         RETURNING id, display_name, locale, time_zone, created_at, updated_at",
    )
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .bind(profile.display_name.as_deref())
    .bind(profile.locale.as_deref())
    .bind(profile.time_zone.as_deref())
    .bind(batch.now.0)
    .fetch_all(&mut *batch.connection)
    .await?;
    let row = row.first().ok_or(sqlx::Error::RowNotFound)?;
    Ok(Outcome::User(user(row)?, known.is_none()))
}

/// An erased user's row is still there, so a seed does not bring them back.
async fn seed(
    batch: &mut Batch<'_>,
    tenant: &TenantId,
    users: &[(UserId, Profile)],
) -> sqlx::Result<Outcome> {
    let mut created = 0;
    for chunk in users.chunks(ROWS) {
        let mut insert = made(format!(
            "INSERT INTO directory (tenant, id, display_name, locale, time_zone, created_at, updated_at)
             VALUES {} ON CONFLICT (tenant, id) DO NOTHING",
            values(chunk.len(), 7)
        ));
        for (id, profile) in chunk {
            insert = insert
                .bind(tenant.as_str())
                .bind(id.get())
                .bind(profile.display_name.as_deref())
                .bind(profile.locale.as_deref())
                .bind(profile.time_zone.as_deref())
                .bind(batch.now.0)
                .bind(batch.now.0);
        }
        created += insert.execute(&mut *batch.connection).await?.rows_affected();
    }
    Ok(Outcome::Rows(created))
}

/// Leaves a tombstone that hides all that came before, and notes what is to be purged.
async fn erase(batch: &mut Batch<'_>, inbox: &InboxKey) -> sqlx::Result<Outcome> {
    let upto = *batch.next_id - 1;
    let rev: Vec<i64> = sqlx::query_scalar(
        "UPDATE directory
            SET erased_at = ?3, erased_upto = ?4, display_name = NULL, locale = NULL, time_zone = NULL,
                erased_rev = 1 + (SELECT rev FROM head WHERE tenant = ?1 AND user_id = ?2), updated_at = ?3
          WHERE tenant = ?1 AND id = ?2 AND erased_at IS NULL RETURNING erased_rev",
    )
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .bind(batch.now.0)
    .bind(upto)
    .fetch_all(&mut *batch.connection)
    .await?;
    let Some(&rev) = rev.first() else { return Ok(Outcome::NoUser) };
    sqlx::query(
        "INSERT INTO erasure (tenant, user_id, upto, rev) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (tenant, user_id) DO UPDATE SET upto = excluded.upto, rev = excluded.rev",
    )
    .bind(inbox.tenant.as_str())
    .bind(inbox.user.get())
    .bind(upto)
    .bind(rev)
    .execute(&mut *batch.connection)
    .await?;
    let change = Change {
        tenant: inbox.tenant.clone(),
        user: inbox.user,
        rev,
        unread: 0,
        kind: ChangeKind::Erased,
        notification: None,
    };
    record(batch.connection, std::slice::from_ref(&change), batch.now).await?;
    batch.heads.forget(inbox);
    batch.changes.push(change);
    Ok(Outcome::Done)
}
