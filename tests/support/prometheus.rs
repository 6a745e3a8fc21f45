//! Prometheus and Alertmanager from Debian's packages, each on a port that the system chose.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::symlink,
    process::{Command, Output, Stdio},
    thread,
};

use serde_json::Value;

use super::{Api, daemon::Kept, gateway::watch, installed};

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

    /// What a query gives now: its rows.
    pub async fn query(&self, query: &str) -> Vec<Value> {
        let path = "/api/v1/query?";
        let query = url::form_urlencoded::Serializer::for_suffix(path.to_owned(), path.len())
            .append_pair("query", query)
            .finish();
        self.get(&query).await["result"].as_array().cloned().unwrap_or_default()
    }

    /// The data that its API answers with.
    pub async fn get(&self, path: &str) -> Value {
        let mut answer = Api::new(format!("http://{}", self.address)).get_at(path).await.expect(200).json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].take()
    }

    fn run(name: &str, words: &[&str], files: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("bellboard-test-").tempdir().expect("a folder").keep();
        for (file, text) in files {
            fs::write(folder.join(file), text).expect("a file");
        }
        // Alertmanager reads its own templates from the folder that it runs in.
        symlink(installed("prometheus/templates"), folder.join("templates")).expect("a link");
        let mut child = Command::new(installed("prometheus").join(name))
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

/// Runs `promtool` on a text.
pub fn promtool(words: &[&str], text: &str) -> Output {
    let mut child = Command::new(installed("prometheus/promtool"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed by `bash tests/run`");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("promtool reads");
    child.wait_with_output().expect("promtool ends")
}
