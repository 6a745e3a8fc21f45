//! Heads that do not match their inboxes: nobody but a hand from outside makes them, and they are found.

use std::sync::Arc;

use bellboard::cache::UnreadCache;
use bellboard::domain::{ChangeKind, Draft, Head};
use bellboard::store::{Options, Store, Walk};

use super::bed::*;

/// A whole walk: how many heads were set right, in how many steps.
async fn walk(store: &Store) -> (u64, usize) {
    let (mut walk, mut repaired, mut steps) = (Walk::default(), 0, 0);
    loop {
        let step = store.check_heads(&mut walk).await.expect("checked");
        (repaired, steps) = (repaired + step.repaired, steps + 1);
        if step.done {
            return (repaired, steps);
        }
    }
}

async fn head(store: &Store, user: i64) -> Head {
    store.head(&tenant(), user_id(user)).await.expect("a head")
}

pub async fn finds_a_wrong_head_and_tells_the_cache(bed: Bed) {
    bed.with_users().await.close().await;
    let cache = Arc::new(UnreadCache::new(100, None));
    let store = bed.open_before(&cache, Options::default()).await;
    let home = tenant();
    let count = async |user: i64| {
        let load = store.head(&home, user_id(user));
        cache.count(&home, user_id(user), bed.clock.now(), load).await.expect("a count").unread
    };
    let soon = Some(NOON.plus_seconds(10).0);
    for user in 1..=3 {
        send(&store, user, "stays").await;
        send_draft(&store, Draft { expires_at: soon, ..draft(user, "goes") }).await;
    }
    assert_eq!(walk(&store).await, (0, 1));
    let right = head(&store, 3).await;

    bed.set_heads("unread = unread + 5", "user_id = 1").await;
    bed.set_heads("next_expiry = NULL", "user_id = 2").await;
    assert_eq!(count(1).await, 7, "a wrong count is remembered");
    let heard = bed.changes().len();
    assert_eq!(walk(&store).await, (2, 1));
    assert_eq!((count(1).await, count(2).await), (2, 2));
    let told: Vec<_> =
        bed.changes()[heard..].iter().map(|c| (c.user.get(), c.kind, c.rev, c.unread)).collect();
    assert_eq!(told, [(1, ChangeKind::Repaired, 3, 2), (2, ChangeKind::Repaired, 3, 2)]);
    assert_eq!(head(&store, 3).await, right, "what was right stays");
    assert_eq!(walk(&store).await, (0, 1));

    bed.clock.advance_seconds(10);
    for user in 1..=3 {
        assert_eq!((count(user).await, titles(&store, user, all()).await.len()), (1, 1));
    }
    assert_eq!(walk(&store).await, (0, 1));
}

pub async fn a_head_that_says_too_little_is_found_too(bed: Bed) {
    let store = bed.with_users().await;
    let sent = send(&store, 1, "x").await;
    store.close().await;
    bed.set_heads("unread = 0", "user_id = 1").await;
    let store = bed.open().await;
    assert!(store.mark_read(&tenant(), user_id(1), sent).await.is_err(), "no count falls below nothing");
    assert_eq!(walk(&store).await, (1, 1));
    store.mark_read(&tenant(), user_id(1), sent).await.expect("marked");
    assert_eq!(unread(&store, 1).await, 0);
}

pub async fn walks_through_all_in_bounded_steps(bed: Bed) {
    // One with more rows than a step looks at, and one who is erased with some.
    bed.with_users().await.close().await;
    bed.fill(2, 5_500).await;
    bed.fill(3, 500).await;
    let store = bed.open().await;
    let users: Vec<_> = (1..=1_200).map(|n| (user_id(n), Default::default())).collect();
    for name in ["default", "acme"] {
        store.seed_users(&tenant_of(name), &users).await.expect("seeded");
    }
    store.erase_user(&tenant(), user_id(3), None).await.expect("erased");
    let (repaired, steps) = walk(&store).await;
    assert_eq!(repaired, 0);
    assert!((5..=7).contains(&steps), "{steps}");
    // The first and the last of each tenant, and those where steps end.
    bed.set_heads("unread = unread + 1", "user_id IN (1, 2, 4, 500, 501, 502, 503, 1200)").await;
    assert_eq!(walk(&store).await, (16, steps));
    assert_eq!(walk(&store).await, (0, steps));
    assert_eq!((unread(&store, 2).await, unread(&store, 1_200).await), (5_500, 0));
}
