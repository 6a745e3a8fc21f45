//! Users who send, list, mark, delete and count on some nodes; every answer is the right one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::json;
use tokio::task::JoinHandle;

use super::{KEY, SECRET};
use crate::support::{Api, Gateway, Token};

/// How many users are at work.
const USERS: i64 = 4;
/// Rounds of each that show that it goes on.
const ROUNDS: usize = 2;
/// Requests of a round.
const REQUESTS: usize = 8;

pub struct Load {
    enough: Arc<AtomicBool>,
    users: Vec<(Arc<AtomicUsize>, JoinHandle<()>)>,
}

impl Load {
    /// Each user goes from node to node.
    pub fn start(nodes: &[&Gateway]) -> Self {
        let enough = Arc::<AtomicBool>::default();
        // Another load may be at work: each has users of its own.
        static FIRST: AtomicUsize = AtomicUsize::new(1);
        let first = FIRST.fetch_add(USERS as usize, Relaxed) as i64;
        let users = (first..first + USERS).map(|user| {
            let apis: Vec<_> = nodes.iter().map(|node| node.api()).collect();
            let (enough, rounds) = (Arc::clone(&enough), Arc::<AtomicUsize>::default());
            let done = Arc::clone(&rounds);
            let task = tokio::spawn(async move {
                for api in apis.iter().cycle() {
                    if enough.load(Relaxed) {
                        break;
                    }
                    round(api, user, done.load(Relaxed)).await;
                    done.fetch_add(1, Relaxed);
                }
            });
            (rounds, task)
        });
        Self { users: users.collect(), enough }
    }

    /// Waits until every user has done some more.
    pub async fn goes_on(&self) {
        for (rounds, task) in &self.users {
            let then = rounds.load(Relaxed) + ROUNDS;
            while rounds.load(Relaxed) < then {
                assert!(!task.is_finished(), "a request failed");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }

    /// Lets all come to an end; gives how many requests there were.
    pub async fn ends(self) -> usize {
        self.enough.store(true, Relaxed);
        let mut requests = 0;
        for (rounds, task) in self.users {
            task.await.expect("no request failed");
            requests += rounds.load(Relaxed) * REQUESTS;
        }
        requests
    }
}

/// Everything that an inbox is there for, each answer checked.
async fn round(api: &Api, user: i64, round: usize) {
    let (sender, reader) = (api.key(KEY), api.bearer(Token::of(SECRET, user).sign()));
    let first = sender.notify(user, "first").await;
    let second = sender.notify(user, "second").await;
    let repeated = json!({"user_id": user, "type": "custom", "title": "third"}).to_string();
    let repeated = sender
        .request(reqwest::Method::POST, "/send")
        .header("Idempotency-Key", format!("{user}-{round}"))
        .header("Content-Type", "application/json")
        .body(repeated);
    let third = crate::support::api::ask(repeated).await.expect(201).id();
    let page = reader.get("/?limit=3").await.expect(200).json();
    let ids: Vec<_> =
        page["notifications"].as_array().expect("a list").iter().map(|n| &n["notification_id"]).collect();
    assert_eq!(ids, [third, second, first]);
    assert_eq!(page["unread_count"], 3);
    reader.post(&format!("/{first}/mark-read")).await.expect(200);
    reader.delete(&format!("/{second}")).await.expect(200);
    reader.post("/mark-all-read").await.expect(200);
    // Of another node's changes a count may be half a second late.
    reader.get("/unread-count").await.expect(200);
}
