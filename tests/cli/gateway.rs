//! The real program in a folder of its own: commands that end, and a gateway that runs.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::client::{self, Reply};

/// The longest wait for a condition; long, as the machine may be busy.
pub const SOON: Duration = Duration::from_secs(60);

/// The published key of the default configuration.
pub const DEVELOPMENT_KEY: &str = "your-secure-api-key-minimum-32-characters";

/// A folder whose `config/bellboard.yaml` the program finds by itself.
pub struct Site(tempfile::TempDir);

impl Site {
    /// With these settings.
    pub fn new(settings: &str) -> Self {
        let site = Self::empty();
        site.write("config/bellboard.yaml", settings);
        site
    }

    /// With the settings that come with the gateway.
    pub fn default_settings() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/bellboard.yaml");
        Self::new(&std::fs::read_to_string(path).expect("the default configuration"))
    }

    /// With no settings.
    pub fn empty() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and the folders above it. It is whole from its first moment.
    pub fn write(&self, name: &str, text: &str) {
        let (path, folder) = (self.path(name), self.path(name).with_file_name(""));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(".whole"), text).expect("a file");
        std::fs::rename(folder.join(".whole"), path).expect("renamed");
    }

    /// The program with these words, in this folder and with nothing of the tests' own environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bellboard"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("BELLBOARD_")) {
            command.env_remove(name);
        }
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments))
    }

    /// Runs a command that must succeed, and gives what it printed.
    #[track_caller]
    pub fn good(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.err);
        ended.out
    }

    /// Runs a command that must fail, and gives what it complained of.
    #[track_caller]
    pub fn bad(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}{}", ended.out, ended.err);
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
        ended.err
    }

    /// Starts the gateway on free ports of this machine.
    pub fn serve(&self) -> Gateway {
        let ports = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        Gateway::start(self.command(&[["serve"].as_slice(), &ports].concat()))
    }
}

/// A command that has ended.
pub struct Ended {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Runs to the end; what should end and does not is killed, and the test fails.
    pub fn of(mut command: Command) -> Self {
        let mut child = Running::spawn(&mut command);
        let status = until("the command ends", || child.ended());
        child.close(status)
    }
}

/// A process whose output is gathered as it comes. It is killed when this is dropped.
struct Running {
    child: Child,
    out: Gathered,
    err: Gathered,
    readers: Vec<JoinHandle<()>>,
}

type Gathered = Arc<Mutex<String>>;

impl Running {
    fn spawn(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (out, err) = (Gathered::default(), Gathered::default());
        let stdout: ChildStdout = child.stdout.take().expect("piped");
        let stderr: ChildStderr = child.stderr.take().expect("piped");
        let readers = vec![gather(stdout, &out), gather(stderr, &err)];
        Self { child, out, err, readers }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    fn close(mut self, status: ExitStatus) -> Ended {
        for reader in self.readers.drain(..) {
            reader.join().expect("the output was read");
        }
        Ended { code: status.code(), out: text(&self.out), err: text(&self.err) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gather(from: impl Read + Send + 'static, into: &Gathered) -> JoinHandle<()> {
    let into = Arc::clone(into);
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = String::new();
        while from.read_line(&mut line).is_ok_and(|n| n > 0) {
            into.lock().expect("no panic").push_str(&line);
            line.clear();
        }
    })
}

fn text(gathered: &Gathered) -> String {
    gathered.lock().expect("no panic").clone()
}

/// A gateway that runs.
pub struct Gateway {
    running: Running,
    /// The public listener, as `127.0.0.1:1234`.
    pub public: String,
    /// The admin listener.
    pub admin: String,
}

impl Gateway {
    /// Starts it and waits until it has said where it listens.
    pub fn start(mut command: Command) -> Self {
        let mut running = Running::spawn(&mut command);
        let (public, admin) = until("the gateway listens", || {
            if let Some(status) = running.ended() {
                panic!("the gateway ended with {status}: {}", text(&running.err));
            }
            let out = text(&running.out);
            Some((address(&out, "API")?, address(&out, "admin")?))
        });
        Self { running, public, admin }
    }

    /// What it has printed.
    pub fn out(&self) -> String {
        text(&self.running.out)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        text(&self.running.err)
    }

    /// Waits until the log says something.
    pub fn logs(&self, what: &str) {
        let start = Instant::now();
        while !self.log().contains(what) {
            assert!(start.elapsed() < SOON, "within {SOON:?} the log says {what:?}:\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks the public listener, under the prefix.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let path = format!("/crm/notification{path}");
        client::ask(&self.public, method, &path, headers, body)
    }

    /// Sends a notification with a key.
    pub fn send(&self, key: &str, body: &serde_json::Value) -> Reply {
        let headers = [("X-API-KEY", key), ("Content-Type", "application/json")];
        self.ask("POST", "/send", &headers, &body.to_string())
    }

    /// Sends one of the type `custom` to user 1.
    pub fn hello(&self, key: &str) -> Reply {
        self.send(key, &serde_json::json!({"user_id": 1, "type": "custom", "title": "Hello"}))
    }

    /// The inbox of a token's user, newest first.
    pub fn inbox(&self, token: &str) -> Vec<serde_json::Value> {
        let reply = self.ask("GET", "/?limit=100", &[("Authorization", &format!("Bearer {token}"))], "");
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()["notifications"].as_array().expect("a list").clone()
    }

    /// Asks the admin listener.
    pub fn admin(&self, path: &str) -> Reply {
        client::ask(&self.admin, "GET", path, &[], "")
    }

    /// Its process's number.
    pub fn process(&self) -> u32 {
        self.running.child.id()
    }

    pub fn signal(&self, name: &str) {
        let process = self.process().to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().expect("kill").success());
    }

    /// Tells it to stop, and waits until it has.
    pub fn stop(self) -> Ended {
        self.signal("TERM");
        self.ended()
    }

    /// Waits until it has stopped.
    pub fn ended(self) -> Ended {
        let mut running = self.running;
        let status = until("the gateway stops", || running.ended());
        running.close(status)
    }
}

/// The address that stands on the line of that name, once the line is whole.
fn address(out: &str, name: &str) -> Option<String> {
    let whole = out.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let line = whole.map(str::trim).find(|line| line.starts_with(name))?;
    Some(line.split_once("http://")?.1.split('/').next()?.to_owned())
}

/// Waits until there is something, at most [`SOON`].
#[track_caller]
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < SOON, "within {SOON:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
