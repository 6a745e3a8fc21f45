//! HAProxy before two PostgreSQL servers: it sends to the one whose check says that it is the primary.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use super::{daemon::Daemon, gateway::until};

/// A running HAProxy.
pub struct Haproxy(Daemon);

/// Where a server listens, and where its check is answered: 200 by the primary alone, as Patroni does.
#[derive(Debug, Clone, Copy)]
pub struct Backend {
    pub port: u16,
    pub check: u16,
}

impl Haproxy {
    /// Starts, and waits until only the servers are up that are said to be.
    pub fn before(backends: [Backend; 2], up: [bool; 2], of_one_down: &str) -> Self {
        let [one, two] = backends;
        let haproxy = Self(Daemon::start("haproxy", &["-db", "-f"], |port, folder| {
            format!(
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
            )
        }));
        haproxy.sends_to(up);
        haproxy
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Waits until these servers are up and the others down, as it sees them.
    pub fn sends_to(&self, up: [bool; 2]) {
        until("HAProxy sees it", || self.up() == Some(up));
    }

    /// Which servers it holds for up: what the last check said, once there was one.
    fn up(&self) -> Option<[bool; 2]> {
        let mut socket = UnixStream::connect(self.0.folder.join("admin")).ok()?;
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
