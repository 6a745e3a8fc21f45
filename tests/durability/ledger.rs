//! What the gateway has acknowledged about one inbox, to be held against what it shows.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::support::Api;

/// A notification as it was last acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Unread,
    /// With the time that was told.
    Read(String),
    Deleted,
}

/// What was asked and not answered: it may have happened or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// A send, by its title.
    Sent(String),
    Read(i64),
    Deleted(i64),
}

/// One user's inbox.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By id: the title, which no two have in common, and the state.
    pub known: BTreeMap<i64, (String, State)>,
    pub doubts: Vec<Doubt>,
}

impl Ledger {
    /// Reads the inbox and fails on anything that was acknowledged and is not so: each notification exactly
    /// once, its state, and the count of what is unread. What was in doubt is known after that. Only what is in
    /// doubt or has at least the id `from` is looked at, but the count is always that of all.
    pub async fn check(&mut self, api: &Api, from: i64) {
        let doubted = self.doubts.iter().filter_map(|doubt| match doubt {
            Doubt::Sent(_) => None,
            Doubt::Read(id) | Doubt::Deleted(id) => Some(*id),
        });
        let from = doubted.min().map_or(from, |id| id.min(from));
        let listed = list(api, from).await;
        let mut titles = HashSet::new();
        for (id, title, read_at) in &listed {
            assert!(titles.insert(title), "{title} is there twice");
            let Some((known, state)) = self.known.get_mut(id) else {
                assert!(self.doubts.contains(&Doubt::Sent(title.clone())), "nobody sent {title} ({id})");
                self.known.insert(*id, (title.clone(), State::Unread));
                continue;
            };
            assert_eq!(known, title, "of notification {id}");
            match (&*state, read_at) {
                (State::Unread, None) => {}
                (State::Read(told), Some(at)) => assert_eq!(told, at, "{title} ({id}) was read then"),
                (State::Unread, Some(at)) if self.doubts.contains(&Doubt::Read(*id)) => {
                    *state = State::Read(at.clone());
                }
                (state, _) => {
                    panic!("{title} ({id}) was acknowledged as {state:?}, and read_at is {read_at:?}")
                }
            }
        }
        let there: HashSet<i64> = listed.iter().map(|(id, ..)| *id).collect();
        for (id, (title, state)) in self.known.range_mut(from..) {
            if *state != State::Deleted && !there.contains(id) {
                let doubted = self.doubts.contains(&Doubt::Deleted(*id));
                assert!(doubted, "{title} ({id}) was acknowledged as {state:?} and is lost");
                *state = State::Deleted;
            }
        }
        self.doubts.clear();
        assert_eq!(api.unread().await, self.unread(), "the unread count");
    }

    /// How many it has that are unread.
    pub fn unread(&self) -> i64 {
        let unread = self.known.values().filter(|(_, state)| *state == State::Unread).count();
        i64::try_from(unread).expect("a small count")
    }

    /// The acknowledged that are not in this list, by the ids of the inbox: what a liar lost.
    pub async fn lost(&self, api: &Api) -> usize {
        let there: HashSet<i64> = list(api, 0).await.into_iter().map(|(id, ..)| id).collect();
        let kept = self.known.iter().filter(|(_, (_, state))| *state != State::Deleted);
        kept.filter(|(id, _)| !there.contains(id)).count()
    }

    /// The highest id so far.
    pub fn newest(&self) -> i64 {
        self.known.last_key_value().map_or(0, |(id, _)| *id)
    }
}

/// Id, title and time of reading, newest first, down to an id.
async fn list(api: &Api, from: i64) -> Vec<(i64, String, Option<String>)> {
    let mut listed: Vec<(i64, String, Option<String>)> = Vec::new();
    let mut path = "/?limit=200".to_owned();
    loop {
        let page = api.get(&path).await.expect(200).json();
        let list = page["notifications"].as_array().expect("a list");
        let text = |n: &Value, name: &str| n[name].as_str().map(str::to_owned);
        for n in list {
            let id = n["notification_id"].as_i64().expect("an id");
            assert!(listed.last().is_none_or(|(last, ..)| *last > id), "{id} is out of its order");
            listed.push((id, text(n, "title").expect("a title"), text(n, "read_at")));
        }
        let reached = listed.last().is_some_and(|(id, ..)| *id < from);
        match page["next_cursor"].as_str() {
            Some(next) if !reached => path = format!("/?limit=200&cursor={next}"),
            _ => break,
        }
    }
    listed.retain(|(id, ..)| *id >= from);
    listed
}
