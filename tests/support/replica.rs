//! A primary with a synchronous replica, and which of them leads: what Patroni or repmgr does on a site.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{Connection, PgConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::block_in_place,
};

use super::{
    gateway::until,
    haproxy::Backend,
    postgres::{FAST, OWNER, Server, account, folder, free_port, program, run_as},
};

/// The name by which a primary knows its synchronous replica.
const REPLICA: &str = "replica";

impl Server {
    /// A replica of this server as it is now, on a port, which follows from then on.
    pub fn replica(&self, port: u16) -> Self {
        let folder = folder("bellboard-pg-");
        let from = format!(
            "host={} port={} user={OWNER} application_name={REPLICA}",
            self.folder.display(),
            self.port
        );
        let copied = run_as(&program("pg_basebackup"), account())
            .args([
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
                "--wal-method=stream",
                "--dbname",
            ])
            .arg(from)
            .arg("--pgdata")
            .arg(folder.join("data"))
            .output()
            .expect("pg_basebackup");
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        Self::launch(folder, port, FAST)
    }

    /// What a query gives; nothing while it is not answered.
    fn answers(&self, query: &str) -> String {
        self.tries("postgres", query).unwrap_or_default()
    }

    /// From now on no commit is answered that the replica has not got, and applied.
    fn wait_for_replica(&self) {
        until("the replica follows", || {
            self.answers(&format!(
                "SELECT count(*) FROM pg_stat_replication WHERE application_name = '{REPLICA}' AND state = 'streaming'"
            )) == "1"
        });
        self.set(&format!("synchronous_standby_names = '{REPLICA}'"));
        until("it is synchronous", || {
            self.answers("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1"
        });
    }

    /// Makes a primary of a replica.
    pub fn promote(&self) {
        self.run("SELECT pg_promote(true, 30)");
        // There is nobody to wait for.
        self.set("synchronous_standby_names = ''");
    }
}

/// Two servers, of which one leads and the other is its synchronous replica.
pub struct Cluster {
    servers: [Server; 2],
    pub backends: [Backend; 2],
    leader: Arc<AtomicUsize>,
}

impl Cluster {
    pub async fn start() -> Self {
        let servers = block_in_place(|| {
            let primary = Server::own();
            let replica = primary.replica(free_port());
            primary.wait_for_replica();
            [primary, replica]
        });
        let leader = Arc::<AtomicUsize>::default();
        let mut backends = Vec::new();
        for (seat, server) in servers.iter().enumerate() {
            backends
                .push(Backend { port: server.port, check: check(seat, server.port, leader.clone()).await });
        }
        Self { servers, backends: [backends[0], backends[1]], leader }
    }

    /// Which of the two leads, as the check tells: whoever does not is sent nothing, whatever it thinks of itself.
    pub fn leader(&self) -> usize {
        self.leader.load(Ordering::SeqCst)
    }

    /// Lets this one lead.
    pub fn lead(&self, seat: usize) {
        self.leader.store(seat, Ordering::SeqCst);
    }

    /// The one that leads, then the other.
    pub fn servers(&mut self) -> [&mut Server; 2] {
        let [one, two] = &mut self.servers;
        match self.leader.load(Ordering::SeqCst) {
            0 => [one, two],
            _ => [two, one],
        }
    }

    /// Makes the replica the primary, and lets it lead.
    pub fn fail_over(&mut self) {
        let [_, replica] = self.servers();
        replica.promote();
        self.lead(1 - self.leader());
    }

    /// Makes the one that does not lead a synchronous replica of the one that does, from nothing, on its old port.
    pub fn rebuild(&mut self) {
        let [primary, other] = self.servers();
        other.end("QUIT");
        *other = primary.replica(other.port);
        primary.wait_for_replica();
    }
}

/// Answers the check of a server, on a port: whether it leads, and is a primary.
async fn check(seat: usize, port: u16, leader: Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let leader = leader.clone();
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let _ = client.read(&mut request).await;
                let leads = leader.load(Ordering::SeqCst) == seat && is_primary(port).await;
                let status = if leads { "200 OK" } else { "503 Service Unavailable" };
                let answer = format!("HTTP/1.0 {status}\r\n\r\n");
                let _ = client.write_all(answer.as_bytes()).await;
            });
        }
    });
    address.port()
}

async fn is_primary(port: u16) -> bool {
    let ask = async {
        let url = format!("postgres://{OWNER}@127.0.0.1:{port}/postgres");
        let mut connection = PgConnection::connect(&url).await?;
        let answer = sqlx::query_scalar("SELECT NOT pg_is_in_recovery()").fetch_one(&mut connection).await;
        let _ = connection.close().await;
        answer
    };
    tokio::time::timeout(Duration::from_secs(1), ask).await.is_ok_and(|answer| answer.unwrap_or(false))
}
