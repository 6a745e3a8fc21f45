//! A client that must not send twice: it repeats each send under its `Idempotency-Key`, at one node after the other,
//! until it is stored, even by the next life of the gateway.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::json;

use super::{
    KEY,
    client::{Answer, Lost, Tally},
    ledger::{Doubt, Ledger, State},
};
use crate::support::Api;

/// Whom it alone sends to.
pub(super) const REPEATER: i64 = 9;

pub(super) struct Repeater {
    /// How many of its sends were stored.
    stored: usize,
    pub own: Ledger,
    tally: Tally,
}

/// Between two tries.
const REST: Duration = Duration::from_millis(20);

impl Repeater {
    pub fn new(tally: Tally) -> Self {
        Self { stored: 0, own: Ledger::default(), tally }
    }

    /// Sends until every node is gone or one has failed, or it is enough.
    pub async fn work(mut self, nodes: Vec<Api>, enough: Arc<AtomicBool>) -> Self {
        let senders: Vec<_> = nodes.iter().map(|node| node.key(KEY)).collect();
        while !enough.load(Relaxed) && self.send(&senders).await.is_some() {}
        self
    }

    async fn send(&mut self, senders: &[Api]) -> Option<()> {
        let title = format!("repeated-{}", self.stored);
        self.own.doubts.push(Doubt::Sent(title.clone()));
        let body = json!({"user_id": REPEATER, "type": "custom", "title": title});
        let mut gone = 0;
        for sender in senders.iter().cycle().skip(self.stored % senders.len()) {
            let request = sender.request(Method::POST, "/send").header("Idempotency-Key", &title).json(&body);
            match self.tally.change(request).await {
                Ok(Answer::Done(answer)) => {
                    let id = answer["notification"]["notification_id"].as_i64().expect("an id");
                    // One that was left in doubt, and looked for, is known already.
                    let before = self.own.known.insert(id, (title.clone(), State::Unread));
                    assert!(before.is_none_or(|(known, _)| known == title), "{id} is {title} too");
                    self.own.doubts.clear();
                    self.stored += 1;
                    return Some(());
                }
                Ok(Answer::Refused | Answer::NotKnown) => gone = 0,
                Err(Lost::Gone) => gone += 1,
                Err(Lost::Failed) => return None,
            }
            if gone == senders.len() {
                return None;
            }
            tokio::time::sleep(REST).await;
        }
        None
    }
}
