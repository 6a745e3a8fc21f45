//! How much all bodies together may hold in memory, and a tenant's.
//!
//! The number of connections alone bounds too little: each may bring a body of the largest size. A body
//! counts as far as it has come, so that whoever only announces one takes no room from others, and until
//! its request is answered, as what was read from it waits for the store as long.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::domain::{Error, Result, TenantId};

/// The first bytes of each body, which do not count: connections are bounded, and most bodies are no longer.
const FREE: usize = 4 << 10;

/// The room for bodies.
pub struct Bodies {
    most: usize,
    held: Mutex<Room>,
}

#[derive(Default)]
struct Room {
    all: usize,
    /// Of those tenants that hold something, and of nobody: what came unproved takes no room from a tenant.
    tenants: HashMap<Option<TenantId>, usize>,
}

impl Bodies {
    /// Room for so many bytes, of which one tenant may take half.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: Mutex::default() })
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        // No code that holds the lock can leave the figures half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one body holds. Dropping it gives the room back.
pub struct Held {
    bodies: Arc<Bodies>,
    tenant: Option<TenantId>,
    bytes: usize,
}

impl Held {
    /// Nothing so far.
    pub fn new(bodies: &Arc<Bodies>, tenant: Option<&TenantId>) -> Self {
        Self { bodies: Arc::clone(bodies), tenant: tenant.cloned(), bytes: 0 }
    }

    /// Holds as much as a body of that length needs.
    ///
    /// # Errors
    /// [`Error::Busy`] when there is no room.
    pub fn grow(&mut self, length: usize) -> Result<()> {
        let Some(more) = length.saturating_sub(FREE).checked_sub(self.bytes).filter(|more| *more > 0) else {
            return Ok(());
        };
        let most = self.bodies.most;
        let mut room = self.bodies.room();
        let of_tenant = room.tenants.get(&self.tenant).copied().unwrap_or(0);
        if room.all + more > most || of_tenant + more > most / 2 {
            return Err(Error::Busy { retry_after: Duration::from_secs(1) });
        }
        room.all += more;
        room.tenants.insert(self.tenant.clone(), of_tenant + more);
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut room = self.bodies.room();
        room.all -= self.bytes;
        let left = room.tenants.get(&self.tenant).map_or(0, |held| held - self.bytes);
        if left == 0 {
            room.tenants.remove(&self.tenant);
        } else {
            room.tenants.insert(self.tenant.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_takes_half_and_gives_it_back() {
        let bodies = Bodies::new(100 << 10);
        let held = |tenant: &str| Held::new(&bodies, TenantId::new(tenant).ok().as_ref());
        let mut small: Vec<_> = (0..100).map(|_| held("noisy")).collect();
        assert!(small.iter_mut().all(|held| held.grow(FREE).is_ok()), "small ones take no room");
        let mut noisy = held("noisy");
        noisy.grow(FREE + (30 << 10)).expect("room");
        noisy.grow(FREE + (50 << 10)).expect("half");
        assert!(matches!(noisy.grow(FREE + (50 << 10) + 1), Err(Error::Busy { .. })));
        assert!(held("noisy").grow(FREE + 1).is_err());
        let mut quiet = held("quiet");
        quiet.grow(FREE + (50 << 10)).expect("the other half");
        assert!(held("third").grow(FREE + 1).is_err(), "full");
        drop(noisy);
        held("third").grow(FREE + 1).expect("room again");
        drop(quiet);
        let room = bodies.room();
        assert_eq!((room.all, room.tenants.len()), (0, 0));
    }
}
