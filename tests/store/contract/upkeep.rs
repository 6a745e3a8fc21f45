//! Expiry, retention and purges.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use bellboard::config::Retention;
use bellboard::domain::{ChangeKind, Draft, Error, NotificationId, TenantId};
use bellboard::store::{Maintained, Observer, Options, PageQuery, SentQuery, Store};

use super::bed::*;
use super::repeats::{by, send_once};

async fn send_expiring(store: &Store, user: i64, title: &str, seconds: i64) -> NotificationId {
    let expires_at = Some(NOON.plus_seconds(seconds).0);
    send_draft(store, Draft { expires_at, ..draft(user, title) }).await
}

pub async fn expires_before_every_read(bed: Bed) {
    let store = bed.with_users().await;
    let read = send_expiring(&store, 1, "read", 10).await;
    let short = send_expiring(&store, 1, "short", 10).await;
    send_expiring(&store, 1, "long", 20).await;
    send(&store, 1, "for ever").await;
    store.mark_read(&tenant(), user_id(1), read).await.expect("marked");
    let head = store.head(&tenant(), user_id(1)).await.expect("a head");
    assert_eq!((head.unread, head.next_expiry), (3, Some(NOON.plus_seconds(10))));

    bed.clock.advance_seconds(10);
    let marked = store.mark_read(&tenant(), user_id(1), short).await;
    assert!(matches!(marked, Err(Error::NotificationNotFound(_))), "expired, though not yet removed");
    let deleted = store.delete(&tenant(), user_id(1), short).await;
    assert!(matches!(deleted, Err(Error::NotificationNotFound(_))));
    let page = store.page(&tenant(), user_id(1), &all()).await.expect("a page");
    assert_eq!((page.head.unread, page.head.next_expiry), (2, Some(NOON.plus_seconds(20))));
    assert_eq!(titles(&store, 1, all()).await, ["for ever", "long"]);

    bed.clock.advance_seconds(10);
    assert_eq!(store.mark_all_read(&tenant(), user_id(1), None).await.expect("marked"), 1);
    let head = store.head(&tenant(), user_id(1)).await.expect("a head");
    assert_eq!((head.unread, head.next_expiry), (0, None));
    let told: Vec<_> = bed.changes().iter().map(|c| (c.rev, c.kind, c.unread)).skip(4).collect();
    use ChangeKind::{Expired, Read, ReadAll};
    assert_eq!(told, [(5, Read, 3), (6, Expired, 3), (7, Expired, 2), (8, Expired, 1), (9, ReadAll, 0)]);
}

pub async fn expires_in_the_background(bed: Bed) {
    let store = bed.with_users().await;
    for n in 0..400 {
        send_expiring(&store, 1 + n % 2, "x", 10).await;
    }
    send_expiring(&store, 3, "later", 30).await;
    bed.clock.advance_seconds(10);
    let done = store.maintain(&|_| Retention::default()).await.expect("maintained");
    assert_eq!(done, Maintained { expired: 400, ..Maintained::default() });
    assert_eq!((unread(&store, 1).await, unread(&store, 3).await), (0, 1));
}

pub async fn retires_by_age_and_number(bed: Bed) {
    let store = bed.with_users().await;
    let (read, _) = (send(&store, 1, "read").await, send(&store, 1, "unread").await);
    store.mark_read(&tenant(), user_id(1), read).await.expect("marked");
    for n in 0..5 {
        send(&store, 2, &n.to_string()).await;
    }
    bed.clock.advance_seconds(100);
    send(&store, 1, "new").await;
    let seconds = |n| Some(Duration::from_secs(n));
    let maintain =
        async |retention: Retention| store.maintain(&move |_| retention).await.expect("maintained");

    let none = Retention { read: seconds(101), unread: seconds(200), newest: Some(5) };
    assert_eq!(maintain(none).await.retired, 0);
    assert_eq!(maintain(Retention { read: seconds(99), ..Retention::default() }).await.retired, 1);
    assert_eq!(titles(&store, 1, all()).await, ["new", "unread"]);
    assert_eq!(maintain(Retention { newest: Some(3), ..Retention::default() }).await.retired, 2);
    assert_eq!(titles(&store, 2, all()).await, ["4", "3", "2"]);
    assert_eq!(maintain(Retention { unread: seconds(99), ..Retention::default() }).await.retired, 4);
    assert_eq!(titles(&store, 1, all()).await, ["new"]);
    assert_eq!((unread(&store, 1).await, unread(&store, 2).await), (1, 0));
}

pub async fn purges_old_changes_with_their_contents(bed: Bed) {
    let store = bed.with_users().await;
    let sent = send(&store, 1, "gone").await;
    let kept = send(&store, 1, "kept").await;
    store.mark_read(&tenant(), user_id(1), kept).await.expect("marked");
    store.delete(&tenant(), user_id(1), sent).await.expect("deleted");
    bed.clock.advance_seconds(24 * 3600);
    let none = store.maintain(&|_| Retention::default()).await.expect("maintained");
    assert_eq!(none.changes, 0, "they are kept a day");
    bed.clock.advance_seconds(1);
    let done = store.maintain(&|_| Retention::default()).await.expect("maintained");
    assert_eq!(done.changes, 2);
    assert_eq!(titles(&store, 1, PageQuery { limit: 9, ..PageQuery::default() }).await, ["kept"]);
}

pub async fn keeps_what_is_young_whatever_the_clock_does(bed: Bed) {
    const YEAR: i64 = 365 * 86_400;
    let store = bed.with_users().await;
    let day = Retention { unread: Some(Duration::from_secs(86_400)), ..Retention::default() };
    let since = store.now();
    let maintain = async || store.maintain(&move |_| day).await.expect("maintained");
    for jump in [0, -YEAR, 11 * YEAR, -10 * YEAR] {
        bed.clock.jump_seconds(jump);
        for n in 0..20 {
            send(&store, 1 + n % 2, "young").await;
            bed.clock.advance_seconds(1);
        }
        send_expiring(&store, 3, "expires", 3_600).await;
        assert_eq!(maintain().await, Maintained::default(), "{jump}");
        assert_eq!(store.clock_ahead().is_some(), jump > 0, "{jump}");
    }
    assert_eq!((unread(&store, 1).await, unread(&store, 2).await, unread(&store, 3).await), (40, 40, 4));
    let query = SentQuery { since: Some(since), limit: 200, ..SentQuery::default() };
    let sent = store.sent(&tenant(), &query).await.expect("a page").sent;
    assert_eq!(sent.len(), 84);
    assert!(sent.is_sorted_by(|a, b| a.notification.created_at >= b.notification.created_at));
    // Once it is older than a day by a clock that is right, it goes.
    bed.clock.advance_seconds(86_401);
    assert_eq!(maintain().await.retired, 80);
}

pub async fn a_stamp_that_is_far_ahead_holds_up_no_purge(bed: Bed) {
    let store = bed.with_users().await;
    for n in 0..3 {
        let sent = send(&store, 1, &n.to_string()).await;
        store.mark_read(&tenant(), user_id(1), sent).await.expect("marked");
    }
    let mut tool = bed.tool().await;
    tool.run("UPDATE change SET at = at + 315360000000000 WHERE seq <= (SELECT min(seq) FROM change)").await;
    bed.clock.advance_seconds(24 * 3600 + 1);
    let done = store.maintain(&|_| Retention::default()).await.expect("maintained");
    assert_eq!(done.changes, 3);
}

pub async fn one_start_with_a_clock_ahead_ages_nothing(bed: Bed) {
    const DAY: i64 = 86_400;
    const AHEAD: i64 = 3_650 * DAY;
    let store = bed.with_users().await;
    send(&store, 1, "young").await;
    let deleted = send(&store, 1, "deleted").await;
    store.delete(&tenant(), user_id(1), deleted).await.expect("deleted");
    send_expiring(&store, 1, "tomorrow", DAY).await;
    let (stored, _) = send_once(&store, &tenant(), draft(2, "x"), by("key:a", 1, 1)).await.expect("stored");
    store.close().await;

    bed.clock.jump_seconds(AHEAD);
    let store = bed.open().await;
    assert!(store.clock_ahead().is_none(), "the clock at a start is taken for right");
    send(&store, 3, "stamped ahead").await;
    store.close().await;

    bed.clock.jump_seconds(-AHEAD);
    let store = bed.open().await;
    assert!(store.now() >= NOON.plus_seconds(AHEAD), "stamps go on");
    assert_eq!(store.clock_behind(), Some(Duration::from_secs(AHEAD.unsigned_abs())));
    let short = send_expiring(&store, 1, "in an hour", 3_600).await;
    let week = Duration::from_secs(7 * 86_400);
    let keep = Retention { unread: Some(week), newest: Some(1), ..Retention::default() };
    let maintain = async || store.maintain(&move |_| keep).await.expect("maintained");
    assert_eq!(maintain().await, Maintained::default());
    assert_eq!(store.purge_audit(week).await.expect("purged"), 0);
    assert_eq!(titles(&store, 1, all()).await, ["in an hour", "tomorrow", "young"]);
    store.mark_read(&tenant(), user_id(1), short).await.expect("it has not expired");
    store.restore(&tenant(), user_id(1), deleted, week).await.expect("it was deleted just now");
    let again = send_once(&store, &tenant(), draft(2, "x"), by("key:a", 1, 1)).await.expect("answered");
    assert_eq!(again, (stored, true));
    let answered = store.answered(&tenant(), &by("key:a", 1, 1)).await.expect("read");
    assert_eq!(answered.as_ref(), Some(&again.0));

    bed.clock.advance_seconds(3_600);
    let expired = store.mark_read(&tenant(), user_id(1), short).await;
    assert!(matches!(expired, Err(Error::NotificationNotFound(_))));
    assert_eq!(titles(&store, 1, all()).await, ["tomorrow", "deleted", "young"]);
    bed.clock.advance_seconds(DAY);
    assert_eq!(maintain().await, Maintained { expired: 1, ..Maintained::default() });
    // What is erased is purged all the same: that is by no age.
    store.erase_user(&tenant(), user_id(3), None).await.expect("erased");
    assert!(maintain().await.erased > 0);
    assert_eq!(titles(&store, 1, all()).await, ["deleted", "young"]);
    store.close().await;
}

/// Counts the commits.
#[derive(Default)]
struct Commits(AtomicUsize);

impl Observer for Commits {
    fn batch(&self, _: usize, _: Duration) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn stored(&self, _: &TenantId, _: &str) {}
}

pub async fn inboxes_share_commits(bed: Bed) {
    let commits = Arc::new(Commits::default());
    let options = Options { clock: bed.clock.clone(), lanes: 1, ..Options::default() };
    let store = Store::open(&bed.url, options, Arc::new(()), commits.clone()).await.expect("opens");
    let users: Vec<_> = (1..=60).map(|n| (user_id(n), Default::default())).collect();
    store.seed_users(&tenant(), &users).await.expect("seeded");
    for user in 1..=60 {
        send_expiring(&store, user, "x", 10).await;
        send(&store, user, "old").await;
    }
    bed.clock.advance_seconds(10);
    let before = commits.0.load(Ordering::Relaxed);
    let none = Retention { newest: Some(0), ..Retention::default() };
    let done = store.maintain(&|_| none).await.expect("maintained");
    assert_eq!((done.expired, done.retired), (60, 60));
    let used = commits.0.load(Ordering::Relaxed) - before;
    assert!(used < 60, "{used} commits for 120 inboxes");
    store.close().await;
}
