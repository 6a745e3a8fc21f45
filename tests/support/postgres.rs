//! A PostgreSQL server of the test process's own, and databases on it.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::gateway::until;

/// A running server, reached over a socket in its folder and a port of 127.0.0.1. It ends with this value, and at
/// the latest with the test process.
pub struct Server {
    pub(super) folder: PathBuf,
    pub(super) port: u16,
    postmaster: Child,
    watchdog: Child,
}

/// What makes tests fast where it is not the loss of power that they try.
pub const FAST: &[&str] = &["fsync=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=32MB"];

/// The server that tests share.
static SHARED: LazyLock<Server> = LazyLock::new(|| Server::start(FAST));

/// The port of the server that tests share.
pub fn shared_port() -> u16 {
    SHARED.port
}

/// The name of who owns the databases, and of the database that is always there.
pub(super) const OWNER: &str = "bell";

impl Server {
    /// One that is fast, for a test that ends it.
    pub fn own() -> Self {
        Self::start(FAST)
    }

    /// Starts with these settings on a port that is free.
    pub fn start(settings: &[&str]) -> Self {
        let folder = folder("bellboard-pg-");
        let data = folder.join("data");
        let made = run_as(&program("initdb"), account())
            .args([
                "--username",
                OWNER,
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--locale",
                "C.UTF-8",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(made.is_ok_and(|status| status.success()), "initdb");
        if settings.contains(&"ssl=on") {
            let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
            for (from, to) in [("cert.pem", "server.crt"), ("key.pem", "server.key")] {
                let to = data.join(to);
                fs::copy(fixtures.join(from), &to).expect("copied");
                fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("made private");
                give(&to);
            }
        }
        Self::launch(folder, free_port(), settings)
    }

    /// Runs a server on what is in a folder.
    pub(super) fn launch(folder: PathBuf, port: u16, settings: &[&str]) -> Self {
        let (postmaster, watchdog) = spawn(&folder, port, settings);
        let mut server = Self { folder, port, postmaster, watchdog };
        until("ready", || {
            // After a SIGKILL the next one ends as long as backends of the last are there.
            if let Ok(Some(_)) = server.postmaster.try_wait() {
                let _ = server.watchdog.kill();
                let _ = server.watchdog.wait();
                (server.postmaster, server.watchdog) = spawn(&server.folder, port, settings);
            }
            let asked = Command::new(program("pg_isready"))
                .arg("-h")
                .arg(&server.folder)
                .args(["-p", &port.to_string(), "-U", OWNER, "-d", "postgres"])
                .stdout(Stdio::null())
                .status();
            asked.is_ok_and(|status| status.success())
        });
        server
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database, by the port.
    pub fn url(&self, database: &str) -> String {
        url_at(self.port, database)
    }

    /// Runs a statement on the database that is always there.
    pub fn run(&self, statement: &str) {
        self.asks("postgres", statement);
    }

    /// Gives a setting another value while it runs.
    pub fn set(&self, setting: &str) {
        self.run(&format!("ALTER SYSTEM SET {setting}"));
        self.run("SELECT pg_reload_conf()");
    }

    /// What a query on this database gives, as `psql` prints it.
    pub fn asks(&self, database: &str, query: &str) -> String {
        self.tries(database, query).unwrap_or_else(|e| panic!("{query}: {e}"))
    }

    /// The same, or why it was not answered.
    pub fn tries(&self, database: &str, query: &str) -> Result<String, String> {
        let asked = Command::new(program("psql"))
            .arg("-h")
            .arg(&self.folder)
            .args(["-p", &self.port.to_string(), "-U", OWNER, "-d", database, "-qXAtc", query])
            .output()
            .expect("psql");
        let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
        if asked.status.success() { Ok(text(&asked.stdout)) } else { Err(text(&asked.stderr)) }
    }

    /// Ends it by this signal: INT is its fast way, QUIT its immediate one; KILL leaves its backends, which see it soon.
    pub fn end(&mut self, signal: &str) {
        if let Ok(Some(_)) = self.postmaster.try_wait() {
            return;
        }
        tell(&self.postmaster.id().to_string(), signal);
        self.postmaster.wait().expect("it has ended");
    }

    /// Starts it again on what it left.
    pub fn start_again(&mut self) {
        // What is left of this value has no folder to clear up.
        let folder = std::mem::take(&mut self.folder);
        *self = Self::launch(folder, self.port, FAST);
    }

    /// What the server wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// Starts a server on what is in a folder, and what clears up behind it.
fn spawn(folder: &Path, port: u16, settings: &[&str]) -> (Child, Child) {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).expect("a log");
    let mut postmaster = run_as(&program("postgres"), account());
    postmaster.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
    postmaster.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    for setting in
        ["max_connections=300", "logging_collector=off", "log_checkpoints=off"].iter().chain(settings)
    {
        postmaster.args(["-c", setting]);
    }
    let postmaster = postmaster.stdin(Stdio::null()).stderr(log).spawn().expect("the server starts");
    let watchdog = watch(postmaster.id(), folder);
    (postmaster, watchdog)
}

/// Sends a signal to a process of the server.
pub fn tell(process: &str, signal: &str) {
    let told = Command::new("kill").args(["-s", signal, process]).status();
    assert!(told.is_ok_and(|status| status.success()), "{process} was there to be told");
}

/// Taken again by nobody in between, as the system hands out others first.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// The URL of a database by a port, of the server or of what stands before it.
pub fn url_at(port: u16, database: &str) -> String {
    format!("postgres://{OWNER}@127.0.0.1:{port}/{database}")
}

impl Drop for Server {
    fn drop(&mut self) {
        // Once it has ended, its number may be another's.
        if let Ok(None) = self.postmaster.try_wait() {
            let _ = Command::new("kill").args(["-QUIT", &self.postmaster.id().to_string()]).status();
        }
        let _ = self.postmaster.wait();
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A database of a test's own. It goes with this value.
pub struct Database {
    pub url: String,
    name: String,
}

impl Database {
    /// An empty one on the shared server.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        SHARED.run(&format!("CREATE DATABASE {name}"));
        Self { url: SHARED.url(&name), name }
    }

    /// Its URL by another port, where something stands before the server.
    pub fn url_at(&self, port: u16) -> String {
        url_at(port, &self.name)
    }

    /// A connection from outside.
    pub async fn tool(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("connects")
    }

    /// Runs statements as a hand from outside would.
    pub async fn sql(&self, statements: &str) {
        let statements = AssertSqlSafe(statements.to_owned());
        sqlx::raw_sql(statements).execute(&mut self.tool().await).await.expect("runs");
    }

    /// Sets what transactions on this database have by default.
    pub fn by_default(&self, setting: &str) {
        SHARED.run(&format!("ALTER DATABASE {} SET {setting}", self.name));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = SHARED.log();
            let from = log.len().saturating_sub(4_000);
            eprintln!("the end of PostgreSQL's log:\n{}", log.get(from..).unwrap_or(&log));
        }
        SHARED.run(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// A program of PostgreSQL: on the path, or where Debian has it.
pub fn program(name: &str) -> PathBuf {
    let homes = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = homes.map(|home| home.path().join("bin").join(name)).collect();
    found.retain(|path| path.is_file());
    found.sort();
    found.pop().unwrap_or_else(|| name.into())
}

/// The account that runs the server, where that is not the one that runs the tests: PostgreSQL refuses root.
pub fn account() -> Option<(u32, u32)> {
    let id = Command::new("id").arg("-u").output().expect("an id");
    if String::from_utf8_lossy(&id.stdout).trim() != "0" {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("accounts");
    let of = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    Some(of("postgres").or_else(|| of("nobody")).expect("an account other than root"))
}

/// A new folder of that account.
pub(super) fn folder(prefix: &str) -> PathBuf {
    let folder = tempfile::Builder::new().prefix(prefix).tempdir().expect("a folder").keep();
    give(&folder);
    folder
}

/// Gives a file or a folder to that account.
pub(super) fn give(path: &Path) {
    if let Some((user, group)) = account() {
        chown(path, Some(user), Some(group)).expect("given to an account");
    }
}

pub fn run_as(program: &Path, account: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env_remove("PGOPTIONS").env("LC_ALL", "C");
    if let Some((user, group)) = account {
        command.uid(user).gid(group);
    }
    command
}

/// A server that tests share is never dropped: a shell waits until the test process is gone, however it ended, and
/// then clears up.
pub fn watch(postmaster: u32, folder: &Path) -> Child {
    Command::new("sh")
        .args([
            "-c",
            r#"read -r _; kill -QUIT "$1"; while kill -0 "$1" 2>/dev/null; do sleep 0.1; done; rm -rf "$2""#,
        ])
        .args(["watchdog", &postmaster.to_string()])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}
