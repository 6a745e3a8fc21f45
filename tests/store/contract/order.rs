//! What must hold whatever happens at once: counts, revisions, rows and answers agree.

use std::collections::HashMap;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use bellboard::cache::UnreadCache;
use bellboard::clock::Clock;
use bellboard::domain::{Change, ChangeKind, Draft, Error, NotificationId, TenantId};
use bellboard::store::{Observer, Options, Store};

use super::bed::*;
use crate::support::Dice;

/// A count as it was given: it must be right at some revision from that of a change whose answer
/// came before, to one read after.
struct Seen {
    user: i64,
    count: i64,
    answered: Option<(ChangeKind, NotificationId)>,
    to: i64,
}

/// What all tasks share.
struct World {
    store: Store,
    cache: Arc<UnreadCache>,
    clock: Clock,
}

/// Changes inboxes at random, and asks for a count after each change.
async fn wander(world: Arc<World>, seed: u64) -> Vec<Seen> {
    let World { store, clock, .. } = &*world;
    let mut dice = Dice::new(seed);
    let (mut ids, mut seen): (Vec<NotificationId>, Vec<Seen>) = Default::default();
    let home = tenant();
    for step in 0..60 {
        let user = 1 + dice.roll(3).cast_signed();
        let known = (!ids.is_empty()).then(|| ids[dice.roll(ids.len() as u64) as usize]);
        let answered = match (dice.roll(8), known) {
            (0..=2, _) => Some((ChangeKind::Arrived, send(store, user, "plain").await)),
            (3, _) => {
                let expires_at = Some(NOON.plus_seconds(dice.roll(9).cast_signed()).0);
                let key = Some(format!("k{}", dice.roll(2)));
                let draft = Draft { expires_at, collapse_key: key, ..draft(user, "x") };
                Some((ChangeKind::Arrived, send_draft(store, draft).await))
            }
            (4, Some(id)) => {
                store.mark_read(&home, user_id(user), id).await.ok().map(|_| (ChangeKind::Read, id))
            }
            (5, Some(id)) => {
                store.delete(&home, user_id(user), id).await.ok().map(|()| (ChangeKind::Deleted, id))
            }
            (6, id) if dice.roll(4) == 0 => {
                store.mark_all_read(&home, user_id(user), id).await.expect("marked");
                None
            }
            _ => {
                clock.advance_seconds(i64::from(seed == 1 && step % 20 == 0));
                None
            }
        };
        if let Some((ChangeKind::Arrived, id)) = answered {
            ids.push(id);
        }
        let load = store.head(&home, user_id(user));
        let count = world.cache.count(&home, user_id(user), clock.now(), load).await.expect("a count").unread;
        let to = store.head(&home, user_id(user)).await.expect("a head").rev;
        seen.push(Seen { user, count, answered, to });
    }
    seen
}

pub async fn counts_revisions_and_rows_agree_under_load(bed: Bed) {
    bed.with_users().await.close().await;
    let cache = Arc::new(UnreadCache::new(1_000, None));
    let store = bed.open_before(&cache, Options::default()).await;
    let clock = bed.clock.clone();
    let world = Arc::new(World { store: store.clone(), cache: cache.clone(), clock });
    let tasks: Vec<_> = (1..=16).map(|n| tokio::spawn(wander(world.clone(), n))).collect();
    let mut seen = Vec::new();
    for task in tasks {
        seen.extend(task.await.expect("no panic"));
    }
    for user in 1..=3 {
        let page = store.page(&tenant(), user_id(user), &all_of_it()).await.expect("a page");
        let rows = page.notifications.iter().filter(|n| n.read_at.is_none()).count();
        assert_eq!(page.head.unread, rows as i64);
    }
    let changes = bed.changes();
    agree(&store, &changes).await;
    for Seen { user, count, answered, to } in seen {
        let ours: Vec<_> = changes.iter().filter(|c| c.user == user_id(user)).collect();
        let of =
            |c: &&&Change| answered.is_some_and(|(kind, id)| (c.kind, c.notification) == (kind, Some(id)));
        let from = ours.iter().find(of).map_or(0, |c| c.rev);
        let right = ours.iter().any(|c| (from..=to).contains(&c.rev) && c.unread == count);
        assert!(right || (from, count) == (0, 0), "{count} was never right from {from} to {to}");
    }
    assert!(cache.hits() > 0);
}

fn all_of_it() -> bellboard::store::PageQuery {
    bellboard::store::PageQuery { limit: 10_000, ..Default::default() }
}

/// Each inbox's changes came in order, none is missing, and the last is the head.
async fn agree(store: &Store, changes: &[Change]) {
    let mut last: HashMap<i64, (i64, i64)> = HashMap::new();
    for change in changes {
        let (rev, unread) = last.entry(change.user.get()).or_default();
        assert_eq!(change.rev, *rev + 1, "one by one");
        (*rev, *unread) = (change.rev, change.unread);
    }
    for (user, seen) in last {
        let head = store.head(&tenant(), user_id(user)).await.expect("a head");
        assert_eq!(seen, (head.rev, head.unread));
    }
}

/// Counts what was stored.
#[derive(Default)]
struct Stored(AtomicUsize);

impl Observer for Stored {
    fn batch(&self, _: usize, _: Duration) {}

    fn stored(&self, tenant: &TenantId, kind: &str) {
        assert_eq!((tenant.as_str(), kind), ("default", "custom"));
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub async fn a_dropped_send_is_stored_or_not_but_counts_agree(bed: Bed) {
    bed.with_users().await.close().await;
    let (options, stored) =
        (Options { clock: bed.clock.clone(), ..Options::default() }, Arc::<Stored>::default());
    let store = Store::open(&bed.url, options, bed.heard.clone(), stored.clone()).await.expect("opens");
    let mut kept = 0;
    for n in 0..200_u64 {
        let (store, title) = (store.clone(), n.to_string());
        let task = tokio::spawn(async move { send(&store, 1, &title).await });
        if n % 2 == 0 {
            // Sooner or later on its way, as it happens.
            for _ in 0..n % 7 {
                tokio::task::yield_now().await;
            }
            task.abort();
            let _ = task.await;
        } else {
            task.await.expect("stored");
            kept += 1;
        }
    }
    store.probe().await.expect("all before it is done");
    let (rows, count) = (titles(&store, 1, all()).await.len(), unread(&store, 1).await);
    assert_eq!(rows as i64, count);
    assert!(count >= kept);
    assert_eq!(stored.0.load(Ordering::Relaxed), rows, "observed, though nobody waits");
    agree(&store, &bed.changes()).await;
}

pub async fn a_full_queue_is_busy_before_queueing(bed: Bed) {
    bed.with_users().await.close().await;
    let store = bed.open_with(Options { queue_capacity: 8, batch_max: 1, ..Options::default() }).await;
    let home = tenant();
    // Polled together before the writer can run: half of the queue is one tenant's.
    let sends = (0..40).map(|n| store.send(&home, new(draft(1, &n.to_string()))));
    let sent = futures_util::future::join_all(sends).await;
    let stored = sent.iter().filter(|s| s.is_ok()).count();
    let busy = sent.iter().filter(|s| matches!(s, Err(Error::Busy { .. }))).count();
    assert_eq!(stored + busy, 40);
    assert!(busy > 0 && stored >= 4, "{stored} stored, {busy} refused");
    assert_eq!(unread(&store, 1).await, stored as i64);
    assert_eq!(store.queue_depth(), 0);
}

pub async fn keeps_what_it_acknowledged(bed: Bed) {
    let store = bed.with_users().await;
    let sent = send(&store, 1, "kept").await;
    store.mark_read(&tenant(), user_id(1), sent).await.expect("marked");
    store.close().await;
    let store = bed.open().await;
    assert_eq!(titles(&store, 1, all()).await, ["kept"]);
    assert_eq!(unread(&store, 1).await, 0);
    assert!(send(&store, 1, "next").await > sent);
    store.close().await;
}

pub async fn answers_what_it_accepted_before_closing(bed: Bed) {
    let store = bed.with_users().await;
    let sends: Vec<_> = (0..50)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.send(&tenant(), new(draft(1, &n.to_string()))).await })
        })
        .collect();
    tokio::task::yield_now().await;
    tokio::time::timeout(Duration::from_secs(20), store.close()).await.expect("closes");
    let mut stored = 0;
    for sent in sends {
        match sent.await.expect("no panic") {
            Ok(_) => stored += 1,
            Err(Error::Busy { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    let store = bed.open().await;
    assert_eq!(unread(&store, 1).await, stored);
}
