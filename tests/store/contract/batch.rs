//! Many sends of one request: one transaction, each with its own outcome, or all stored or none.

use std::time::Duration;

use bellboard::domain::{Draft, Error, NotificationId, Result};
use bellboard::store::{Each, Kept, NewNotification, Options, Store};
use futures_util::future::join_all;

use super::bed::*;

/// So many sends, to the users 1 and 2 in turn.
fn many(count: usize) -> Vec<NewNotification> {
    (0..count).map(|n| new(draft(1 + n as i64 % 2, &n.to_string()))).collect()
}

async fn send_all(store: &Store, news: Vec<NewNotification>, whole: bool) -> Result<Vec<Result<Kept>>> {
    store.send_batch(&tenant(), news, whole).await
}

fn ids(kept: Vec<Result<Kept>>) -> Vec<NotificationId> {
    let id = |kept| match kept {
        Ok(Kept::Stored(stored)) => stored.id,
        other => panic!("not stored: {other:?}"),
    };
    kept.into_iter().map(id).collect()
}

pub async fn stores_a_thousand_in_order(bed: Bed) {
    let store = bed.with_users().await;
    for whole in [false, true] {
        let ids = ids(send_all(&store, many(1_000), whole).await.expect("taken"));
        assert_eq!(ids.len(), 1_000);
        for user in 0..2 {
            assert!(ids.iter().skip(user).step_by(2).is_sorted(), "ids grow within a user");
        }
    }
    assert_eq!((unread(&store, 1).await, unread(&store, 2).await), (1_000, 1_000));
    let changes = bed.changes();
    let of = |user| changes.iter().filter(move |c| c.user == user_id(user)).map(|c| (c.rev, c.unread));
    assert!(of(1).eq((1..=1_000).map(|n| (n, n))), "each is told as if sent alone");
    let page = titles(&store, 1, all()).await;
    assert_eq!((&*page[0], &*page[1]), ("998", "996"));
    store.close().await;
    let store = bed.open().await;
    assert_eq!(unread(&store, 2).await, 1_000, "what was answered is durable");
    store.close().await;
}

pub async fn goes_to_many_inboxes_that_are_not_empty(bed: Bed) {
    const USERS: i64 = 600;
    let store = bed.open().await;
    let users: Vec<_> = (1..=USERS).map(|user| (user_id(user), Default::default())).collect();
    store.seed_users(&tenant(), &users).await.expect("stored");
    // Each has a page of its own then, so a statement touches hundreds, and must be able to undo that.
    for _ in 0..100 {
        let news = (1..=USERS).map(|user| new(draft(user, "before"))).collect();
        ids(send_all(&store, news, false).await.expect("taken"));
    }
    for whole in [false, true] {
        let news = (1..=USERS).rev().map(|user| new(draft(user, "x"))).collect();
        ids(send_all(&store, news, whole).await.expect("taken"));
    }
    assert_eq!((unread(&store, 1).await, unread(&store, USERS).await), (102, 102));
    store.close().await;
}

pub async fn one_that_fails_fails_alone(bed: Bed) {
    let store = bed.with_users().await;
    for count in [3, 300] {
        let before = unread(&store, 1).await + unread(&store, 2).await;
        let mut news = many(count);
        news.insert(1, new(draft(99, "unknown")));
        let kept = send_all(&store, news, false).await.expect("taken");
        assert!(matches!(&kept[1], Err(Error::UserNotFound(user)) if user.get() == 99), "{:?}", kept[1]);
        assert_eq!(kept.iter().filter(|kept| matches!(kept, Ok(Kept::Stored(_)))).count(), count);
        let after = unread(&store, 1).await + unread(&store, 2).await;
        assert_eq!(after - before, count as i64);
    }
    store.close().await;
}

pub async fn one_that_fails_holds_the_others_back_where_asked(bed: Bed) {
    let store = bed.with_users().await;
    for count in [3, 300] {
        let mut news = many(count);
        news.insert(2, new(draft(99, "unknown")));
        let (home, plain) = (tenant(), new(draft(3, "plain")));
        // Beside others, with whom it may share a commit.
        let (kept, plain, good) = tokio::join!(
            send_all(&store, news, true),
            store.send(&home, plain),
            send_all(&store, vec![new(draft(3, "good"))], true)
        );
        let kept = kept.expect("taken");
        assert_eq!(kept.len(), count + 1);
        for (place, kept) in kept.iter().enumerate() {
            match kept {
                Err(Error::UserNotFound(user)) => assert_eq!((place, user.get()), (2, 99)),
                other => assert!(place != 2 && matches!(other, Ok(Kept::Withheld)), "{place}: {other:?}"),
            }
        }
        plain.expect("it is none of the batch");
        ids(good.expect("taken"));
    }
    assert_eq!(unread(&store, 3).await, 4);
    for user in [1, 2] {
        assert_eq!(store.head(&tenant(), user_id(user)).await.expect("a head").rev, 0, "nothing was moved");
    }
    store.close().await;
}

pub async fn creates_users_and_collapses_within(bed: Bed) {
    let store = bed.with_users().await;
    let keyed = |title: &str| Draft { collapse_key: Some("k".into()), ..draft(7, title) };
    for (round, whole) in [false, true].into_iter().enumerate() {
        let drafts = [draft(7, "plain"), keyed("one"), draft(8 + round as i64, "new"), keyed("two")];
        let news = drafts.map(|draft| NewNotification { create_user: true, ..new(draft) });
        ids(send_all(&store, news.into(), whole).await.expect("taken"));
    }
    assert_eq!(titles(&store, 7, all()).await, ["two", "plain", "plain"]);
    assert_eq!((unread(&store, 7).await, unread(&store, 8).await, unread(&store, 9).await), (3, 1, 1));
    store.close().await;
}

pub async fn a_batch_that_has_no_room_is_refused_before_it_is_queued(bed: Bed) {
    bed.with_users().await.close().await;
    let store = bed.open_with(Options { queue_capacity: 20, batch_max: 1, ..Options::default() }).await;
    assert!(
        matches!(send_all(&store, many(11), true).await, Err(Error::Busy { .. })),
        "half is one tenant's"
    );
    // Polled together before the writer can run.
    let sent = join_all((0..10).map(|_| send_all(&store, many(4), false))).await;
    let taken: Vec<_> = sent.into_iter().filter_map(Result::ok).map(ids).collect();
    assert!((2..10).contains(&taken.len()), "{} of 10", taken.len());
    let stored = unread(&store, 1).await + unread(&store, 2).await;
    assert_eq!(stored, taken.len() as i64 * 4, "of those that were refused nothing is stored");
    assert_eq!(store.queue_depth(), 0);
    store.close().await;
}

pub async fn a_dropped_batch_is_stored_whole_or_not(bed: Bed) {
    let store = bed.with_users().await;
    for n in 0..40_u64 {
        let another = store.clone();
        let task = tokio::spawn(async move { send_all(&another, many(10), n % 2 == 0).await });
        for _ in 0..n % 7 {
            tokio::task::yield_now().await;
        }
        task.abort();
        let _ = task.await;
    }
    store.probe().await.expect("all before it is done");
    let (one, two) = (unread(&store, 1).await, unread(&store, 2).await);
    assert_eq!((one, one % 5), (two, 0));
    store.close().await;
}

pub async fn others_wait_for_one_batch_at_most(bed: Bed) {
    let store = bed.with_users().await;
    let other = tenant_of("other");
    store.put_user(&other, user_id(1), Default::default(), None).await.expect("stored");
    // As much as fits of one tenant is queued, then one of another comes.
    let noisy: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { send_all(&store, many(1_000), false).await.map(ids) })
        })
        .collect();
    while store.queue_depth() < 2_000 && !noisy.iter().all(|task| task.is_finished()) {
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    let quiet = store.send(&other, new(draft(1, "quiet"))).await.expect("stored");
    let rows = unread(&store, 1).await + unread(&store, 2).await;
    assert!(rows <= 3_000, "it waited for all of {rows}");
    let mut last = quiet.id;
    for task in noisy {
        last = task.await.expect("no panic").expect("taken").pop().expect("one").max(last);
    }
    assert!(last > quiet.id);
    store.close().await;
}

pub async fn marks_and_deletes_several_as_if_each_alone(bed: Bed) {
    let store = bed.with_users().await;
    let (home, user) = (tenant(), user_id(1));
    let sent = ids(send_all(&store, many(400), false).await.expect("taken"));
    let mine: Vec<_> = sent.iter().copied().step_by(2).collect();
    let foreign = sent[1];
    let asked = [&mine[..150], &[foreign, id(999_999)]].concat();
    let first = bed.changes().len();
    let each = store.mark_each_read(&home, user, &asked).await.expect("marked");
    assert_eq!(each, Each { changed: 150, missing: vec![foreign, id(999_999)] });
    assert_eq!(unread(&store, 1).await, 50);
    let told: Vec<_> = bed.changes()[first..].iter().map(|c| (c.notification, c.unread)).collect();
    assert_eq!(told.len(), 150, "each is told alone");
    assert_eq!((told[0], told[149]), ((Some(mine[0]), 199), (Some(mine[149]), 50)));
    let again = store.mark_each_read(&home, user, &asked[..150]).await.expect("marked");
    assert_eq!(again, Each { changed: 0, missing: Vec::new() });

    let each = store.delete_each(&home, user, &[&mine[100..], &[foreign]].concat()).await.expect("deleted");
    assert_eq!(each, Each { changed: 100, missing: vec![foreign] });
    assert_eq!((unread(&store, 1).await, titles(&store, 1, all()).await.len()), (0, 100));
    let gone = store.delete_each(&home, user, &mine[100..]).await.expect("asked");
    assert_eq!((gone.changed, gone.missing.len()), (0, 100));
    assert_eq!(unread(&store, 2).await, 200, "others' are as they were");
    for back in [mine[100], mine[199]] {
        store.restore(&home, user, back, Duration::from_secs(30)).await.expect("back");
    }
    assert_eq!((unread(&store, 1).await, titles(&store, 1, all()).await.len()), (1, 102));
    store.close().await;
}
