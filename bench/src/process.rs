//! A server as a child process: a free port, its log, its readiness, its memory.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{Result, connection::Connection};

/// How long a server may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running server; it is killed when this is dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
    started: Instant,
}

/// The memory of a process, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// All that is resident, pages of mapped files included.
    pub resident: u64,
    /// The part that is the process's own.
    pub anonymous: u64,
}

impl Process {
    /// Starts a program, with what it prints in a log beside the run's other files.
    pub fn start(mut command: Command, log: PathBuf) -> Result<Self> {
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
        let program = command.as_std().get_program().to_owned();
        let started = Instant::now();
        let child = command.spawn().map_err(|e| format!("cannot start {}: {e}", program.display()))?;
        Ok(Self { child, log, started })
    }

    /// Waits until a GET of the path answers with this status; gives how long that took from the start.
    pub async fn ready(&mut self, address: SocketAddr, path: &str, status: u16) -> Result<Duration> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let end = Instant::now() + READY_WITHIN;
        while Instant::now() < end {
            if let Some(exit) = self.child.try_wait()? {
                return Err(format!("the server ended with {exit}:\n{}", self.last_words()).into());
            }
            if timeout(Duration::from_secs(2), probe(address, &request))
                .await
                .is_ok_and(|s| s.ok() == Some(status))
            {
                return Ok(self.started.elapsed());
            }
            sleep(Duration::from_millis(2)).await;
        }
        Err(format!("the server was not ready after {READY_WITHIN:?}:\n{}", self.last_words()).into())
    }

    /// Kills it and waits until it has ended.
    pub async fn end(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// What it uses now.
    pub fn memory(&self) -> Result<Memory> {
        let id = self.child.id().ok_or_else(|| format!("the server has ended:\n{}", self.last_words()))?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
        };
        Ok(Memory {
            resident: field("VmRSS").unwrap_or_default(),
            anonymous: field("RssAnon").unwrap_or_default(),
        })
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(2_000)..]).into_owned()
    }
}

async fn probe(address: SocketAddr, request: &str) -> Result<u16> {
    Ok(Connection::open(address).await?.exchange(request.as_bytes()).await?.status)
}

/// Loopback addresses that are free now.
pub fn free_addresses<const N: usize>() -> Result<[SocketAddr; N]> {
    // All are held until all are known, so that none comes twice.
    let held: Vec<_> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    for (address, listener) in addresses.iter_mut().zip(&held) {
        *address = listener.local_addr()?;
    }
    Ok(addresses)
}

/// A folder of this run's own, removed with all it holds when this is dropped.
pub struct RunDir(PathBuf);

impl RunDir {
    pub fn create(parent: &Path) -> Result<Self> {
        let path = parent.join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|e| format!("cannot make {}: {e}", path.display()))?;
        Ok(Self(path.canonicalize()?))
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
