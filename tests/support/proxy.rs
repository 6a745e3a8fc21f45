//! A proxy before PostgreSQL that fails a commit, or silences hints, in the way that a test asks for.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What becomes of a COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server gets it and answers; the connection ends without the answer.
    LoseReply,
    /// The server gets it and answers; the client waits for ever.
    KeepReply,
    /// The server never gets it, and sits idle.
    LoseCommit,
    /// The server gets it, and then the network is down.
    Cut,
    /// The server gets it when the test says so: the network has it meanwhile.
    Delay,
}

/// What becomes of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    #[default]
    Whole,
    /// Every connection ends, and so does each new one.
    Down,
    /// The same, by a reset.
    Reset,
    /// Every connection stays open and brings nothing more, and so does each new one.
    Silent,
    /// All that comes takes so long, and so many bytes a second.
    Slow { latency: Duration, bandwidth: u32 },
}

#[derive(Default)]
struct State {
    /// Where new connections lead.
    port: AtomicU16,
    network: watch::Sender<Network>,
    /// How often the network broke.
    breaks: AtomicU64,
    /// What becomes of the next COMMITs, the last first.
    faults: Mutex<Vec<Fault>>,
    is_mute: AtomicBool,
    /// What is delayed, and whereto.
    delayed: tokio::sync::Mutex<Option<(TcpStream, Vec<u8>)>>,
}

pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

/// A COMMIT as it stands on the wire, alone.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
/// What stands in the statement alone that is a transaction by itself and writes.
const ALONE: &[u8] = b"UPDATE lane SET batch";

/// The name of that statement on one connection.
#[derive(Default)]
struct Prepared(Vec<u8>);

impl Prepared {
    /// Whether a message commits; learns the name where it prepares that statement.
    fn commits(&mut self, message: &[u8]) -> bool {
        // The kind and the length go before.
        let says = message.get(5..).unwrap_or_default();
        match message.first() {
            Some(b'P') if contains(message, ALONE) => {
                self.0 = says.iter().take_while(|byte| **byte != 0).copied().collect();
                false
            }
            // To a portal without a name.
            Some(b'B') if !self.0.is_empty() => says
                .strip_prefix(b"\0")
                .and_then(|rest| rest.strip_prefix(&*self.0))
                .is_some_and(|rest| rest[0] == 0),
            _ => message == COMMIT,
        }
    }
}

fn contains(message: &[u8], word: &[u8]) -> bool {
    message.windows(word.len()).any(|part| part == word)
}

impl Proxy {
    /// A proxy before a port of this machine.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let proxy = Self { port: listener.local_addr().expect("bound").port(), state: Arc::default() };
        proxy.leads_to(port);
        let state = proxy.state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, state.clone()));
            }
        });
        proxy
    }

    /// From now on new connections lead to this port; those that are there stay.
    pub fn leads_to(&self, port: u16) {
        self.state.port.store(port, Ordering::SeqCst);
    }

    /// Fails the next COMMITs so.
    pub fn fail(&self, faults: &[Fault]) {
        *self.state.faults.lock().expect("sound") = faults.iter().rev().copied().collect();
    }

    /// Whether every fault that was asked for took place.
    pub fn has_failed(&self) -> bool {
        self.state.faults.lock().expect("sound").is_empty()
    }

    /// Brings the server what was delayed, and waits until it has dealt with it.
    pub async fn deliver(&self) {
        let (mut server, message) = self.state.delayed.lock().await.take().expect("something is delayed");
        server.write_all(&message).await.expect("the server is there");
        let mut answer = vec![0; 64 << 10];
        assert!(server.read(&mut answer).await.expect("an answer") > 0, "the server is there");
    }

    /// From now on the network is so.
    pub fn turns(&self, network: Network) {
        self.state.turns(network);
    }

    /// From now on a connection by which a node hears or tells what changed brings nothing more, and stays open.
    pub fn mute(&self) {
        self.state.is_mute.store(true, Ordering::SeqCst);
    }

    /// New connections bring everything again.
    pub fn unmute(&self) {
        self.state.is_mute.store(false, Ordering::SeqCst);
    }
}

async fn serve(mut client: TcpStream, state: Arc<State>) {
    let mut network = state.network.subscribe();
    let breaks_before = state.breaks.load(Ordering::SeqCst);
    let port = state.port.load(Ordering::SeqCst);
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    // Who came before the network changed may be led elsewhere than new connections are.
    if network.has_changed().unwrap_or(true) {
        return;
    }
    let (mut to_server, mut to_client) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut is_for_hints = false;
    let mut prepared = Prepared::default();
    loop {
        tokio::select! {
            biased;
            now = state.breaks(&mut network, breaks_before) => {
                if now == Network::Silent {
                    return silent(client, server, to_server).await;
                }
                if now == Network::Reset {
                    let _ = client.set_zero_linger();
                }
                return;
            }
            read = client.read(&mut to_server) => {
                let Ok(length @ 1..) = read else { return };
                let message = &to_server[..length];
                is_for_hints = is_for_hints || contains(message, b"LISTEN ") || contains(message, b"pg_notify(");
                if is_for_hints && state.is_mute.load(Ordering::SeqCst) {
                    return silent(client, server, to_server).await;
                }
                let fault = match prepared.commits(message) {
                    true => state.faults.lock().expect("sound").pop(),
                    false => None,
                };
                state.delay(length).await;
                if fault == Some(Fault::Delay) {
                    *state.delayed.lock().await = Some((server, message.to_vec()));
                    while client.read(&mut to_client).await.is_ok_and(|length| length > 0) {}
                    return;
                }
                if fault != Some(Fault::LoseCommit) && server.write_all(&to_server[..length]).await.is_err() {
                    return;
                }
                match fault {
                    None | Some(Fault::Delay) => {}
                    Some(Fault::LoseReply) => {
                        let _ = server.read(&mut to_client).await;
                        return;
                    }
                    Some(Fault::Cut) => {
                        state.turns(Network::Down);
                        let _ = server.read(&mut to_client).await;
                        return;
                    }
                    // Both ends stay open, and hear nothing more.
                    Some(Fault::KeepReply | Fault::LoseCommit) => return silent(client, server, to_server).await,
                }
            }
            read = server.read(&mut to_client) => {
                let Ok(length @ 1..) = read else { return };
                if is_for_hints && state.is_mute.load(Ordering::SeqCst) {
                    return silent(client, server, to_server).await;
                }
                state.delay(length).await;
                if client.write_all(&to_client[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

impl State {
    fn turns(&self, network: Network) {
        if brings_nothing(network) {
            self.breaks.fetch_add(1, Ordering::SeqCst);
        }
        self.network.send_replace(network);
    }

    /// Waits until nothing is brought any more, and says how. A break that was over before this connection heard of it
    /// ends it too.
    async fn breaks(&self, network: &mut watch::Receiver<Network>, before: u64) -> Network {
        let broke = || self.breaks.load(Ordering::SeqCst) != before;
        let now =
            network.wait_for(|now| brings_nothing(*now) || broke()).await.map_or(Network::Down, |now| *now);
        if brings_nothing(now) { now } else { Network::Down }
    }

    /// What so many bytes take.
    async fn delay(&self, length: usize) {
        let network = *self.network.borrow();
        if let Network::Slow { latency, bandwidth } = network {
            tokio::time::sleep(latency + Duration::from_secs_f64(length as f64 / f64::from(bandwidth))).await;
        }
    }
}

fn brings_nothing(network: Network) -> bool {
    matches!(network, Network::Down | Network::Reset | Network::Silent)
}

/// Takes what comes, until the client has gone.
async fn silent(mut client: TcpStream, _server: TcpStream, mut to_server: Vec<u8>) {
    while client.read(&mut to_server).await.is_ok_and(|length| length > 0) {}
    // The server sees no end of the connection, as when the network is gone.
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
}
