//! The time, passed in so that tests can set it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::Timestamp;

/// Tells the time. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Fixed>>);

/// What a clock for tests shows.
#[derive(Debug)]
struct Fixed {
    wall: AtomicI64,
    monotonic: AtomicI64,
}

impl Clock {
    /// A clock that stands at a time until it is moved.
    pub fn fixed(at: Timestamp) -> Self {
        Self(Some(Arc::new(Fixed { wall: AtomicI64::new(at.0), monotonic: AtomicI64::new(0) })))
    }

    /// Whether it is one for tests.
    pub fn is_fixed(&self) -> bool {
        self.0.is_some()
    }

    /// Moves a fixed clock forward; the system's clock cannot be moved.
    pub fn advance_seconds(&self, seconds: i64) {
        self.jump_seconds(seconds);
        if let Some(fixed) = &self.0 {
            fixed.monotonic.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        }
    }

    /// Sets a fixed clock forward or back, while no time passes.
    pub fn jump_seconds(&self, seconds: i64) {
        if let Some(fixed) = &self.0 {
            fixed.wall.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(fixed) => Timestamp(fixed.wall.load(Ordering::Relaxed)),
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
        }
    }

    /// Microseconds since some moment, which nobody can set. The time that the machine sleeps counts where the system
    /// tells it.
    pub fn monotonic(&self) -> i64 {
        match &self.0 {
            Some(fixed) => fixed.monotonic.load(Ordering::Relaxed),
            None => since_boot(),
        }
    }
}

#[cfg(target_os = "linux")]
fn since_boot() -> i64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
    time.map_or(0, |time| time.tv_sec() * 1_000_000 + time.tv_nsec() / 1_000)
}

#[cfg(not(target_os = "linux"))]
fn since_boot() -> i64 {
    use std::{sync::OnceLock, time::Instant};
    static START: OnceLock<Instant> = OnceLock::new();
    i64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(i64::MAX)
}
