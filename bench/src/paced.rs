//! Drives one case at a fixed rate, whatever the pace of the answers, and takes the time of every request from
//! the moment it was due: one that waits for another's answer counts its waiting.
//!
//! On threads of its own with sockets that block, so that it never waits for a turn among the tasks that
//! make the load.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result,
    connection::{Answer, LARGEST_ANSWER, whole_answer},
    load::{Case, Random, Sample, accept},
};

/// Connections, each a thread.
const CONNECTIONS: u32 = 16;
/// How long an answer may take until the case has failed.
const LONGEST: Duration = Duration::from_secs(30);

/// Tells a paced case to end.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Asks `rate` times a second until told to stop or nothing is left to ask. It blocks its caller's thread.
pub fn drive(address: SocketAddr, rate: f64, stop: &Stop, case: &dyn Case) -> Result<Sample> {
    let start = Instant::now();
    let apart = Duration::from_secs_f64(1.0 / rate);
    let asked = thread::scope(|scope| {
        let ask = |first: u32| converse(address, start + apart * first, apart * CONNECTIONS, stop, case);
        let asking: Vec<_> = (0..CONNECTIONS).map(|first| scope.spawn(move || ask(first))).collect();
        let end =
            |asked: thread::ScopedJoinHandle<'_, _>| asked.join().map_err(|_| "a connection panicked")?;
        asking.into_iter().map(end).collect::<Result<Vec<Vec<u32>>>>()
    })?;
    Ok(Sample { micros: asked.concat(), items: 1, elapsed: start.elapsed() })
}

fn converse(
    address: SocketAddr,
    mut due: Instant,
    apart: Duration,
    stop: &Stop,
    case: &dyn Case,
) -> Result<Vec<u32>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LONGEST))?;
    let mut random = Random::fresh();
    let (mut request, mut answer, mut micros) = (Vec::new(), Vec::new(), Vec::new());
    while !stop.is_told() {
        let Some(mark) = case.next(&mut random, &mut request) else { break };
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let (status, body) = exchange(&mut stream, &request, &mut answer)?;
        accept(case, mark, &Answer { status, body: &answer[body..] })?;
        micros.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
        due += apart;
    }
    Ok(micros)
}

/// Sends a request and reads all of its answer; gives the status and where the body starts.
fn exchange(stream: &mut TcpStream, request: &[u8], answer: &mut Vec<u8>) -> Result<(u16, usize)> {
    stream.write_all(request)?;
    answer.clear();
    let mut part = [0; 16 << 10];
    while answer.len() <= LARGEST_ANSWER {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err("the server closed the connection before it had answered".into());
        }
        answer.extend_from_slice(&part[..read]);
        if let Some(whole) = whole_answer(answer)? {
            return Ok(whole);
        }
    }
    Err("an answer is too large".into())
}
