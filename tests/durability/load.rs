//! Users who send, read and delete without pause until the gateway is gone, and note what was acknowledged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

use super::{
    HOT, SECRET, WORKERS,
    client::Tally,
    ledger::{Ledger, State},
    repeater::{REPEATER, Repeater},
    worker::Worker,
};
use crate::support::{Api, Token};

/// What all inboxes hold as far as it was acknowledged, from one life of the gateway to the next.
pub struct Load {
    workers: Vec<Worker>,
    repeater: Repeater,
    hot: Ledger,
    tally: Tally,
}

/// The workers at work.
pub struct Running {
    tasks: Vec<JoinHandle<Worker>>,
    repeater: JoinHandle<Repeater>,
    enough: Arc<AtomicBool>,
    hot: Ledger,
    tally: Tally,
}

/// An answer that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(60);
/// So long a test waits for its load.
const PATIENCE: Duration = Duration::from_secs(180);

impl Load {
    pub fn new() -> Self {
        Self::within(LONGEST)
    }

    /// One that fails where any single answer takes longer.
    pub fn within(longest: Duration) -> Self {
        let tally = Tally::new(longest);
        Self {
            workers: WORKERS.map(|user| Worker::new(user, tally.clone())).collect(),
            repeater: Repeater::new(tally.clone()),
            hot: Ledger::default(),
            tally,
        }
    }

    /// Sets them to work against a gateway at this address.
    pub fn start(self, address: &str) -> Running {
        self.start_over(&[address])
    }

    /// The same against several, each worker at one of them.
    pub fn start_over(self, addresses: &[&str]) -> Running {
        let enough = Arc::<AtomicBool>::default();
        let bases: Vec<_> = addresses.iter().map(|address| Api::new(format!("http://{address}"))).collect();
        let at_work = |(place, worker): (usize, Worker)| {
            let mut nodes = bases.clone();
            nodes.rotate_left(place % bases.len());
            tokio::spawn(worker.work(nodes, Arc::clone(&enough)))
        };
        let tasks = self.workers.into_iter().enumerate().map(at_work).collect();
        let repeater = tokio::spawn(self.repeater.work(bases.clone(), Arc::clone(&enough)));
        Running { tasks, repeater, enough, hot: self.hot, tally: self.tally }
    }

    /// Changes acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.tally.acknowledged.load(Relaxed)
    }

    /// Answers of 503 so far: refused, and nothing stored.
    pub fn refused(&self) -> usize {
        self.tally.refused.load(Relaxed)
    }

    /// Holds everything acknowledged against what a gateway at this address shows.
    pub async fn check(&mut self, address: &str, from: i64) {
        for (user, ledger) in self.ledgers() {
            ledger.check(&inbox(address, user), from).await;
        }
    }

    /// How many acknowledged notifications a gateway at this address does not have.
    pub async fn lost(&mut self, address: &str) -> usize {
        let mut lost = 0;
        for (user, ledger) in self.ledgers() {
            lost += ledger.lost(&inbox(address, user)).await;
        }
        lost
    }

    pub fn ledgers(&mut self) -> impl Iterator<Item = (i64, &mut Ledger)> {
        let own = self.workers.iter_mut().map(|worker| (worker.user, &mut worker.own));
        own.chain([(REPEATER, &mut self.repeater.own), (HOT, &mut self.hot)])
    }

    /// How many acknowledged notifications must be there, and how many there were in all.
    pub fn kept_and_sent(&mut self) -> (usize, usize) {
        let kept =
            |ledger: &Ledger| ledger.known.values().filter(|(_, state)| *state != State::Deleted).count();
        (self.ledgers().map(|(_, ledger)| kept(ledger)).sum(), self.sent())
    }

    /// How many notifications were acknowledged.
    pub fn sent(&mut self) -> usize {
        self.ledgers().map(|(_, ledger)| ledger.known.len()).sum()
    }

    /// The highest id so far.
    pub fn newest(&mut self) -> i64 {
        self.ledgers().map(|(_, ledger)| ledger.newest()).max().unwrap_or(0)
    }
}

impl Running {
    /// Waits until so many more changes were acknowledged.
    pub async fn acknowledges(&self, more: usize) {
        let enough = self.tally.acknowledged.load(Relaxed) + more;
        self.works_until(|| self.tally.acknowledged.load(Relaxed) >= enough).await;
    }

    /// Waits until so many more were refused.
    pub async fn refuses(&self, more: usize) {
        let enough = self.tally.refused.load(Relaxed) + more;
        self.works_until(|| self.tally.refused.load(Relaxed) >= enough).await;
    }

    async fn works_until(&self, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < PATIENCE, "not in {PATIENCE:?}");
            assert!(self.tasks.iter().any(|task| !task.is_finished()), "all workers have given up");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Fails where a worker had no answer, or one that says that the gateway failed.
    pub fn all_are_at_work(&self) {
        assert!(self.tasks.iter().all(|task| !task.is_finished()), "a worker has given up");
        assert!(!self.repeater.is_finished(), "the one who repeats has given up");
    }

    /// Lets them come to an end; what they noted.
    pub async fn stopped(self) -> Load {
        self.enough.store(true, Relaxed);
        self.ended().await
    }

    /// What they noted, once the gateway is gone.
    pub async fn ended(mut self) -> Load {
        let mut workers = Vec::new();
        for task in self.tasks {
            let mut worker = task.await.expect("no panic");
            let hot = std::mem::take(&mut worker.hot);
            self.hot.known.extend(hot.known);
            self.hot.doubts.extend(hot.doubts);
            workers.push(worker);
        }
        let repeater = self.repeater.await.expect("no panic");
        Load { workers, repeater, hot: self.hot, tally: self.tally }
    }
}

/// An inbox as its user sees it.
pub fn inbox(address: &str, user: i64) -> Api {
    Api::new(format!("http://{address}")).bearer(Token::of(SECRET, user).sign())
}
