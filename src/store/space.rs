//! Free space of the database's disk: below a floor no notification is taken, so that there is room for what
//! goes on (reads, marks, deletes) and for a checkpoint of the WAL, which then runs by itself (`sqlite/fold.rs`).

use std::{
    fmt, fs,
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

/// How the database's disk is.
#[derive(Debug, Clone)]
pub struct Disk {
    /// Free bytes, where the system tells.
    pub free: Option<u64>,
    /// Bytes of the WAL.
    pub wal: u64,
    /// Whether less is free than must be, so that no notification is taken.
    pub low: bool,
    /// While it is low: the other processes that keep the WAL from being reset, where the system tells.
    pub holders: Vec<Holder>,
}

/// A process that reads the database, and by that keeps the WAL from being reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub process: u32,
    /// What it is called; empty where the system does not tell.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.process, self.name)
    }
}

/// The largest and the smallest size of the WAL that is kept for its next use.
const KEPT_WAL: std::ops::RangeInclusive<u64> = 4 << 20..=256 << 20;

pub(super) struct Space {
    database: PathBuf,
    floor: Option<u64>,
    start: Instant,
    /// When the next look is due, in milliseconds since the start.
    due: AtomicU64,
    low: AtomicBool,
    /// Bytes by which the next checkpoint makes the database larger.
    growth: AtomicU64,
}

impl Space {
    pub fn of(database: PathBuf, floor: Option<u64>) -> Self {
        Self {
            database,
            floor,
            start: Instant::now(),
            due: AtomicU64::new(0),
            low: AtomicBool::new(false),
            growth: AtomicU64::new(0),
        }
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

    /// How the disk is now.
    pub fn disk(&self) -> Disk {
        let low = self.look();
        let holders = if low { self.holders() } else { Vec::new() };
        Disk { free: self.found().map(|(free, _)| free), wal: self.wal(), low, holders }
    }

    /// The most bytes of the WAL that are kept for its next use, by the size of the disk.
    pub fn kept_wal(&self) -> u64 {
        let size = self.found().map_or(u64::MAX, |(_, size)| size);
        (size / 20).clamp(*KEPT_WAL.start(), *KEPT_WAL.end())
    }

    /// Notes how large the database is once all of the WAL is in it: that much must stay free for the checkpoint.
    pub fn note_size(&self, with_wal: u64) {
        let now = fs::metadata(&self.database).map_or(0, |found| found.len());
        self.growth.store(with_wal.saturating_sub(now), Relaxed);
    }

    /// Looks now, and gives whether less is free than must be.
    pub fn look(&self) -> bool {
        let Some((free, size)) = self.found() else { return false };
        let growth = self.growth.load(Relaxed);
        let floor = self.floor.unwrap_or_else(|| DEFAULT_MIN_FREE_SPACE.min(size / 20));
        let low = free.saturating_sub(growth) < floor;
        if self.low.swap(low, Relaxed) != low {
            let (database, wal) = (self.database.display(), self.wal());
            if low {
                tracing::error!(
                    free,
                    growth,
                    floor,
                    wal,
                    "the disk of {database} is nearly full: no notification is taken"
                );
            } else {
                tracing::info!(
                    free,
                    growth,
                    floor,
                    wal,
                    "the disk of {database} has room again: notifications are taken"
                );
            }
        }
        low
    }

    /// Logs what keeps the WAL from being reset.
    pub fn log_holders(&self) {
        let holders: Vec<_> = self.holders().iter().map(Holder::to_string).collect();
        let by = if holders.is_empty() { "not known".to_owned() } else { holders.join(", ") };
        tracing::warn!(wal = self.wal(), by, "the WAL cannot be reset: another process reads the database");
    }

    /// Bytes of the WAL. (It is not opened for this.)
    fn wal(&self) -> u64 {
        fs::metadata(self.beside("-wal")).map_or(0, |found| found.len())
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.database.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    /// The other processes that hold a reader's lock on the WAL. (The file that has the locks is not opened for this.)
    #[cfg(target_os = "linux")]
    fn holders(&self) -> Vec<Holder> {
        use std::os::linux::fs::MetadataExt;
        /// Where SQLite's locks of readers are: https://sqlite.org/walformat.html
        const READERS: std::ops::RangeInclusive<u64> = 123..=127;
        let Ok(file) = fs::metadata(self.beside("-shm")) else { return Vec::new() };
        let device = file.st_dev();
        let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
        let file = format!("{major:02x}:{minor:02x}:{}", file.st_ino());
        let mut holders = Vec::new();
        for line in fs::read_to_string("/proc/locks").unwrap_or_default().lines() {
            let fields: Vec<_> = line.split_whitespace().filter(|field| *field != "->").collect();
            let [_, "POSIX", _, _, process, at, from, to] = fields[..] else { continue };
            let within = |text: &str| text.parse().is_ok_and(|byte| READERS.contains(&byte));
            let Ok(process) = process.parse() else { continue };
            if at != file || process == std::process::id() || !(within(from) || within(to)) {
                continue;
            }
            let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            let holder = Holder { process, name: name.trim().to_owned() };
            if !holders.contains(&holder) {
                holders.push(holder);
            }
        }
        holders
    }

    #[cfg(not(target_os = "linux"))]
    fn holders(&self) -> Vec<Holder> {
        Vec::new()
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
