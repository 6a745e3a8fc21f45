//! What became of the requests that presented one API key.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::domain::Timestamp;

/// Counts of one key since the gateway's start. Snapshots hand it on while the key stays configured.
#[derive(Debug, Default)]
pub struct Usage {
    requests: AtomicU64,
    refused: AtomicU64,
    forbidden: AtomicU64,
    limited: AtomicU64,
    /// Microseconds since 1970; 0 before the first.
    last_used: AtomicI64,
}

/// Why a request with a known key went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefusal {
    /// The key is disabled, expired, or not allowed from there.
    Credential,
    /// It lacks the permission.
    Permission,
    /// A rate limit was spent.
    Limit,
}

impl KeyRefusal {
    /// All of them, in the metrics' order.
    pub const ALL: [Self; 3] = [Self::Credential, Self::Permission, Self::Limit];

    /// A short name for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Permission => "permission",
            Self::Limit => "limit",
        }
    }
}

impl Usage {
    /// Counts a request that was let through.
    pub fn admitted(&self, now: Timestamp) {
        self.requests.fetch_add(1, Relaxed);
        self.last_used.fetch_max(now.0, Relaxed);
    }

    /// Counts a request that was not.
    pub fn refused(&self, why: KeyRefusal) {
        self.counter(why).fetch_add(1, Relaxed);
    }

    /// Requests that were let through.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Requests that were not, by reason.
    pub fn refusals(&self, why: KeyRefusal) -> u64 {
        self.counter(why).load(Relaxed)
    }

    /// When a request was last let through.
    pub fn last_used(&self) -> Option<Timestamp> {
        Some(self.last_used.load(Relaxed)).filter(|at| *at > 0).map(Timestamp)
    }

    fn counter(&self, why: KeyRefusal) -> &AtomicU64 {
        match why {
            KeyRefusal::Credential => &self.refused,
            KeyRefusal::Permission => &self.forbidden,
            KeyRefusal::Limit => &self.limited,
        }
    }
}
