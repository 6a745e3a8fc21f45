//! Stores notifications before anything is measured, by the way that every send takes.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    Result,
    cases::{Batches, SendTemplate, Unread},
    connection::Connection,
    credentials::Credentials,
    load::{self, Case, Random},
};

/// The id of the first user. All users' ids have as many digits, so that requests differ in nothing else.
pub const FIRST_USER: u64 = 100_000;
/// Digits in a user's id.
pub const USER_DIGITS: usize = 6;
/// Sends that remember the notifications of readers as unread.
pub struct Filler {
    pub address: SocketAddr,
    pub connections: u64,
    pub template: Arc<SendTemplate>,
    pub readers: u64,
    pub unread: Arc<Unread>,
}

impl Filler {
    /// Sends `rows` notifications to the first `users` users in turn; an error when it takes longer than this.
    pub async fn in_turn(&self, rows: u64, users: u64, longest: Duration) -> Result<()> {
        let stored = self.send(rows, users, longest).await?;
        if stored < rows {
            return Err(format!(
                "the fill stored only {stored} of {rows} in {longest:?}; ask for less with --users and --rows"
            )
            .into());
        }
        Ok(())
    }

    /// Sends to readers until `wanted` unread ones are remembered, or until `longest` has passed.
    pub async fn top_up(&self, wanted: u64, longest: Duration) -> Result<()> {
        let missing = wanted.saturating_sub(self.unread.len());
        if missing == 0 {
            return Ok(());
        }
        self.send(missing, self.readers, longest).await?;
        Ok(())
    }

    /// Sends `rows` notifications to the user with this place, in batches of a thousand.
    pub async fn batches_to(&self, place: u64, rows: u64, credentials: &Credentials) -> Result<()> {
        let batch = Batches::to_one(credentials, place, 1_000);
        let mut connection = Connection::open(self.address).await?;
        let (mut random, mut request) = (Random::fresh(), Vec::new());
        for _ in 0..rows.div_ceil(1_000) {
            batch.next(&mut random, &mut request);
            let answer = connection.exchange(&request).await?;
            load::accept(&batch, 0, &answer)?;
        }
        Ok(())
    }

    async fn send(&self, rows: u64, users: u64, longest: Duration) -> Result<u64> {
        let start = Instant::now();
        let turn = Turn {
            template: Arc::clone(&self.template),
            next: AtomicU64::new(0),
            rows,
            users,
            readers: self.readers,
            unread: Arc::clone(&self.unread),
        };
        let case: Arc<dyn Case> = Arc::new(turn);
        let sample = load::drive(&[self.address], self.connections, longest, &case).await?;
        eprintln!("  stored {} in {:.1} s", sample.micros.len(), start.elapsed().as_secs_f64());
        Ok(sample.micros.len() as u64)
    }
}

struct Turn {
    template: Arc<SendTemplate>,
    next: AtomicU64,
    rows: u64,
    users: u64,
    readers: u64,
    unread: Arc<Unread>,
}

impl Case for Turn {
    fn status(&self) -> u16 {
        201
    }

    fn next(&self, _random: &mut Random, out: &mut Vec<u8>) -> Option<u64> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if turn >= self.rows {
            return None;
        }
        let place = turn % self.users;
        self.template.write(place, out);
        Some(place)
    }

    fn answered(&self, place: u64, body: &[u8]) -> Result<()> {
        if place < self.readers {
            let id = notification_id(body).ok_or("a send's answer has no notification_id")?;
            self.unread.put(place, id);
        }
        Ok(())
    }
}

/// The first id of a notification in a text.
pub fn notification_id(body: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(r#""notification_id":"#)?;
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}
