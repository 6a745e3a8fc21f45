//! The gateway on a disk that loses power, fails and fills up: `disk.c`, preloaded.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::cli::gateway::{Gateway, Site};

/// What a disk writes as a whole, in bytes.
const SECTOR: usize = 512;

/// The disk below one site's database.
pub struct Disk<'a> {
    site: &'a Site,
    folder: tempfile::TempDir,
}

/// What a disk does while this value lives; `disk.c` says what each does.
pub struct Fault(PathBuf);

impl Drop for Fault {
    fn drop(&mut self) {
        // One that happens once is gone by itself.
        let _ = fs::remove_file(&self.0);
    }
}

impl<'a> Disk<'a> {
    pub fn below(site: &'a Site) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["synced", "faults"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        Self { site, folder }
    }

    /// Starts the gateway on this disk.
    pub fn serve(&self) -> Gateway {
        Gateway::start(self.command(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]))
    }

    /// The program with these words on this disk.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.site.command(words);
        self.put_below(&mut command);
        command
    }

    /// Any program.
    pub fn put_below(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", shim())
            .env("DISK_FILE", self.database())
            .env("DISK_SYNCED", self.folder.path().join("synced"))
            .env("DISK_FAULTS", self.folder.path().join("faults"));
    }

    pub fn fault(&self, name: &str) -> Fault {
        let path = self.folder.path().join("faults").join(name);
        fs::write(&path, "").expect("written");
        Fault(path)
    }

    /// Ends a gateway as a power cut does, and leaves of the database what was synced.
    pub fn lose_power(&self, gateway: Gateway) {
        gateway.signal("KILL");
        drop(gateway);
        self.forget();
    }

    /// The same, but half of what was not synced is left, another one for each seed.
    pub fn tear(&self, gateway: Gateway, seed: u64) {
        gateway.signal("KILL");
        drop(gateway);
        self.forget_but(chance(seed));
    }

    /// Leaves of the database what was synced, once nobody has it open.
    pub fn forget(&self) {
        self.forget_but(|| false);
    }

    /// Leaves what was synced, and of the rest what `is_left` says, sector by sector: a power cut may have kept
    /// any of it.
    pub fn forget_but(&self, mut is_left: impl FnMut() -> bool) {
        let _ = fs::remove_file(self.site.path("bellboard.db-shm"));
        for name in ["bellboard.db", "bellboard.db-wal"] {
            let (synced, live) = (self.folder.path().join("synced").join(name), self.site.path(name));
            let written = fs::read(&live).unwrap_or_default();
            let _ = fs::remove_file(&live);
            let Ok(mut left) = fs::read(&synced) else { continue };
            let size = if is_left() { written.len() } else { left.len() };
            left.resize(left.len().max(written.len()), 0);
            for (left, written) in left.chunks_mut(SECTOR).zip(written.chunks(SECTOR)) {
                let left = &mut left[..written.len()];
                if *left != *written && is_left() {
                    left.copy_from_slice(written);
                }
            }
            left.truncate(size);
            fs::write(&synced, &left).expect("written");
            fs::write(&live, &left).expect("written");
        }
    }

    pub fn database(&self) -> PathBuf {
        let folder = self.site.path("").canonicalize().expect("the site's folder");
        folder.join("bellboard.db")
    }
}

/// One in two, in an order that a seed gives.
pub fn chance(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 63 == 1
    }
}

/// Compiles `disk.c`, once.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (made, whole) = (folder.join(format!("disk-{}.so", std::process::id())), folder.join("disk.so"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/durability/disk.c");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&made)
            .arg(source);
        let compiled = compiler.arg("-ldl").arg("-lpthread").output().expect("a C compiler, cc");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        fs::rename(made, &whole).expect("renamed");
        whole
    })
}
