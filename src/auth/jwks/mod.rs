//! Public keys that issuers publish under a URL: remembered, and fetched again in the background.
//!
//! The building of a snapshot waits for nothing here. A request reads the keys that are there; only where they cannot
//! decide it waits for the next fetch, bounded ([`Pending`]). The [`Fetcher`] alone talks to the network.

mod fetch;
mod guard;
mod parse;
mod pending;
mod set;
#[cfg(test)]
mod tests;

pub use fetch::Fetcher;
pub use pending::Pending;
pub(super) use set::{KeySet, Signer, Unfound};

use std::{sync::Arc, time::Duration};

use crate::domain::{TenantId, Timestamp};

/// One issuer's published keys, as the fetcher and the metrics see them. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    /// The issuer's tenant.
    pub tenant: TenantId,
    /// The issuer, by its name or its position in the tenant's list.
    pub issuer: String,
    /// How often the keys are fetched.
    pub(super) refresh: Duration,
    /// How long the last keys count when they cannot be fetched.
    pub(super) keep: Duration,
    pub(super) set: Arc<KeySet>,
}

/// How an issuer's published keys stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysState {
    /// Keys that verify tokens now.
    pub keys: usize,
    /// Seconds since they were fetched; `None` when they never were.
    pub age: Option<u64>,
    /// Fetches that failed.
    pub failures: u64,
}

impl Source {
    /// Whether no fetch has ended yet.
    pub fn is_new(&self) -> bool {
        self.set.is_new()
    }

    /// Whether the last fetch failed.
    pub fn is_failing(&self) -> bool {
        self.set.is_failing()
    }

    /// How it stands at that time.
    pub fn state(&self, now: Timestamp) -> KeysState {
        KeysState {
            keys: self.set.fresh(now, self.keep).map_or(0, |fetched| fetched.keys.len()),
            age: self.set.age(now).map(|age| age.as_secs()),
            failures: self.set.failures(),
        }
    }
}
