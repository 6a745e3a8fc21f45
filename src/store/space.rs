//! Free space of the database's disk: below a floor no notification is taken, so that there is room for what
//! goes on (reads, marks, deletes) and for folding the log into the database.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// The floor where none is configured, unless a twentieth of the disk is less. The log alone may take more
/// than half of it before it is folded in.
pub const DEFAULT_MIN_FREE_SPACE: u64 = 128 << 20;

/// When a sender may try again: space does not come back by itself.
pub(super) const RETRY: Duration = Duration::from_secs(5);

/// How often the system is asked, at most, in milliseconds.
const LOOK_EVERY: u64 = 200;

pub(super) struct Space {
    database: PathBuf,
    floor: Option<u64>,
    start: Instant,
    /// When the next look is due, in milliseconds since the start.
    due: AtomicU64,
    low: AtomicBool,
}

impl Space {
    pub fn of(database: PathBuf, floor: Option<u64>) -> Self {
        Self { database, floor, start: Instant::now(), due: AtomicU64::new(0), low: AtomicBool::new(false) }
    }

    /// Whether less is free than must be.
    pub fn is_low(&self) -> bool {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = self.due.load(Relaxed);
        // Whoever moves the time on looks; the others take what was seen last.
        if now >= due && self.due.compare_exchange(due, now + LOOK_EVERY, Relaxed, Relaxed).is_ok() {
            self.look();
        }
        self.low.load(Relaxed)
    }

    /// Free bytes, where the system tells.
    pub fn free(&self) -> Option<u64> {
        self.found().map(|(free, _)| free)
    }

    fn look(&self) {
        let Some((free, size)) = self.found() else { return };
        let floor = self.floor.unwrap_or_else(|| DEFAULT_MIN_FREE_SPACE.min(size / 20));
        let low = free < floor;
        if self.low.swap(low, Relaxed) != low {
            let database = self.database.display();
            if low {
                tracing::error!(
                    free,
                    floor,
                    "the disk of {database} is nearly full: no notification is taken"
                );
            } else {
                tracing::info!(free, floor, "the disk of {database} has room again: notifications are taken");
            }
        }
    }

    /// Bytes that are free, and the disk's size. (The database is not opened for this.)
    #[cfg(unix)]
    fn found(&self) -> Option<(u64, u64)> {
        let disk = nix::sys::statvfs::statvfs(&self.database).ok()?;
        // The types differ between systems.
        #[allow(clippy::unnecessary_cast)]
        let bytes = |blocks| (blocks as u64).saturating_mul(disk.fragment_size() as u64);
        Some((bytes(disk.blocks_available()), bytes(disk.blocks())))
    }

    #[cfg(not(unix))]
    fn found(&self) -> Option<(u64, u64)> {
        None
    }
}
