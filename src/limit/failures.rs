//! Failed authentications by source address, in a table of fixed size: an attacker with many
//! addresses cannot make it grow.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
};

use governor::{
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};

use super::{Ticks, limiter::Limiter};
use crate::config::Quota;

/// The key is that of [`client_key`](super::client_key).
pub(super) type Failures = Limiter<IpAddr, Slots>;

pub(super) fn new(quota: Quota, ticks: &Ticks) -> Failures {
    Limiter::with_state("auth", quota, ticks, Slots::default())
}

const SLOTS: usize = 1 << 16;

/// 512 KiB of counters. Clients that fall into one share its limit, which can only turn a 401 into a
/// 429; the hash is seeded, so nobody can choose with whom.
pub(super) struct Slots {
    seed: RandomState,
    states: Box<[InMemoryState]>,
}

impl Default for Slots {
    fn default() -> Self {
        Self { seed: RandomState::new(), states: (0..SLOTS).map(|_| InMemoryState::default()).collect() }
    }
}

impl StateStore for Slots {
    type Key = IpAddr;

    fn measure_and_replace<T, F, E>(&self, client: &IpAddr, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let slot = self.seed.hash_one(client) as usize % self.states.len();
        self.states[slot].measure_and_replace(&NotKeyed::NonKey, measure)
    }
}
