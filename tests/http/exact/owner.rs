//! A user whom only their checker changes, so that it knows what must be there.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::json;

use super::{Page, Person, now};
use crate::support::{Answer, Dice};

const ROUNDS: usize = 50;

/// What is known of a notification.
struct Row {
    read: bool,
    /// In microseconds since 1970.
    expires_at: Option<i64>,
    key: Option<u64>,
}

impl Row {
    fn is_there(&self, at: i64) -> bool {
        self.expires_at.is_none_or(|end| at < end)
    }
}

struct Owner {
    person: Person,
    rows: BTreeMap<i64, Row>,
    /// What was deleted last.
    deleted: Option<(i64, Row)>,
    /// The latest sent with each key.
    latest: BTreeMap<u64, i64>,
    dice: Dice,
    expired: usize,
}

/// Lives for some rounds of a change and a look; tells how many notifications were seen to expire.
pub async fn live(person: Person, seed: u64) -> usize {
    let mut owner = Owner {
        person,
        rows: BTreeMap::new(),
        deleted: None,
        latest: BTreeMap::new(),
        dice: Dice::new(seed + 11),
        expired: 0,
    };
    for _ in 0..ROUNDS {
        owner.change().await;
        owner.look().await;
    }
    owner.expired
}

impl Owner {
    async fn change(&mut self) {
        match (self.dice.roll(15), self.pick()) {
            (0..=2, _) => {
                let sends = (0..=self.dice.roll(3)).map(|_| self.person.send(json!({})));
                for id in join_all(sends).await {
                    self.rows.insert(id, Row { read: false, expires_at: None, key: None });
                }
            }
            (3, _) => self.replace().await,
            (4..=5, _) => {
                let expires_at = now() + 200_000 + self.dice.roll(800_000).cast_signed();
                let until = jiff::Timestamp::from_microsecond(expires_at).expect("a time").to_string();
                let id = self.person.send(json!({ "until": until })).await;
                self.rows.insert(id, Row { read: false, expires_at: Some(expires_at), key: None });
            }
            (6..=7, Some(id)) => {
                let path = format!("/{id}/mark-read");
                if self.judged(id, self.person.own.post(&path)).await
                    && let Some(row) = self.rows.get_mut(&id)
                {
                    row.read = true;
                }
            }
            (8..=9, Some(id)) => {
                let path = format!("/{id}");
                let deleted = self.judged(id, self.person.own.delete(&path)).await;
                let row = self.rows.remove(&id);
                if deleted {
                    self.deleted = row.map(|row| (id, row));
                }
            }
            (10, up_to) => {
                let up_to = up_to.filter(|_| self.dice.roll(2) == 0);
                self.person.own.post_json("/mark-all-read", &json!({ "up_to": up_to })).await.expect(200);
                let end = up_to.unwrap_or(i64::MAX);
                self.rows.range_mut(..=end).for_each(|(_, row)| row.read = true);
            }
            (11, _) if self.dice.roll(3) == 0 => {
                self.person.key.delete(&format!("/users/{}", self.person.id)).await.expect(200);
                for path in ["/", "/unread-count"] {
                    self.person.own.get(path).await.expect(404);
                }
                self.rows.clear();
                self.latest.clear();
                self.deleted = None;
                self.person.put().await;
            }
            (12, Some(id)) => {
                let path = format!("/{id}/mark-unread");
                if self.judged(id, self.person.own.post(&path)).await
                    && let Some(row) = self.rows.get_mut(&id)
                {
                    row.read = false;
                }
            }
            (13..=14, _) => self.restore().await,
            _ => {}
        }
    }

    /// Puts back what was deleted last.
    async fn restore(&mut self) {
        let Some((id, row)) = self.deleted.take() else { return };
        let latest = row.key.and_then(|key| self.latest.get(&key));
        let is_replaced = !row.read && latest.is_some_and(|latest| *latest != id);
        let path = format!("/{id}/restore");
        if is_replaced {
            self.person.own.post(&path).await.expect(404);
            return;
        }
        self.rows.insert(id, row);
        if !self.judged(id, self.person.own.post(&path)).await {
            self.rows.remove(&id);
        }
    }

    fn pick(&mut self) -> Option<i64> {
        let ids: Vec<i64> = self.rows.keys().copied().collect();
        (!ids.is_empty()).then(|| ids[self.dice.place(ids.len())])
    }

    /// Sends with a collapse key.
    async fn replace(&mut self) {
        let key = self.dice.roll(2);
        let id = self.person.send(json!({ "key": format!("key {key}") })).await;
        let latest = self.rows.iter().rev().find(|(_, row)| row.key == Some(key));
        if let Some(old) = latest.filter(|(_, row)| !row.read).map(|(id, _)| *id) {
            self.rows.remove(&old);
        }
        self.rows.insert(id, Row { read: false, expires_at: None, key: Some(key) });
        self.latest.insert(key, id);
    }

    /// Whether a notification was found, which must be so before it expires and must not be so after.
    async fn judged(&self, id: i64, asked: impl Future<Output = Answer>) -> bool {
        let before = now();
        let answer = asked.await;
        let found = answer.status == 200;
        assert!(found || answer.status == 404, "{answer:?}");
        let row = &self.rows[&id];
        assert!(if found { row.is_there(before) } else { !row.is_there(now()) }, "{id}: {answer:?}");
        found
    }

    /// Asks for the count and the list, which must be those of what is known.
    async fn look(&mut self) {
        let before = now();
        let count = self.person.own.unread().await;
        let between = now();
        let page = Page::of(&self.person, "").await;
        let after = now();
        let unread = |at: i64| self.rows.values().filter(|row| !row.read && row.is_there(at)).count() as i64;
        assert!((unread(between)..=unread(before)).contains(&count), "{count} of {}", unread(before));
        for (id, read) in &page.rows {
            let row = self.rows.get(id).unwrap_or_else(|| panic!("{id} is gone"));
            assert!(row.is_there(between), "{id} has expired");
            assert_eq!(*read, row.read, "{id}");
        }
        let shown = |id: &i64| page.rows.iter().any(|row| row.0 == *id);
        for (id, row) in &self.rows {
            assert!(shown(id) || !row.is_there(after), "{id} is missing");
        }
        let kept = self.rows.len();
        self.rows.retain(|id, _| shown(id));
        self.expired += kept - self.rows.len();
    }
}
