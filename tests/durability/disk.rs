//! The gateway on a disk that loses power, fails and fills up: `disk.c`, preloaded.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::cli::gateway::{Gateway, Site};

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

    /// Ends whoever runs as a power cut does, and leaves of the database what was synced.
    pub fn lose_power(&self, gateway: Gateway) {
        gateway.signal("KILL");
        drop(gateway);
        self.forget();
    }

    /// Leaves of the database what was synced, once nobody has it open.
    pub fn forget(&self) {
        for ending in ["", "-wal", "-shm"] {
            let name = format!("bellboard.db{ending}");
            let _ = fs::remove_file(self.site.path(&name));
            let synced = self.folder.path().join("synced").join(&name);
            if synced.exists() {
                fs::copy(synced, self.site.path(&name)).expect("copied");
            }
        }
    }

    pub fn database(&self) -> PathBuf {
        let folder = self.site.path("").canonicalize().expect("the site's folder");
        folder.join("bellboard.db")
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
