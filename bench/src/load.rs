//! Drives one case over many keep-alive connections and takes the time of every request.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    Error, Result,
    connection::{Answer, Connection},
};

/// The seed of the next connection's random numbers; every run counts from the same.
static SEED: AtomicU64 = AtomicU64::new(1);

/// What is asked, again and again.
pub trait Case: Send + Sync {
    /// The status of every good answer.
    fn status(&self) -> u16;

    /// How many of what it does one request asks for.
    fn items(&self) -> u64 {
        1
    }

    /// Writes the next request in place of what `out` holds, and gives it a mark that `answered` gets back.
    /// `None` when nothing is left to ask.
    fn next(&self, random: &mut Random, out: &mut Vec<u8>) -> Option<u64>;

    /// Sees a good answer's body. Its work counts towards the request's time: keep it short.
    fn answered(&self, _mark: u64, _body: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// What a slice of a case took.
#[derive(Default)]
pub struct Sample {
    /// Every request's time, in microseconds.
    pub micros: Vec<u32>,
    /// How much each asked for.
    pub items: u64,
    /// From the first request's start to the last answer.
    pub elapsed: Duration,
}

impl Sample {
    /// What was asked for a second.
    pub fn rate(&self) -> f64 {
        self.micros.len() as f64 * self.items as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Drives a case until `length` has passed or nothing is left to ask, over servers in turn. Any answer but the
/// expected one fails it.
pub async fn drive(
    servers: &[SocketAddr],
    connections: u64,
    length: Duration,
    case: &Arc<dyn Case>,
) -> Result<Sample> {
    let mut open = Vec::new();
    for (_, address) in (0..connections).zip(servers.iter().cycle()) {
        open.push(Connection::open(*address).await.map_err(|e| format!("cannot connect to {address}: {e}"))?);
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in open {
        // Each slice draws anew: the same users again would find all they touch warm.
        tasks.spawn(converse(connection, Arc::clone(case), Random::fresh(), start + length));
    }
    let mut sample = Sample { items: case.items(), ..Sample::default() };
    let mut errors: Vec<Error> = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended? {
            Ok(mut micros) => sample.micros.append(&mut micros),
            Err(error) => errors.push(error),
        }
    }
    sample.elapsed = start.elapsed();
    match errors.first() {
        None => Ok(sample),
        Some(first) => {
            Err(format!("{} of {connections} connections failed; one: {first}", errors.len()).into())
        }
    }
}

async fn converse(
    mut connection: Connection,
    case: Arc<dyn Case>,
    mut random: Random,
    end: Instant,
) -> Result<Vec<u32>> {
    let mut micros = Vec::with_capacity(1 << 12);
    let mut request = Vec::with_capacity(2 << 10);
    let mut start = Instant::now();
    while start < end {
        let Some(mark) = case.next(&mut random, &mut request) else { break };
        let answer = connection.exchange(&request).await?;
        accept(&*case, mark, &answer)?;
        let now = Instant::now();
        micros.push(u32::try_from((now - start).as_micros()).unwrap_or(u32::MAX));
        start = now;
    }
    Ok(micros)
}

/// Shows a case its answer; an error when it is not the expected one.
pub fn accept(case: &dyn Case, mark: u64, answer: &Answer<'_>) -> Result<()> {
    if answer.status != case.status() {
        let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]);
        return Err(format!("status {} instead of {}: {body}", answer.status, case.status()).into());
    }
    case.answered(mark, answer.body)
}

/// A small generator of random numbers (xorshift64*), the same at every run.
pub struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// With the next seed of the run.
    pub fn fresh() -> Self {
        Self::new(SEED.fetch_add(1, Ordering::Relaxed))
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}
