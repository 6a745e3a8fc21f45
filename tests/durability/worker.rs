//! One who changes an inbox of their own, and sends to the hot one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;

use super::{
    HOT, KEY, SECRET,
    client::{Answer, Tally},
    ledger::{Doubt, Ledger, State},
};
use crate::support::{Api, Token};

pub(super) struct Worker {
    pub user: i64,
    step: u64,
    pub own: Ledger,
    pub hot: Ledger,
    tally: Tally,
}

impl Ledger {
    /// Takes back the last doubt, unless the answer leaves it.
    fn settle(&mut self, answer: &Answer) {
        if !matches!(answer, Answer::NotKnown) {
            self.doubts.pop();
        }
    }
}

/// A count that another node changed should be right within a second; a slow machine has more.
const SOON: Duration = Duration::from_secs(60);

impl Worker {
    pub fn new(user: i64, tally: Tally) -> Self {
        Self { user, step: 0, own: Ledger::default(), hot: Ledger::default(), tally }
    }

    /// Works at the first of these nodes until there is no answer, or it is enough.
    pub async fn work(mut self, nodes: Vec<Api>, enough: Arc<AtomicBool>) -> Self {
        let token = Token::of(SECRET, self.user).sign();
        let readers: Vec<_> = nodes.iter().map(|node| node.bearer(&token)).collect();
        let (sender, reader) = (nodes[0].key(KEY), &readers[0]);
        while !enough.load(Relaxed) {
            // A step that was not answered is not tried again: it may have been done.
            if self.act(&sender, reader).await.is_none() {
                break;
            }
            if self.step.is_multiple_of(8) {
                self.counts(&readers).await;
            }
        }
        self
    }

    /// While nothing is in doubt the inbox has one right count, as nobody else changes it: the node that was told of
    /// the changes shows it at once, the others soon. One that refuses or is gone shows nothing.
    async fn counts(&self, readers: &[Api]) {
        if !self.own.doubts.is_empty() {
            return;
        }
        for (place, reader) in readers.iter().enumerate() {
            let start = Instant::now();
            while let Ok(Answer::Done(answer)) =
                self.tally.ask(reader.request(Method::GET, "/unread-count")).await
            {
                if answer["unread_count"] == self.own.unread() {
                    break;
                }
                let user = self.user;
                let has_time = place > 0 && start.elapsed() < SOON;
                assert!(has_time, "{answer}, and user {user} has {} unread", self.own.unread());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
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
                let answer = self.tally.change(reader.request(Method::POST, &path)).await.ok()?;
                if let Answer::Done(answer) = &answer {
                    let at = answer["notification"]["read_at"].as_str().expect("a time").to_owned();
                    self.own.known.entry(id).and_modify(|(_, state)| *state = State::Read(at));
                }
                self.own.settle(&answer);
            }
            7 if let Some(id) = newest(|state| *state != State::Deleted) => {
                self.own.doubts.push(Doubt::Deleted(id));
                let answer =
                    self.tally.change(reader.request(Method::DELETE, &format!("/{id}"))).await.ok()?;
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
                let answer =
                    self.tally.change(sender.request(Method::POST, "/send").json(&body)).await.ok()?;
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
}
