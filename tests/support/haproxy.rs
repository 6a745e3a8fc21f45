//! HAProxy before two PostgreSQL servers: it sends to the one whose check says that it is the primary.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Stdio},
};

use super::{
    gateway::until,
    postgres::{account, free_port, run_as, watch},
};

/// A running HAProxy. It ends with this value, and at the latest with the test process.
pub struct Haproxy {
    pub port: u16,
    folder: PathBuf,
    child: Child,
    watchdog: Child,
}

/// Where a server listens, and where its check is answered: 200 by the primary alone, as Patroni does.
#[derive(Debug, Clone, Copy)]
pub struct Backend {
    pub port: u16,
    pub check: u16,
}

impl Haproxy {
    /// Starts, and waits until only the servers are up that are said to be.
    pub fn before(backends: [Backend; 2], up: [bool; 2], of_one_down: &str) -> Self {
        let folder =
            tempfile::Builder::new().prefix("bellboard-haproxy-").tempdir().expect("a folder").keep();
        let port = free_port();
        let [one, two] = backends;
        let settings = format!(
            "global\n    maxconn 2000\n    stats socket {folder}/admin mode 600\n\
             defaults\n    mode tcp\n    timeout connect 1s\n    timeout check 1s\n    timeout client 1h\n\
             \x20   timeout server 1h\n\
             listen primary\n    bind 127.0.0.1:{port}\n    option httpchk GET /primary\n\
             \x20   http-check expect status 200\n    default-server inter 100ms fall 2 rise 1 {of_one_down}\n\
             \x20   server one 127.0.0.1:{} check port {}\n    server two 127.0.0.1:{} check port {}\n",
            one.port,
            one.check,
            two.port,
            two.check,
            folder = folder.display(),
        );
        let file = folder.join("haproxy.cfg");
        fs::write(&file, settings).expect("the settings are written");
        let log = fs::File::create(folder.join("log")).expect("a log");
        let account = account();
        if let Some((user, group)) = account {
            for path in [&folder, &file] {
                std::os::unix::fs::chown(path, Some(user), Some(group)).expect("given to an account");
            }
        }
        let program = match std::path::Path::new("/usr/sbin/haproxy").exists() {
            true => "/usr/sbin/haproxy",
            false => "haproxy",
        };
        let child = run_as(program.as_ref(), account)
            .arg("-f")
            .arg(&file)
            .arg("-db")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("haproxy is installed by `bash tests/run`");
        let watchdog = watch(child.id(), &folder);
        let haproxy = Self { port, folder, child, watchdog };
        haproxy.sends_to(up);
        haproxy
    }

    /// Waits until these servers are up and the others down, as it sees them.
    pub fn sends_to(&self, up: [bool; 2]) {
        until("HAProxy sees it", || self.up() == Some(up));
    }

    /// Which servers it holds for up: what the last check said, once there was one.
    fn up(&self) -> Option<[bool; 2]> {
        let mut socket = UnixStream::connect(self.folder.join("admin")).ok()?;
        // Of all backends the servers alone.
        socket.write_all(b"show stat -1 4 -1\n").ok()?;
        let mut table = String::new();
        socket.read_to_string(&mut table).ok()?;
        let (head, servers) = table.trim_start_matches("# ").split_once('\n')?;
        let column = |name| head.split(',').position(|column| column == name);
        let (status, checks) = (column("status")?, column("check_status")?);
        let mut up = servers.lines().filter(|line| !line.is_empty()).map(|line| {
            let values: Vec<&str> = line.split(',').collect();
            let is_checked = !["", "INI"].contains(values.get(checks)?);
            is_checked.then_some(*values.get(status)? == "UP")
        });
        Some([up.next()??, up.next()??])
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
