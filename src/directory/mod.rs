//! The use cases of a tenant's directory of users.

use std::time::Duration;

use crate::{
    domain::{Actor, Error, Problem, Profile, Result, TenantId, User, UserId},
    store::Store,
};

/// Reads and changes directories. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    store: Store,
}

/// How long an erasure's answer waits for the purge.
const PURGE_WITHIN: Duration = Duration::from_secs(2);

impl Directory {
    /// Works on this store.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Creates a user or replaces their profile; says whether they are new. Who did it is recorded, but
    /// for the lines of an import, which is recorded as one.
    pub async fn put(
        &self,
        tenant: &TenantId,
        user: UserId,
        profile: Profile,
        by: Option<&Actor>,
    ) -> Result<(User, bool)> {
        check(&profile)?;
        self.store.put_user(tenant, user, profile, by).await
    }

    /// One user.
    pub async fn get(&self, tenant: &TenantId, user: UserId) -> Result<User> {
        self.store.user(tenant, user).await
    }

    /// A page of users by growing id, and whether more follow.
    pub async fn list(
        &self,
        tenant: &TenantId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<(Vec<User>, bool)> {
        self.store.users(tenant, after, limit).await
    }

    /// Erases a user: the inbox, the profile, and their id from others' `related_user_id`.
    pub async fn erase(&self, tenant: &TenantId, user: UserId, by: &Actor) -> Result<()> {
        self.store.erase_user(tenant, user, Some(by)).await?;
        // Hidden for good from here on; what cannot be purged now is purged by the upkeep.
        let purge = tokio::time::timeout(PURGE_WITHIN, self.store.purge_erased(tenant, user));
        if let Ok(Err(e)) = purge.await {
            tracing::warn!(error = %e, "an erased user's rows are left to the upkeep");
        }
        Ok(())
    }
}

fn check(profile: &Profile) -> Result<()> {
    type Check = fn(&str) -> Result<(), &'static str>;
    let fields: [(&str, &Option<String>, Check); 3] = [
        ("display_name", &profile.display_name, Profile::check_display_name),
        ("locale", &profile.locale, Profile::check_locale),
        ("time_zone", &profile.time_zone, Profile::check_time_zone),
    ];
    let faults = fields.into_iter().filter_map(|(name, value, check)| {
        let fault = value.as_deref().map(check)?.err()?;
        Some(Problem::new(name, fault))
    });
    let problems: Vec<_> = faults.collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::Fields(problems)) }
}
