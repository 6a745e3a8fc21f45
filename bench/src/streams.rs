//! What open live streams cost in memory, and how long after a send's answer its event is there.

use std::{
    collections::HashMap,
    fmt::{self, Display, Formatter},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    Error, Result,
    args::Settings,
    cases::SendTemplate,
    credentials::Credentials,
    fill::notification_id,
    gateway::Gateway,
    load::{Case, Random},
    paced::{self, Stop},
    process::{Memory, RunDir},
    report::{self, percentile, rounded},
};

/// Streams from one address: it has fewer ports than that.
const OF_AN_ADDRESS: u64 = 20_000;
/// Streams that are opened at once.
const AT_ONCE: usize = 64;
/// How long memory is given to settle.
const SETTLE: Duration = Duration::from_secs(3);
/// How long an event may take until it counts as lost.
const LONGEST: Duration = Duration::from_secs(10);

/// Measures and prints; fails at the first stream that is not as it should be, and where an event is lost.
pub async fn run(settings: &Settings) -> Result<()> {
    // More files than the system gives by itself; where it gives no more, opening says so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let open = settings.streams_open();
    let dir = RunDir::create(&settings.dir)?;
    let credentials = Credentials::new("default", open)?;
    let gateway = Gateway::start(&settings.site()?, &dir, &[&credentials]).await?;
    gateway.import(&credentials, open).await?;
    measure(settings, &credentials, &gateway).await.map_err(|error| {
        format!("{error}\nThe gateway's last words:\n{}", gateway.process.last_words()).into()
    })
}

async fn measure(settings: &Settings, credentials: &Credentials, gateway: &Gateway) -> Result<()> {
    let open = settings.streams_open();
    let arrivals = Arc::<Arrivals>::default();
    // What a first request makes once is not a stream's.
    drop(follow(gateway.address, 0, &credentials.tokens[0]).await?);
    sleep(SETTLE).await;
    let before = gateway.process.memory()?;
    let start = Instant::now();
    let readers = open_all(gateway.address, &credentials.tokens, &arrivals).await?;
    let opened = start.elapsed();
    eprintln!("{open} streams are open after {:.1} s", opened.as_secs_f64());
    sleep(SETTLE).await;
    let idle = gateway.process.memory()?;

    let (rate, length) = (f64::from(settings.streams_rate), settings.slice() * settings.rounds());
    eprintln!("Sending {rate:.0} a second for {:.0} s", length.as_secs_f64());
    let case =
        Followed { template: SendTemplate::new(credentials), users: open, arrivals: Arc::clone(&arrivals) };
    let (stop, address, case) = (Stop::default(), gateway.address, Arc::new(case));
    let sending = {
        let (case, stop) = (Arc::clone(&case), stop.clone());
        tokio::task::spawn_blocking(move || paced::drive(address, rate, &stop, &*case).map(|s| s.micros))
    };
    sleep(length).await;
    stop.now();
    let mut answers = sending.await??;
    let end = Instant::now() + LONGEST;
    while arrivals.missing() > 0 && Instant::now() < end {
        sleep(Duration::from_millis(10)).await;
    }
    let busy = gateway.process.memory()?;
    readers.failed()?;
    let (mut micros, missing, twice) = arrivals.taken();
    micros.sort_unstable();
    answers.sort_unstable();
    let row = Row {
        streams: open,
        opened_per_second: rounded(open as f64 / opened.as_secs_f64(), 0),
        idle_kib_each: each(before, idle, open),
        busy_kib_each: each(before, busy, open),
        sends: micros.len(),
        send_p99_ms: percentile(&answers, 0.99),
        event_p50_ms: percentile(&micros, 0.5),
        event_p99_ms: percentile(&micros, 0.99),
        event_max_ms: percentile(&micros, 1.0),
        missing,
        twice,
    };
    report::line(&row, settings.json);
    if missing + twice > 0 {
        return Err(format!("{missing} events are missing, {twice} came twice").into());
    }
    Ok(())
}

/// What a stream adds to the gateway's own memory, in KiB.
fn each(before: Memory, now: Memory, streams: u64) -> f64 {
    rounded(now.anonymous.saturating_sub(before.anonymous) as f64 / 1024.0 / streams as f64, 1)
}

#[derive(Serialize)]
struct Row {
    streams: u64,
    opened_per_second: f64,
    idle_kib_each: f64,
    busy_kib_each: f64,
    sends: usize,
    send_p99_ms: f64,
    event_p50_ms: f64,
    event_p99_ms: f64,
    event_max_ms: f64,
    missing: u64,
    twice: u64,
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} streams, opened at {}/s: {} KiB each, {} under load\n\
             {} sends, p99 {:.2} ms; from the answer to the event p50 {:.2} ms, p99 {:.2} ms, at most {:.2} ms; \
             {} missing, {} twice",
            self.streams,
            self.opened_per_second,
            self.idle_kib_each,
            self.busy_kib_each,
            self.sends,
            self.send_p99_ms,
            self.event_p50_ms,
            self.event_p99_ms,
            self.event_max_ms,
            self.missing,
            self.twice
        )
    }
}

/// When each send was answered, and when its event came, whichever is first.
#[derive(Default)]
struct Arrivals(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    answered: HashMap<u64, Instant>,
    arrived: HashMap<u64, Instant>,
    micros: Vec<u32>,
    twice: u64,
}

impl Arrivals {
    fn answered(&self, id: u64) {
        let now = Instant::now();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.arrived.get(&id) {
            // Before the answer was.
            Some(_) => seen.micros.push(0),
            None => drop(seen.answered.insert(id, now)),
        }
    }

    fn arrived(&self, id: u64) {
        let now = Instant::now();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.arrived.insert(id, now).is_some() {
            seen.twice += 1;
        } else if let Some(answered) = seen.answered.remove(&id) {
            seen.micros.push(u32::try_from((now - answered).as_micros()).unwrap_or(u32::MAX));
        }
    }

    fn missing(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answered.len()
    }

    /// What each took; how many are missing, and how many came again.
    fn taken(&self) -> (Vec<u32>, u64, u64) {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.micros.clone(), seen.answered.len() as u64, seen.twice)
    }
}

/// Sends to users who all follow.
struct Followed {
    template: SendTemplate,
    users: u64,
    arrivals: Arc<Arrivals>,
}

impl Case for Followed {
    fn status(&self) -> u16 {
        201
    }

    fn next(&self, random: &mut Random, out: &mut Vec<u8>) -> Option<u64> {
        let place = random.below(self.users);
        self.template.write(place, out);
        Some(place)
    }

    fn answered(&self, _place: u64, body: &[u8]) -> Result<()> {
        self.arrivals.answered(notification_id(body).ok_or("a send's answer has no notification_id")?);
        Ok(())
    }
}

/// The tasks that read the streams; a stream that ends is a failure.
struct Readers(JoinSet<Result<()>>);

impl Readers {
    fn failed(mut self) -> Result<()> {
        while let Some(ended) = self.0.try_join_next() {
            ended??;
        }
        Ok(())
    }
}

async fn open_all(address: SocketAddr, tokens: &[String], arrivals: &Arc<Arrivals>) -> Result<Readers> {
    let mut readers = JoinSet::new();
    let places: Vec<_> = (0_u64..).zip(tokens).collect();
    for some in places.chunks(AT_ONCE) {
        let mut opening = JoinSet::new();
        for (place, token) in some {
            let (place, token) = (*place, (*token).clone());
            opening.spawn(async move { follow(address, place, &token).await });
        }
        while let Some(stream) = opening.join_next().await {
            readers.spawn(read(stream??, Arc::clone(arrivals)));
        }
    }
    Ok(Readers(readers))
}

/// Opens a stream, and waits for its beginning.
async fn follow(address: SocketAddr, place: u64, token: &str) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let from = u8::try_from(1 + place / OF_AN_ADDRESS)?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, from), 0)))?;
    let mut stream = socket.connect(address).await?;
    let head = format!(
        "GET /crm/notification/stream HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let (mut answer, mut part) = (Vec::new(), [0; 1_024]);
    let beginning = async {
        while !contains(&answer, b"event: ready") {
            let read = stream.read(&mut part).await?;
            answer.extend_from_slice(&part[..read]);
            if read == 0 || answer.len() > 8_192 {
                let answer = String::from_utf8_lossy(&answer).into_owned();
                return Err(format!("a stream did not begin: {answer}").into());
            }
        }
        Ok::<_, Error>(())
    };
    timeout(LONGEST, beginning).await.map_err(|_| "a stream did not begin in time")??;
    Ok(stream)
}

/// Reads events to the end of a stream, which must not come.
async fn read(mut stream: TcpStream, arrivals: Arc<Arrivals>) -> Result<()> {
    let (mut text, mut part) = (Vec::new(), vec![0; 2_048]);
    loop {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Err("a stream has ended".into());
        }
        text.extend_from_slice(&part[..read]);
        // An event ends with the line of its data, which is in one piece.
        while let Some(end) = position(&text, b"\n\n") {
            if let Some(id) = notification_id(&text[..end]) {
                arrivals.arrived(id);
            }
            text.drain(..end + 2);
        }
    }
}

fn contains(text: &[u8], sought: &[u8]) -> bool {
    position(text, sought).is_some()
}

fn position(text: &[u8], sought: &[u8]) -> Option<usize> {
    text.windows(sought.len()).position(|window| window == sought)
}
