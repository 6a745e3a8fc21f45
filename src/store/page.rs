//! Pages of an inbox: newest first, by id.

use super::sent::{Listed, Window};
use super::{Store, key};
use crate::domain::{Error, Head, Notification, NotificationId, Result, TenantId, UserId};

/// Maximum number of rows that a page with a filter examines: about as much work as the largest page without one.
pub(super) const SCAN: u32 = 1_000;

/// Which part of an inbox to read.
#[derive(Debug, Clone, Default)]
pub struct PageQuery {
    /// Only older ones than this.
    pub before: Option<NotificationId>,
    /// How many at most.
    pub limit: u32,
    /// Only unread ones.
    pub unread_only: bool,
    /// Only those of this type.
    pub kind: Option<String>,
}

impl PageQuery {
    /// Whether rows that are read may not be shown.
    pub(super) fn is_filtered(&self) -> bool {
        self.unread_only || self.kind.is_some()
    }
}

/// Part of an inbox with its head, both of one state of the store.
#[derive(Debug, Clone)]
pub struct Page {
    /// The inbox's head.
    pub head: Head,
    /// Newest first.
    pub notifications: Vec<Notification>,
    /// The page that follows is before this id. A page may be short and yet have one, as its bytes are bounded; a
    /// filtered one may even be empty, as each examines a bounded number of rows.
    pub next: Option<NotificationId>,
}

/// Bytes that a page has at most, unless its first item alone has more.
const MAX_BYTES: usize = 1 << 20;
/// Items in the first step of a page: more than a page has by default, and 4 MiB of the largest notifications.
const FIRST_STEP: u32 = 64;

/// A page that is read in steps, so that no read holds many times what the page may.
pub(super) struct Filling<T> {
    items: Vec<T>,
    bytes: usize,
    limit: u32,
    next: Option<i64>,
    /// How many items the next step reads, if there is one.
    step: Option<u32>,
}

impl<T: Listed> Filling<T> {
    /// A page of so many items at most.
    pub fn new(limit: u32) -> Self {
        Self { items: Vec::new(), bytes: 0, limit, next: None, step: Some(limit.min(FIRST_STEP)) }
    }

    /// The same, read at once.
    pub fn in_one_step(limit: u32) -> Self {
        Self { step: Some(limit), ..Self::new(limit) }
    }

    /// How many items to read next, if the page is not full.
    pub fn step(&self) -> Option<u32> {
        self.step
    }

    /// Before which place.
    pub fn next(&self) -> Option<i64> {
        self.next
    }

    /// Adds what a step found, and before which place it goes on; cuts it where the page is full.
    pub fn add(&mut self, (found, next): (Vec<T>, Option<i64>)) {
        let is_full_step = self.step.is_some_and(|step| found.len() == step as usize);
        (self.next, self.step) = (next, None);
        for item in found {
            if self.bytes + item.size() > MAX_BYTES && !self.items.is_empty() {
                self.next = self.items.last().map(T::place);
                return;
            }
            self.bytes += item.size();
            self.items.push(item);
        }
        let count = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        if is_full_step && next.is_some() && count < self.limit {
            let average = self.bytes / self.items.len().max(1);
            let fit =
                u32::try_from((MAX_BYTES - self.bytes.min(MAX_BYTES)) / average.max(1)).unwrap_or(u32::MAX);
            self.step = Some((self.limit - count).min(fit.saturating_add(1)));
        }
    }

    /// The page, and before which place the next one goes on.
    pub fn page(self) -> (Vec<T>, Option<i64>) {
        (self.items, self.next)
    }
}

impl Page {
    /// Cuts a page out of what an engine found.
    pub(super) fn new(head: Head, window: Window<Notification>, query: &PageQuery) -> Self {
        let (notifications, next) = window.page(query.limit);
        // Where the first page shows all that is unread, no other page is asked for.
        let shows_all_unread = query.unread_only
            && query.kind.is_none()
            && query.before.is_none()
            && usize::try_from(head.unread).is_ok_and(|unread| notifications.len() >= unread);
        let next = next.filter(|_| !shows_all_unread).and_then(|id| NotificationId::new(id).ok());
        Self { head, notifications, next }
    }
}

impl Store {
    /// A page of an inbox with its head, of one state, after what is due was expired.
    ///
    /// # Errors
    /// [`Error::UserNotFound`].
    pub async fn page(&self, tenant: &TenantId, user: UserId, query: &PageQuery) -> Result<Page> {
        let inbox = key(tenant, user);
        let now = self.0.time.for_expiry();
        let (mut filling, mut step, mut head) = (Filling::new(query.limit), query.clone(), None::<Head>);
        while let Some(limit) = filling.step() {
            step.limit = limit;
            let page = self.0.reads.of(tenant).await?.page(&inbox, &step).await?;
            let page = page.ok_or(Error::UserNotFound(user))?;
            if head.is_some_and(|head| head.event_id() != page.head.event_id()) {
                // Another state: all of the page is read anew, by one statement.
                (filling, head, step.before) = (Filling::in_one_step(query.limit), None, query.before);
            } else if let Some(read) = self.without_due(&inbox, page.head, now).await {
                head = Some(read);
                filling.add((page.notifications, page.next.map(NotificationId::get)));
                step.before = filling.next().and_then(|id| NotificationId::new(id).ok());
            }
        }
        let head = head.ok_or_else(|| Error::Internal("a page without a head".into()))?;
        let (notifications, next) = filling.page();
        Ok(Page { head, notifications, next: next.and_then(|id| NotificationId::new(id).ok()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Item(i64, usize);

    impl Listed for Item {
        fn place(&self) -> i64 {
            self.0
        }

        fn size(&self) -> usize {
            self.1
        }
    }

    /// The steps that a page takes, and where it ends, of a list of items of this size.
    fn filled(limit: u32, size: usize, count: i64) -> (Vec<u32>, usize, Option<i64>) {
        let (mut filling, mut steps, mut last) = (Filling::new(limit), Vec::new(), count);
        while let Some(step) = filling.step() {
            steps.push(step);
            let items: Vec<_> = (0..last).rev().take(step as usize).map(|place| Item(place, size)).collect();
            last -= items.len() as i64;
            filling.add((items, (last > 0).then_some(last)));
        }
        let (items, next) = filling.page();
        (steps, items.len(), next)
    }

    #[test]
    fn a_page_ends_at_its_limit_its_bytes_or_the_list() {
        assert_eq!(filled(50, 300, 1_000), (vec![50], 50, Some(950)));
        assert_eq!(filled(200, 300, 1_000), (vec![64, 136], 200, Some(800)), "small items take two steps");
        assert_eq!(filled(200, 300, 100), (vec![64, 136], 100, None));
        assert_eq!(filled(200, 60_000, 1_000), (vec![64], 17, Some(983)), "a mebibyte");
        assert_eq!(filled(200, 10_000, 1_000).1, 104);
        assert_eq!(filled(200, 2 << 20, 3), (vec![64], 1, Some(2)), "one at least");
    }
}
