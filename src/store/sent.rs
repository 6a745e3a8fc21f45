//! What was sent and still stands in an inbox, for those who must know: by sender, type, user and time.
//!
//! No index serves this, as every index costs each send. A user's are found by the inbox's own key,
//! a time by ids, which grow with it; the rest is a filter over a bounded number of rows at a call.

use super::Store;
use super::maintain::OVERLAP;
use super::page::Filling;
use crate::domain::{Notification, NotificationId, Result, TenantId, Timestamp, UserId};

/// How many rows one call looks at.
pub(super) const SCAN: u32 = 20_000;

/// Which part of what was sent to read.
#[derive(Debug, Clone, Default)]
pub struct SentQuery {
    /// Only older ones than this.
    pub before: Option<NotificationId>,
    /// How many at most.
    pub limit: u32,
    /// Only what the principal of this name sent.
    pub sender: Option<String>,
    /// Only those of this type.
    pub kind: Option<String>,
    /// Only those in this user's inbox.
    pub user: Option<UserId>,
    /// Only those from this time on.
    pub since: Option<Timestamp>,
    /// Only those before this time.
    pub until: Option<Timestamp>,
    /// Those too that their users deleted a while ago and may put back.
    pub deleted: bool,
}

/// A notification with what only those who audit see.
#[derive(Debug, Clone)]
pub struct Sent {
    /// As its reader sees it.
    pub notification: Notification,
    /// The name of the principal who sent it.
    pub sender: String,
    /// The id of the request that brought it.
    pub request_id: String,
}

/// Part of what was sent.
#[derive(Debug, Clone)]
pub struct SentPage {
    /// Newest first. What was withdrawn, deleted, expired or erased is not there.
    pub sent: Vec<Sent>,
    /// Where to go on: before this id. A page may be short, or empty, and yet have one, as one call
    /// looks at a bounded number of notifications.
    pub next: Option<NotificationId>,
}

/// A part to be looked at by an engine: ids from `from` to before `before`, at most `scan` of them.
pub(crate) struct SentWindow<'a> {
    pub before: i64,
    pub from: i64,
    pub scan: u32,
    pub limit: u32,
    pub sender: Option<&'a str>,
    pub kind: Option<&'a str>,
    pub user: Option<UserId>,
    pub deleted: bool,
    pub since: Timestamp,
    pub until: Timestamp,
    /// What has expired by this time is not there.
    pub now: Timestamp,
}

/// What an engine found in a window.
pub(crate) struct Window<T> {
    /// One more than asked for, where there are so many.
    pub found: Vec<T>,
    /// The last place looked at, where older ones are left.
    pub floor: Option<i64>,
}

/// Something listed, which has a place in its list.
pub(crate) trait Listed {
    fn place(&self) -> i64;
    /// Bytes that it takes in an answer, about.
    fn size(&self) -> usize;
}

impl Listed for Notification {
    fn place(&self) -> i64 {
        self.id.get()
    }

    fn size(&self) -> usize {
        self.content.as_json().len() + 200
    }
}

impl Listed for Sent {
    fn place(&self) -> i64 {
        self.notification.place()
    }

    fn size(&self) -> usize {
        self.notification.size() + 100
    }
}

impl<T> Window<T> {
    /// Cuts a page, and says before which place the next one goes on.
    pub fn page(mut self, limit: u32) -> (Vec<T>, Option<i64>)
    where
        T: Listed,
    {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = self.found.len() > limit;
        self.found.truncate(limit);
        let next = if more { self.found.last().map(T::place) } else { self.floor };
        (self.found, next)
    }
}

impl Store {
    /// A page of what was sent in a tenant and still stands in an inbox.
    pub async fn sent(&self, tenant: &TenantId, query: &SentQuery) -> Result<SentPage> {
        // Ids narrow it down; which rows are meant, their own stamps say.
        let mut from = 1;
        if let Some(at) = query.since {
            let earlier = self.0.reads.of(tenant).await?.last_before(at.plus_seconds(-OVERLAP)).await?;
            from = earlier.map_or(1, |id| id.get() + 1);
        }
        let mut end = i64::MAX;
        if let Some(at) = query.until {
            let last = self.0.reads.of(tenant).await?.last_before(at.plus_seconds(OVERLAP)).await?;
            end = last.map_or(1, |id| id.get() + 1);
        }
        let mut window = SentWindow {
            before: query.before.map_or(i64::MAX, NotificationId::get).min(end),
            from,
            scan: SCAN,
            limit: 0,
            sender: query.sender.as_deref(),
            kind: query.kind.as_deref(),
            user: query.user,
            deleted: query.deleted,
            since: query.since.unwrap_or(Timestamp(i64::MIN)),
            until: query.until.unwrap_or(Timestamp(i64::MAX)),
            now: self.0.time.for_expiry(),
        };
        let mut filling = Filling::new(query.limit);
        while let Some(step) = filling.step() {
            window.limit = step;
            window.before = filling.next().unwrap_or(window.before);
            let found = self.0.reads.of(tenant).await?.sent(tenant, &window).await?;
            filling.add(found.page(step));
        }
        let (sent, next) = filling.page();
        Ok(SentPage { sent, next: next.and_then(|id| NotificationId::new(id).ok()) })
    }
}
