//! The gateway under test: its configuration, its credentials, its process.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use tokio::process::Command;

use crate::{
    Result,
    connection::Connection,
    fill::FIRST_USER,
    process::{Process, RunDir, free_addresses},
};

/// What the load generator shows the gateway.
pub struct Credentials {
    /// The key that sends.
    pub api_key: String,
    /// What signs the readers' tokens.
    pub secret: String,
    /// A token for each reader, by place.
    pub tokens: Vec<String>,
}

#[derive(Serialize)]
struct Claims {
    user_id: u64,
    iat: u64,
    exp: u64,
}

impl Credentials {
    /// Credentials of this run alone.
    pub fn new(readers: u64) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let run = format!("{}-{}", now.as_nanos(), std::process::id());
        let secret = format!("bench-secret-that-lives-for-one-run-{run}");
        let key = EncodingKey::from_secret(secret.as_bytes());
        let sign = |place| {
            let iat = now.as_secs();
            let claims = Claims { user_id: FIRST_USER + place, iat, exp: iat + 24 * 3_600 };
            jsonwebtoken::encode(&Header::default(), &claims, &key)
        };
        let tokens = (0..readers).map(sign).collect::<Result<_, _>>()?;
        Ok(Self { api_key: format!("bench-key-that-lives-for-one-run-{run}"), secret, tokens })
    }
}

/// A running gateway.
pub struct Gateway {
    pub process: Process,
    pub address: SocketAddr,
}

impl Gateway {
    /// Starts it on an empty database and waits until it is ready.
    pub async fn start(program: &Path, dir: &RunDir, credentials: &Credentials) -> Result<Self> {
        let [address, admin] = free_addresses()?;
        // Apart from the database, as on a real site: the gateway watches the configuration's folder.
        let config = dir.join("config/bellboard.yaml");
        fs::create_dir(dir.join("config"))?;
        fs::write(&config, configuration(credentials))?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(&config);
        command.arg("--listen").arg(address.to_string()).arg("--admin-listen").arg(admin.to_string());
        command.arg("--store").arg(format!("sqlite://{}", dir.join("bench.db").display()));
        let mut process = Process::start(command, dir.join("gateway.log"))?;
        process.ready(admin, "/readyz", 200).await?;
        Ok(Self { process, address })
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

/// The site's settings: known users alone, and limits that nothing here can reach.
fn configuration(credentials: &Credentials) -> String {
    format!(
        r#"
rate_limits:
  per_key: {{per_second: 1000000, burst: 1000000}}
  per_user: {{per_second: 1000000, burst: 1000000}}
tenants:
  default:
    users: managed
    issuers:
      - algorithm: HS256
        secret: "{secret}"
api_keys:
  {key}:
    roles: [admin]
    description: "The benchmark's sender"
"#,
        secret = credentials.secret,
        key = credentials.api_key,
    )
}

/// The gateway's program: the one named, else the one beside this program.
pub fn program(named: Option<&PathBuf>) -> Result<PathBuf> {
    match named {
        Some(path) => Ok(path.clone()),
        None => Ok(std::env::current_exe()?.with_file_name("bellboard")),
    }
}
