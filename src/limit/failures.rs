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

pub(super) type Failures = Limiter<Source, Slots>;

pub(super) fn new(quota: Quota, ticks: &Ticks) -> Failures {
    Limiter::with_state("auth", quota, ticks, Slots::default())
}

/// An IPv4 address, or the /64 that an IPv6 host commonly has to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, h, ..] = v6.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

const SLOTS: usize = 1 << 16;

/// 512 KiB of counters. Sources that fall into one share its limit, which can only turn a 401 into a
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
    type Key = Source;

    fn measure_and_replace<T, F, E>(&self, source: &Source, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let slot = self.seed.hash_one(source) as usize % self.states.len();
        self.states[slot].measure_and_replace(&NotKeyed::NonKey, measure)
    }
}
