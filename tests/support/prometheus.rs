//! Prometheus and Alertmanager from Debian's packages, each on a port that the system chose.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use super::{daemon::Kept, gateway::watch};

/// A running program.
pub struct Prometheus {
    /// Where it listens, such as `127.0.0.1:9090`.
    pub address: String,
    _kept: Kept,
}

impl Prometheus {
    /// Prometheus with these files, `prometheus.yml` among them, in a folder of its own.
    pub fn start(files: &[(&str, &str)]) -> Self {
        let words = ["--config.file=prometheus.yml", "--storage.tsdb.path=data"];
        Self::run("prometheus", &words, files)
    }

    /// Alertmanager with these files, `alertmanager.yml` among them.
    pub fn alertmanager(files: &[(&str, &str)]) -> Self {
        let words = ["--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address="];
        Self::run("prometheus-alertmanager", &words, files)
    }

    fn run(name: &str, words: &[&str], files: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("bellboard-test-").tempdir().expect("a folder").keep();
        for (file, text) in files {
            fs::write(folder.join(file), text).expect("a file");
        }
        let mut child = Command::new(program(name))
            .args(words)
            .arg("--web.listen-address=127.0.0.1:0")
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{name} is installed by `bash tests/run`: {e}"));
        let watchdog = watch(&child, &folder);
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let mut log = Vec::new();
        let address = lines.by_ref().find_map(|line| {
            let (_, address) = line.split_once("msg=\"Listening on\" address=").unzip();
            let address = address.map(str::to_owned);
            log.push(line);
            address
        });
        let address = address.unwrap_or_else(|| panic!("{name} did not start:\n{}", log.join("\n")));
        // Nobody else reads what it prints, and a full pipe would hold it up.
        thread::spawn(move || lines.for_each(drop));
        Self { address, _kept: Kept { child, watchdog, folder } }
    }
}

/// Where `bash tests/run` puts the programs, unless they are installed.
fn program(name: &str) -> PathBuf {
    let installed = Path::new("/usr/bin").join(name);
    match std::env::var_os("BELLBOARD_TEST_PROMETHEUS") {
        _ if installed.exists() => installed,
        Some(folder) => Path::new(&folder).join(name),
        None => panic!("BELLBOARD_TEST_PROMETHEUS is not set: `bash tests/run` installs {name} and sets it"),
    }
}
