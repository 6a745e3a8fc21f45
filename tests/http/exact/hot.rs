//! A user whom many change at once: what was answered before bounds the count from one side, what may still
//! be under way from the other.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use serde_json::json;

use super::{Page, Person};
use crate::support::Dice;

/// So that all that is sent fits on one page, however much of it is taken back.
const ROUNDS: usize = 32;

/// What was begun and what was answered, by all.
#[derive(Default)]
pub struct Figures {
    sending: AtomicI64,
    sent: AtomicI64,
    /// Marked read or deleted, each a notification of its own at a time.
    taking: AtomicI64,
    taken: AtomicI64,
}

/// Sends, takes every other one back, undoes that half of the time, and looks each time.
pub async fn work(person: Person, figures: Arc<Figures>, seed: u64) {
    let mut dice = Dice::new(seed + 101);
    for round in 0..ROUNDS {
        figures.sending.fetch_add(1, SeqCst);
        let id = person.send(json!({})).await;
        figures.sent.fetch_add(1, SeqCst);
        look(&person, &figures).await;
        if round % 2 == 0 {
            figures.taking.fetch_add(1, SeqCst);
            let back = if dice.roll(2) == 0 {
                person.own.post(&format!("/{id}/mark-read")).await.expect(200);
                "mark-unread"
            } else {
                person.own.delete(&format!("/{id}")).await.expect(200);
                "restore"
            };
            figures.taken.fetch_add(1, SeqCst);
            look(&person, &figures).await;
            if round % 4 == 0 {
                // Back among the unread ones, as if it had been sent now.
                figures.sending.fetch_add(1, SeqCst);
                person.own.post(&format!("/{id}/{back}")).await.expect(200);
                figures.sent.fetch_add(1, SeqCst);
                look(&person, &figures).await;
            }
        }
    }
}

async fn look(person: &Person, figures: &Figures) {
    for listed in [false, true] {
        let (sent, taken) = (figures.sent.load(SeqCst), figures.taken.load(SeqCst));
        let count =
            if listed { Page::of(person, "&unread=true").await.unread } else { person.own.unread().await };
        let (sending, taking) = (figures.sending.load(SeqCst), figures.taking.load(SeqCst));
        assert!((sent - taking..=sending - taken).contains(&count), "{count} listed: {listed}");
    }
}
