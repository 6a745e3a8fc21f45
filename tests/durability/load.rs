//! Users who send, read and delete without pause until the gateway is gone, and note what was acknowledged.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{
    HOT, KEY, SECRET, WORKERS,
    ledger::{Doubt, Ledger, State},
};
use crate::support::{Api, Token};

/// What all inboxes hold as far as it was acknowledged, from one life of the gateway to the next.
pub struct Load {
    workers: Vec<Worker>,
    hot: Ledger,
    /// Changes acknowledged so far.
    pub acknowledged: Arc<AtomicUsize>,
    /// Answers of 503 so far: refused, and nothing stored.
    pub refused: Arc<AtomicUsize>,
}

/// One who changes an inbox of their own, and sends to the hot one.
struct Worker {
    user: i64,
    step: u64,
    own: Ledger,
    hot: Ledger,
    acknowledged: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

/// What came of a request.
enum Answer {
    Done(Value),
    /// Nothing was done.
    Refused,
    /// It may have been done.
    NotKnown,
}

impl Ledger {
    /// Takes back the last doubt, unless the answer leaves it.
    fn settle(&mut self, answer: &Answer) {
        if !matches!(answer, Answer::NotKnown) {
            self.doubts.pop();
        }
    }
}

/// The workers at work.
pub struct Running {
    tasks: Vec<JoinHandle<Worker>>,
    enough: Arc<AtomicBool>,
    hot: Ledger,
    pub acknowledged: Arc<AtomicUsize>,
    pub refused: Arc<AtomicUsize>,
}

impl Load {
    pub fn new() -> Self {
        let (acknowledged, refused) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let worker = |user| Worker {
            user,
            step: 0,
            own: Ledger::default(),
            hot: Ledger::default(),
            acknowledged: Arc::clone(&acknowledged),
            refused: Arc::clone(&refused),
        };
        Self { workers: WORKERS.map(worker).collect(), hot: Ledger::default(), acknowledged, refused }
    }

    /// Sets them to work against a gateway at this address.
    pub fn start(self, address: &str) -> Running {
        self.start_over(&[address])
    }

    /// The same against several, each worker at one of them.
    pub fn start_over(self, addresses: &[&str]) -> Running {
        let enough = Arc::<AtomicBool>::default();
        let bases = addresses.iter().cycle().map(|address| Api::new(format!("http://{address}")));
        let at_work = |(worker, base): (Worker, Api)| tokio::spawn(worker.work(base, Arc::clone(&enough)));
        let tasks = self.workers.into_iter().zip(bases).map(at_work).collect();
        Running { tasks, enough, hot: self.hot, acknowledged: self.acknowledged, refused: self.refused }
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
        own.chain([(HOT, &mut self.hot)])
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
        let enough = self.acknowledged.load(Relaxed) + more;
        while self.acknowledged.load(Relaxed) < enough {
            assert!(self.tasks.iter().any(|task| !task.is_finished()), "all workers have given up");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until so many more were refused.
    pub async fn refuses(&self, more: usize) {
        let enough = self.refused.load(Relaxed) + more;
        while self.refused.load(Relaxed) < enough {
            assert!(self.tasks.iter().any(|task| !task.is_finished()), "all workers have given up");
            tokio::task::yield_now().await;
        }
    }

    /// Fails where a worker had no answer, or one that says that the gateway failed.
    pub fn all_are_at_work(&self) {
        assert!(self.tasks.iter().all(|task| !task.is_finished()), "a worker has given up");
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
        Load { workers, hot: self.hot, acknowledged: self.acknowledged, refused: self.refused }
    }
}

/// An inbox as its user sees it.
pub fn inbox(address: &str, user: i64) -> Api {
    Api::new(format!("http://{address}")).bearer(Token::of(SECRET, user).sign())
}

impl Worker {
    /// Works until there is no answer, or it is enough.
    async fn work(mut self, base: Api, enough: Arc<AtomicBool>) -> Self {
        let sender = base.key(KEY);
        let reader = base.bearer(Token::of(SECRET, self.user).sign());
        // A step that was not answered is not tried again: it may have been done.
        while !enough.load(Relaxed) && self.act(&sender, &reader).await.is_some() {}
        self
    }

    /// One request. None when no answer came.
    async fn act(&mut self, sender: &Api, reader: &Api) -> Option<()> {
        let newest = |wanted: fn(&State) -> bool| {
            let mut known = self.own.known.iter().rev().take(50);
            // Of one that may be gone by now nothing more is asked.
            let sure = |id| !self.own.doubts.contains(&Doubt::Deleted(id));
            known.find(|(id, (_, state))| wanted(state) && sure(**id)).map(|(id, _)| *id)
        };
        self.step += 1;
        match self.step % 8 {
            3 | 6 if let Some(id) = newest(|state| *state == State::Unread) => {
                self.own.doubts.push(Doubt::Read(id));
                let path = format!("/{id}/mark-read");
                let answer = self.answer(reader.request(Method::POST, &path)).await?;
                if let Answer::Done(answer) = &answer {
                    let at = answer["notification"]["read_at"].as_str().expect("a time").to_owned();
                    self.own.known.entry(id).and_modify(|(_, state)| *state = State::Read(at));
                }
                self.own.settle(&answer);
            }
            7 if let Some(id) = newest(|state| *state != State::Deleted) => {
                self.own.doubts.push(Doubt::Deleted(id));
                let answer = self.answer(reader.request(Method::DELETE, &format!("/{id}"))).await?;
                if let Answer::Done(_) = &answer {
                    self.own.known.entry(id).and_modify(|(_, state)| *state = State::Deleted);
                }
                self.own.settle(&answer);
            }
            step => {
                let title = format!("{} of {}", self.step, self.user);
                let user = if step == 4 { HOT } else { self.user };
                self.ledger(user).doubts.push(Doubt::Sent(title.clone()));
                let body = json!({"user_id": user, "type": "custom", "title": title});
                let answer = self.answer(sender.request(Method::POST, "/send").json(&body)).await?;
                let ledger = self.ledger(user);
                if let Answer::Done(answer) = &answer {
                    let id = answer["notification"]["notification_id"].as_i64().expect("an id");
                    let twice = ledger.known.insert(id, (title, State::Unread));
                    assert!(twice.is_none(), "{id} was given to {twice:?} before");
                }
                ledger.settle(&answer);
            }
        }
        Some(())
    }

    fn ledger(&mut self, user: i64) -> &mut Ledger {
        if user == HOT { &mut self.hot } else { &mut self.own }
    }

    /// The answer to a request, if any came.
    async fn answer(&self, request: RequestBuilder) -> Option<Answer> {
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let retry = response.headers().contains_key("retry-after");
        let answer: Value = response.json().await.ok()?;
        match status {
            200 | 201 => {
                self.acknowledged.fetch_add(1, Relaxed);
                Some(Answer::Done(answer))
            }
            503 => {
                assert!(retry, "a refusal says when to try again: {answer}");
                self.refused.fetch_add(1, Relaxed);
                let reason = answer["reason"].as_str().unwrap_or_default();
                Some(if reason.contains("not known") { Answer::NotKnown } else { Answer::Refused })
            }
            // The gateway has failed, says so, and is about to end: what was asked stays in doubt.
            500 => None,
            _ => panic!("{status}: {answer}"),
        }
    }
}
