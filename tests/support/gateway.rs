//! The real gateway as a process of its own, on ports that the system chose.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{Api, Tool, postgres::Database};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running gateway. It ends with this value, and at the latest with the test process.
pub struct Gateway {
    pub public: String,
    pub admin: String,
    program: PathBuf,
    folder: PathBuf,
    store: Option<Store>,
    child: Child,
    watchdog: Child,
}

/// The store of a gateway: in its folder, or on PostgreSQL where `BELLBOARD_TEST_STORE` says `postgres`.
pub enum Store {
    File(String),
    Server(Database),
    /// Another's, which outlives the gateway.
    At(String),
}

impl Store {
    fn new(folder: &Path) -> Self {
        match std::env::var("BELLBOARD_TEST_STORE").as_deref() {
            Ok("postgres") => Self::Server(Database::new()),
            Ok("sqlite") | Err(_) => Self::in_file(folder),
            Ok(other) => panic!("BELLBOARD_TEST_STORE is sqlite or postgres, not {other}"),
        }
    }

    fn in_file(folder: &Path) -> Self {
        Self::File(format!("sqlite://{}", folder.join("x.db").display()))
    }

    fn url(&self) -> &str {
        match self {
            Self::File(url) | Self::At(url) => url,
            Self::Server(database) => &database.url,
        }
    }
}

impl Gateway {
    /// Starts with these settings in a folder of its own, which `fill` may fill first.
    pub fn start_in(settings: &str, fill: impl FnOnce(&Path)) -> Self {
        Self::start_on(Store::new, settings, fill)
    }

    /// The same, with the store in a file whatever the tests run on.
    pub fn start_in_file(settings: &str, fill: impl FnOnce(&Path)) -> Self {
        Self::start_on(Store::in_file, settings, fill)
    }

    /// The same, as one of several nodes on the store at a URL.
    pub fn start_at(url: &str, settings: &str) -> Self {
        Self::start_build_at(&present(), url, settings)
    }

    /// The same, at once: it need not be ready.
    pub fn start_unready_at(url: &str, settings: &str) -> Self {
        let folder = folder_with(settings);
        let config = folder.join("bellboard.yaml");
        Self::launch(present(), folder, &config, Store::At(url.to_owned()))
    }

    /// The same with another build of the gateway.
    pub fn start_build_at(program: &Path, url: &str, settings: &str) -> Self {
        let folder = folder_with(settings);
        let config = folder.join("bellboard.yaml");
        Self::run(program.to_owned(), folder, &config, Store::At(url.to_owned()))
    }

    fn start_on(store: impl FnOnce(&Path) -> Store, settings: &str, fill: impl FnOnce(&Path)) -> Self {
        let folder = folder_with(settings);
        fill(&folder);
        let (store, config) = (store(&folder), folder.join("bellboard.yaml"));
        Self::run(present(), folder, &config, store)
    }

    /// Starts with these settings.
    pub fn start(settings: &str) -> Self {
        Self::start_in(settings, |_| ())
    }

    /// Starts with a file of the project.
    pub fn start_with_file(path: &str) -> Self {
        let folder = own_folder();
        let store = Store::new(&folder);
        Self::run(present(), folder, &Path::new(env!("CARGO_MANIFEST_DIR")).join(path), store)
    }

    fn run(program: PathBuf, folder: PathBuf, config: &Path, store: Store) -> Self {
        let gateway = Self::launch(program, folder, config, store);
        until("ready", || gateway.admin_get("/readyz").starts_with("HTTP/1.1 200"));
        gateway
    }

    fn launch(program: PathBuf, folder: PathBuf, config: &Path, store: Store) -> Self {
        let log = File::options().create(true).append(true).open(folder.join("log")).expect("a log");
        let mut child = Command::new(&program)
            .env_clear()
            .current_dir(&folder)
            .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--store"])
            .arg(store.url())
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the gateway starts");
        let watchdog = watch(&child, &folder);
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let mut address = |label: &str| {
            let line = lines.by_ref().find(|line| line.trim_start().starts_with(label));
            let line = line.unwrap_or_else(|| panic!("the gateway did not start:\n{}", read_log(&folder)));
            let url = line.split_whitespace().nth(1).expect("an address").to_owned();
            let (host, _) = url["http://".len()..].split_once('/').expect("a path");
            format!("http://{host}")
        };
        let (public, admin) = (address("API"), address("admin"));
        // Nobody else reads what the gateway prints, and a full pipe would hold it up.
        thread::spawn(move || lines.for_each(drop));
        Self { public, admin, program, folder, store: Some(store), child, watchdog }
    }

    /// A client of the public listener.
    pub fn api(&self) -> Api {
        Api::new(self.public.clone())
    }

    /// A client of the admin listener; its paths are whole.
    pub fn admin_api(&self) -> Api {
        Api::new(self.admin.clone())
    }

    /// A connection from outside to its store.
    pub async fn tool(&self) -> Tool {
        Tool::of(self.store.as_ref().expect("a running gateway has one").url()).await
    }

    /// A file of its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What the gateway wrote to its log.
    pub fn log(&self) -> String {
        read_log(&self.folder)
    }

    /// Bytes of its memory that are its own, and no file's.
    pub fn anonymous_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("its memory");
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1_024
    }

    /// Ends it as a power cut would, and starts it again on the same store.
    pub fn crash_and_restart(mut self) -> Self {
        self.kill();
        self.again()
    }

    /// Asks it to stop, and waits until it has; it must end well.
    pub fn stop(mut self) {
        self.terminate();
    }

    /// The same, and starts it again on the same store.
    pub fn stop_and_restart(mut self) -> Self {
        self.terminate();
        self.again()
    }

    fn again(mut self) -> Self {
        let (program, folder) = (std::mem::take(&mut self.program), std::mem::take(&mut self.folder));
        let store = self.store.take().expect("a running gateway has one");
        drop(self);
        let config = folder.join("bellboard.yaml");
        Self::run(program, folder, &config, store)
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let told = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "the gateway was there to be told");
    }

    fn terminate(&mut self) {
        self.signal("TERM");
        let mut ended = None;
        until("stopped", || {
            ended = self.child.try_wait().expect("a child of ours");
            ended.is_some()
        });
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}\n{}", self.log());
    }

    /// A GET of the admin listener, before any runtime is there.
    pub fn admin_get(&self, path: &str) -> String {
        let mut answer = String::new();
        let asked = TcpStream::connect(&self.admin["http://".len()..]).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            stream.read_to_string(&mut answer)
        });
        asked.unwrap_or_else(|e| panic!("{path}: {e}\n{}", self.log()));
        answer
    }

    fn kill(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        self.child.wait().expect("a child of ours");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("the gateway's log:\n{}", self.log());
        }
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        if !self.folder.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The build that these tests belong to.
pub fn present() -> PathBuf {
    env!("CARGO_BIN_EXE_bellboard").into()
}

fn own_folder() -> PathBuf {
    tempfile::Builder::new().prefix("bellboard-test-").tempdir().expect("a folder").keep()
}

fn folder_with(settings: &str) -> PathBuf {
    let folder = own_folder();
    fs::write(folder.join("bellboard.yaml"), settings).expect("the settings are written");
    folder
}

/// A gateway that tests share is never dropped: a shell waits until the test process is gone, however it
/// ended, and then clears up.
pub fn watch(child: &Child, folder: &Path) -> Child {
    Command::new("sh")
        .args(["-c", r#"read -r _; kill -9 "$1"; rm -rf "$2""#, "watchdog", &child.id().to_string()])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// Asks again and again until it holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "not {what} after {PATIENCE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The same where asking takes its time.
pub async fn until_async(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "not {what} after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn read_log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}
