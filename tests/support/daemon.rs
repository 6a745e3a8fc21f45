//! A server program from Debian's packages, on a port and with settings of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use super::postgres::{account, folder, free_port, give, run_as, watch};

/// A running program.
pub struct Daemon {
    pub port: u16,
    pub folder: PathBuf,
    _kept: Kept,
}

/// A process and its folder. It ends with this value, and at the latest with the test process.
pub struct Kept {
    pub child: Child,
    pub watchdog: Child,
    pub folder: PathBuf,
}

impl Daemon {
    /// Starts it with these words and then the file with its settings, which say the port and may name the folder.
    pub fn start(name: &str, words: &[&str], settings: impl FnOnce(u16, &Path) -> String) -> Self {
        let (folder, port) = (folder(&format!("bellboard-{name}-")), free_port());
        let file = folder.join("settings");
        fs::write(&file, settings(port, &folder)).expect("the settings are written");
        give(&file);
        let log = fs::File::create(folder.join("log")).expect("a log");
        let installed = Path::new("/usr/sbin").join(name);
        let program = if installed.exists() { installed } else { name.into() };
        let child = run_as(&program, account())
            .args(words)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("{name} is installed by `bash tests/run`: {e}"));
        let watchdog = watch(child.id(), &folder);
        Self { port, folder: folder.clone(), _kept: Kept { child, watchdog, folder } }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
