//! The gateway under test: its configuration, its process.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;

use crate::{
    Result,
    connection::Connection,
    credentials::Credentials,
    fill::FIRST_USER,
    process::{Process, RunDir, free_addresses},
};

/// A running gateway.
pub struct Gateway {
    pub process: Process,
    pub address: SocketAddr,
    /// How long it took from its start until it was ready.
    pub ready_after: Duration,
}

/// What is measured.
pub struct Site {
    pub program: PathBuf,
    /// The database in the run's folder, unless there is another.
    pub store: Option<String>,
}

impl Gateway {
    /// Starts it for these tenants, and waits until it is ready.
    pub async fn start(site: &Site, dir: &RunDir, tenants: &[&Credentials]) -> Result<Self> {
        let [address, admin] = free_addresses()?;
        // Apart from the database, as on a real site: the gateway watches the configuration's folder.
        let config = dir.join("config/bellboard.yaml");
        fs::create_dir_all(dir.join("config"))?;
        fs::write(&config, configuration(tenants))?;
        let file = || format!("sqlite://{}", database(dir).display());
        let mut command = Command::new(&site.program);
        command.arg("serve").arg("--config").arg(&config);
        command.arg("--listen").arg(address.to_string()).arg("--admin-listen").arg(admin.to_string());
        // Not on the command line, which others may read: it may hold a password.
        command.env("BELLBOARD_STORE", site.store.clone().unwrap_or_else(file));
        let mut process = Process::start(command, dir.join(&format!("gateway-{}.log", address.port())))?;
        let ready_after = process.ready(admin, "/readyz", 200).await?;
        Ok(Self { process, address, ready_after })
    }

    /// Makes the users, some at a time, so that no answer fills a socket while its request is written.
    pub async fn import(&self, credentials: &Credentials, users: u64) -> Result<()> {
        let mut connection = Connection::open(self.address).await?;
        let mut place = 0;
        while place < users {
            let lines = (users - place).min(1_000);
            let body: String =
                (place..place + lines).map(|p| format!("{{\"user_id\":{}}}\n", FIRST_USER + p)).collect();
            let request = format!(
                "POST /crm/notification/users/import HTTP/1.1\r\nHost: bench\r\nX-API-KEY: {}\r\n\
                 Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
                credentials.api_key,
                body.len()
            );
            let answer = connection.exchange(request.as_bytes()).await?;
            let made = String::from_utf8_lossy(answer.body).matches(r#""result":"Success""#).count() as u64;
            if answer.status != 200 || made != lines {
                return Err(
                    format!("the import made {made} of {lines} users (status {})", answer.status).into()
                );
            }
            place += lines;
        }
        Ok(())
    }
}

/// The database's file.
pub fn database(dir: &RunDir) -> PathBuf {
    dir.join("bench.db")
}

/// The site's settings: known users alone, and limits that nothing here can reach.
fn configuration(tenants: &[&Credentials]) -> String {
    let mut text = String::from(
        "server: {max_connections: 400000}
streams: {per_tenant: 300000}
rate_limits:
  per_key: {per_second: 1000000, burst: 1000000}
  per_user: {per_second: 1000000, burst: 1000000}
tenants:
",
    );
    for credentials in tenants {
        text += &format!(
            r#"  {tenant}:
    users: managed
    issuers:
      - {{algorithm: HS256, secret: "{secret}"}}
      - {{algorithm: EdDSA, public_key: "{public_key}"}}
"#,
            tenant = credentials.tenant,
            secret = credentials.secret,
            public_key = credentials.public_key.replace('\n', "\\n"),
        );
    }
    text += "api_keys:\n";
    for credentials in tenants {
        text += &format!(
            "  {}: {{roles: [admin], tenant: {}, description: A sender of the benchmark}}\n",
            credentials.api_key, credentials.tenant
        );
    }
    text
}

/// The gateway's program: the one named, else the one beside this program.
pub fn program(named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => Ok(std::env::current_exe()?.with_file_name("bellboard")),
    }
}
