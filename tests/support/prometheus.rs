//! A real Prometheus, which scrapes what a test tells it to.

use std::{path::PathBuf, process::Command, time::Duration};

use reqwest::Client;
use serde_json::Value;

use super::{daemon::Daemon, gateway::until_async};

/// A running Prometheus.
pub struct Prometheus {
    daemon: Daemon,
    client: Client,
}

/// A program of Prometheus' packages, which `bash tests/run` unpacks where they are not installed.
pub fn program(name: &str) -> PathBuf {
    let unpacked =
        std::env::var_os("BELLBOARD_TEST_PROMETHEUS").map(|dir| PathBuf::from(dir).join("usr/bin"));
    unpacked.map(|dir| dir.join(name)).filter(|path| path.exists()).unwrap_or_else(|| name.into())
}

/// Runs `promtool` on a text.
pub fn promtool(words: &[&str], text: &str) -> std::process::Output {
    use std::{io::Write, process::Stdio};
    let mut child = Command::new(program("promtool"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed by `bash tests/run`");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("promtool reads");
    child.wait_with_output().expect("promtool ends")
}

impl Prometheus {
    /// Starts with these settings (YAML), and waits until it is ready.
    pub async fn start(settings: &str) -> Self {
        let settings = settings.to_owned();
        let daemon = Daemon::start_as(
            None,
            "prometheus",
            &program("prometheus"),
            |_, _| settings,
            |file, port, folder| {
                vec![
                    format!("--config.file={file}"),
                    format!("--web.listen-address=127.0.0.1:{port}"),
                    format!("--storage.tsdb.path={folder}/data"),
                    "--log.level=warn".into(),
                ]
            },
        );
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().expect("a client");
        let prometheus = Self { daemon, client };
        until_async("Prometheus is ready", async || {
            let asked = prometheus.client.get(prometheus.url("/-/ready")).send().await;
            asked.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        prometheus
    }

    /// What a query gives now: its rows.
    pub async fn query(&self, query: &str) -> Vec<Value> {
        let asked = url::form_urlencoded::Serializer::for_suffix("/api/v1/query?".to_owned(), 14)
            .append_pair("query", query)
            .finish();
        self.get(&asked).await["result"].as_array().cloned().unwrap_or_default()
    }

    /// The data that its API answers with.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(self.url(path)).send().await.expect("it answers");
        let mut answer: Value = answer.json().await.expect("JSON");
        assert_eq!(answer["status"], "success", "{path}: {answer}\n{}", self.daemon.log());
        answer["data"].take()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.daemon.port)
    }
}
