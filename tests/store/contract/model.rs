//! An inbox of a few lines to compare the store's with: rows in memory, one thing at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use bellboard::config::Retention;
use bellboard::domain::{Change, ChangeKind, Timestamp};

/// A notification in an inbox.
#[derive(Debug, Clone)]
pub struct Row {
    pub title: String,
    pub sender: u8,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
}

impl Row {
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    fn counts(&self) -> i64 {
        i64::from(self.read_at.is_none())
    }
}

/// A notification that its user deleted.
struct Deleted {
    row: Row,
    at: Timestamp,
    /// The collapse key that it was the latest of.
    key: Option<u8>,
}

/// A change that the store must tell, and by how much it moves the unread count.
type Owed = (ChangeKind, Option<i64>, i64);

/// One user's inbox.
#[derive(Default)]
pub struct Inbox {
    pub known: bool,
    pub rows: BTreeMap<i64, Row>,
    pub rev: i64,
    keys: BTreeMap<u8, i64>,
    deleted: BTreeMap<i64, Deleted>,
    owed: Vec<Owed>,
    /// Revision and count of the last change told.
    told: (i64, i64),
}

impl Inbox {
    pub fn unread(&self) -> i64 {
        self.rows.values().map(Row::counts).sum()
    }

    /// The earliest expiry.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.rows.values().filter_map(|row| row.expires_at).min()
    }

    /// Newest first, as a page tells them: those before an id, and whether there are more.
    pub fn page(&self, before: i64, unread_only: bool, limit: usize) -> (Vec<(i64, String, bool)>, bool) {
        let rows = self.rows.range(..before).rev().filter(|(_, row)| !unread_only || row.read_at.is_none());
        let mut page: Vec<_> =
            rows.map(|(id, row)| (*id, row.title.clone(), row.read_at.is_some())).take(limit + 1).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        (page, more)
    }

    pub fn send(&mut self, id: i64, row: Row, key: Option<u8>) {
        let replaced = key.and_then(|key| self.keys.insert(key, id));
        if let Some(old) = replaced.filter(|old| self.rows.get(old).is_some_and(|row| row.read_at.is_none()))
        {
            self.take(old, ChangeKind::Deleted);
        }
        self.rows.insert(id, row);
        self.owe(ChangeKind::Arrived, Some(id), 1);
    }

    /// When it was first read.
    pub fn mark(&mut self, id: i64, now: Timestamp, due: Timestamp) -> Option<Timestamp> {
        let row = self.rows.get_mut(&id).filter(|row| !row.is_due(due))?;
        if row.read_at.is_none() {
            row.read_at = Some(now);
            self.owe(ChangeKind::Read, Some(id), -1);
            return Some(now);
        }
        row.read_at
    }

    /// Whether it is there.
    pub fn mark_unread(&mut self, id: i64, now: Timestamp) -> bool {
        let Some(row) = self.rows.get_mut(&id).filter(|row| !row.is_due(now)) else { return false };
        if row.read_at.take().is_some() {
            self.owe(ChangeKind::Unread, Some(id), 1);
        }
        true
    }

    /// How many were unread.
    pub fn mark_all(&mut self, up_to: i64, now: Timestamp) -> i64 {
        let unread = self.rows.range_mut(..=up_to).filter(|(_, row)| row.read_at.is_none());
        let (mut marked, mut last) = (0, None);
        for (id, row) in unread {
            row.read_at = Some(now);
            (marked, last) = (marked + 1, Some(*id));
        }
        if marked > 0 {
            self.owe(ChangeKind::ReadAll, last, -marked);
        }
        marked
    }

    pub fn delete(&mut self, id: i64, now: Timestamp, due: Timestamp) -> bool {
        let Some(row) = self.rows.get(&id).filter(|row| !row.is_due(due)).cloned() else { return false };
        let key = self.keys.iter().find(|(_, latest)| **latest == id).map(|(key, _)| *key);
        self.deleted.insert(id, Deleted { row, at: now, key });
        self.take(id, ChangeKind::Deleted)
    }

    /// Whether it was put back, and when it was read; `None` where it is not there then.
    pub fn restore(
        &mut self,
        id: i64,
        within: Duration,
        now: Timestamp,
    ) -> Option<(bool, Option<Timestamp>)> {
        if let Some(row) = self.rows.get(&id).filter(|row| !row.is_due(now)) {
            return Some((false, row.read_at));
        }
        let since = now.0 - i64::try_from(within.as_micros()).expect("short");
        let keys = &self.keys;
        let comes = |deleted: &Deleted| {
            let is_replaced = deleted.key.is_some_and(|key| keys.get(&key) != Some(&id));
            deleted.at.0 > since
                && !deleted.row.is_due(now)
                && (deleted.row.read_at.is_some() || !is_replaced)
        };
        if !self.deleted.get(&id).is_some_and(comes) {
            return None;
        }
        let Deleted { row, .. } = self.deleted.remove(&id)?;
        let kind = if row.read_at.is_none() { ChangeKind::Restored } else { ChangeKind::RestoredRead };
        self.owe(kind, Some(id), row.counts());
        let read_at = row.read_at;
        self.rows.insert(id, row);
        Some((true, read_at))
    }

    /// Takes out what is due.
    pub fn expire(&mut self, now: Timestamp) -> u64 {
        self.take_all(|_, row| row.is_due(now), ChangeKind::Expired)
    }

    /// Takes out what is no longer kept.
    pub fn retire(&mut self, keep: &Retention, now: Timestamp) -> u64 {
        let past = |age: Option<Duration>, row: &Row| {
            age.is_some_and(|age| row.created_at.0 < now.0 - i64::try_from(age.as_micros()).expect("short"))
        };
        let newest = keep.newest.map_or(usize::MAX, |n| usize::try_from(n).expect("small"));
        let floor = self.rows.keys().rev().nth(newest).copied().unwrap_or(0);
        let goes = |id: i64, row: &Row| {
            id <= floor || past(keep.unread, row) || (row.read_at.is_some() && past(keep.read, row))
        };
        self.take_all(goes, ChangeKind::Expired)
    }

    /// Takes out those that match.
    pub fn withdraw(&mut self, goes: impl Fn(i64, &Row) -> bool) -> u64 {
        self.deleted.retain(|id, deleted| !goes(*id, &deleted.row));
        self.take_all(goes, ChangeKind::Deleted)
    }

    /// The latest one that was sent with a key.
    pub fn keyed(&self, key: u8) -> Option<i64> {
        self.keys.get(&key).copied()
    }

    pub fn erase(&mut self) {
        self.owe(ChangeKind::Erased, None, -self.unread());
        (self.known, self.rows, self.keys, self.deleted) = <_>::default();
    }

    fn take_all(&mut self, goes: impl Fn(i64, &Row) -> bool, kind: ChangeKind) -> u64 {
        let ids: Vec<i64> = self.rows.iter().filter(|(id, row)| goes(**id, row)).map(|(id, _)| *id).collect();
        ids.iter().filter(|id| self.take(**id, kind)).count() as u64
    }

    fn take(&mut self, id: i64, kind: ChangeKind) -> bool {
        let Some(row) = self.rows.remove(&id) else { return false };
        self.owe(kind, Some(id), -row.counts());
        true
    }

    fn owe(&mut self, kind: ChangeKind, id: Option<i64>, by: i64) {
        self.rev += 1;
        self.owed.push((kind, id, by));
    }

    /// Checks what the store told: each change owed once, each one revision, and the count right after it.
    pub fn hear(&mut self, change: &Change) -> Result<(), String> {
        let id = change.notification.map(|id| id.get());
        let place = self.owed.iter().position(|owed| (owed.0, owed.1) == (change.kind, id));
        let (.., by) = self.owed.remove(place.ok_or_else(|| format!("not owed: {change:?}"))?);
        self.told = (self.told.0 + 1, self.told.1 + by);
        if self.told != (change.rev, change.unread) {
            return Err(format!("told {change:?}, where revision and count are {:?}", self.told));
        }
        Ok(())
    }

    /// Checks that nothing was left untold.
    pub fn heard_all(&self) -> Result<(), String> {
        if self.owed.is_empty() { Ok(()) } else { Err(format!("untold: {:?}", self.owed)) }
    }
}
