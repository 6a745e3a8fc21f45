//! Putting back what a user deleted.

use std::time::Duration;

use bellboard::config::Retention;
use bellboard::domain::{ChangeKind, Draft, Error, Notification, NotificationId, Profile, Result};
use bellboard::store::{Store, Withdrawal};

use super::audit::actor;
use super::bed::*;

const TIME: Duration = Duration::from_secs(30);

async fn restore(store: &Store, user: i64, one: NotificationId) -> Result<Notification> {
    store.restore(&tenant(), user_id(user), one, TIME).await
}

async fn delete(store: &Store, user: i64, one: NotificationId) {
    store.delete(&tenant(), user_id(user), one).await.expect("deleted");
}

async fn stays_away(store: &Store, user: i64, one: NotificationId) {
    let restored = restore(store, user, one).await;
    assert!(matches!(restored, Err(Error::NotificationNotFound(named)) if named == one), "{restored:?}");
}

fn expiring(user: i64, seconds: i64) -> Draft {
    Draft { expires_at: Some(NOON.plus_seconds(seconds).0), ..draft(user, "expires") }
}

fn keyed(user: i64, title: &str) -> Draft {
    Draft { collapse_key: Some("disk".into()), ..draft(user, title) }
}

/// Rows of inboxes, to the last column that both engines have.
async fn rows(bed: &Bed) -> Vec<String> {
    let query = "SELECT user_id, id, rev, unread, read_at, expires_at FROM inbox
                  WHERE id < 9223372036854775807 ORDER BY id";
    let rows = bed.tool().await.rows(query).await;
    rows.iter().map(|row| format!("{:?}", row.iter().map(|c| c.maybe_number()).collect::<Vec<_>>())).collect()
}

pub async fn puts_back_what_was_deleted_as_it_was(bed: Bed) {
    let store = bed.with_users().await;
    let read = send(&store, 1, "read").await;
    let unread_one = send_draft(&store, expiring(1, 100)).await;
    send(&store, 1, "last").await;
    store.mark_read(&tenant(), user_id(1), read).await.expect("marked");
    let before = store.page(&tenant(), user_id(1), &all()).await.expect("a page");
    let stored = rows(&bed).await;
    bed.clock.advance_seconds(10);
    for one in [read, unread_one] {
        delete(&store, 1, one).await;
    }
    assert_eq!(titles(&store, 1, all()).await, ["last"]);
    bed.clock.advance_seconds(29);
    let restored = restore(&store, 1, read).await.expect("restored");
    assert_eq!((restored.id, restored.read_at, unread(&store, 1).await), (read, Some(NOON), 1));
    let restored = restore(&store, 1, unread_one).await.expect("restored");
    assert_eq!((restored.read_at, restored.expires_at), (None, Some(NOON.plus_seconds(100))));
    let after = store.page(&tenant(), user_id(1), &all()).await.expect("a page");
    let (one, other) = (format!("{:?}", before.notifications), format!("{:?}", after.notifications));
    assert_eq!((one, before.head.unread, stored), (other, after.head.unread, rows(&bed).await));

    // One that is there is only shown.
    let again = restore(&store, 1, unread_one).await.expect("there");
    assert_eq!(again.id, unread_one);
    let told: Vec<_> = bed.changes().iter().skip(4).map(|c| (c.rev, c.kind, c.unread)).collect();
    use ChangeKind::{Deleted, Restored, RestoredRead};
    assert_eq!(told, [(5, Deleted, 2), (6, Deleted, 1), (7, RestoredRead, 1), (8, Restored, 2)]);
    bed.clock.advance_seconds(61);
    assert_eq!(unread(&store, 1).await, 1, "it expires when it was to");

    // Once more, of another state.
    store.mark_unread(&tenant(), user_id(1), read).await.expect("marked");
    delete(&store, 1, read).await;
    assert_eq!(restore(&store, 1, read).await.expect("restored").read_at, None);
    assert_eq!(unread(&store, 1).await, 2);
}

pub async fn only_for_a_while_and_only_for_its_user(bed: Bed) {
    let store = bed.with_users().await;
    let other = tenant_of("other");
    store.put_user(&other, user_id(1), Profile::default(), None).await.expect("stored");
    let (one, two) = (send(&store, 1, "one").await, send(&store, 1, "two").await);
    delete(&store, 1, one).await;
    stays_away(&store, 2, one).await;
    stays_away(&store, 9, one).await;
    stays_away(&store, 1, id(77)).await;
    assert!(store.restore(&other, user_id(1), one, TIME).await.is_err());
    assert!(store.restore(&tenant(), user_id(1), one, Duration::ZERO).await.is_err(), "turned off");
    bed.clock.advance_seconds(30);
    stays_away(&store, 1, one).await;
    delete(&store, 1, two).await;
    store.erase_user(&tenant(), user_id(1), None).await.expect("erased");
    stays_away(&store, 1, two).await;
    store.put_user(&tenant(), user_id(1), Profile::default(), None).await.expect("stored");
    stays_away(&store, 1, two).await;
    assert_eq!(unread(&store, 1).await, 0);
}

pub async fn what_would_have_gone_by_itself_stays_away(bed: Bed) {
    let store = bed.with_users().await;
    let expires = send_draft(&store, expiring(1, 10)).await;
    let replaced = send_draft(&store, keyed(1, "90 %")).await;
    delete(&store, 1, expires).await;
    delete(&store, 1, replaced).await;
    restore(&store, 1, replaced).await.expect("it is the latest");
    delete(&store, 1, replaced).await;
    let read = send_draft(&store, keyed(1, "95 %")).await;
    stays_away(&store, 1, replaced).await;
    // One that was read is not replaced.
    store.mark_read(&tenant(), user_id(1), read).await.expect("marked");
    delete(&store, 1, read).await;
    send_draft(&store, keyed(1, "97 %")).await;
    restore(&store, 1, read).await.expect("restored");
    bed.clock.advance_seconds(10);
    stays_away(&store, 1, expires).await;
    assert_eq!(titles(&store, 1, all()).await, ["97 %", "95 %"]);
}

pub async fn what_others_took_out_stays_away(bed: Bed) {
    let store = bed.with_users().await;
    let withdrawn = send(&store, 1, "withdrawn").await;
    let collapsed = send_draft(&store, keyed(1, "collapsed")).await;
    let expired = send_draft(&store, expiring(1, 10)).await;
    let retired = send(&store, 2, "retired").await;
    send_draft(&store, keyed(1, "newer")).await;
    send(&store, 2, "newest").await;
    let by = actor("key:admin");
    let withdrawal = Withdrawal::Ids(vec![withdrawn]);
    assert_eq!(store.withdraw(&tenant(), &withdrawal, &by).await.expect("withdrawn"), 1);
    bed.clock.advance_seconds(10);
    let newest = Retention { newest: Some(1), ..Retention::default() };
    let done = store.maintain(&move |_| newest).await.expect("maintained");
    assert_eq!((done.expired, done.retired), (1, 1));
    for (user, one) in [(1, withdrawn), (1, collapsed), (1, expired), (2, retired)] {
        stays_away(&store, user, one).await;
    }
}

pub async fn what_is_withdrawn_meanwhile_stays_away(bed: Bed) {
    let store = bed.with_users().await;
    let by_id = send(&store, 1, "by id").await;
    let by_key = send_draft(&store, keyed(1, "by key")).await;
    let by_sender = send(&store, 1, "by sender").await;
    for one in [by_id, by_key, by_sender] {
        delete(&store, 1, one).await;
    }
    let sender = Withdrawal::Sender { sender: "key:test".into(), since: NOON, until: None };
    let ways = [(by_id, Withdrawal::Ids(vec![by_id])), (by_key, Withdrawal::CollapseKey("disk".into()))];
    for (one, way) in ways.into_iter().chain([(by_sender, sender)]) {
        let withdrawn = store.withdraw(&tenant(), &way, &actor("key:admin")).await;
        assert_eq!(withdrawn.expect("withdrawn"), 0, "it stood in no inbox");
        stays_away(&store, 1, one).await;
        if one == by_id {
            restore(&store, 1, by_key).await.expect("others come back");
            delete(&store, 1, by_key).await;
        }
    }
}

pub async fn what_was_put_back_outlives_its_deletion(bed: Bed) {
    let store = bed.with_users().await;
    let (kept, gone) = (send(&store, 1, "kept").await, send(&store, 1, "gone").await);
    for one in [kept, gone] {
        delete(&store, 1, one).await;
    }
    restore(&store, 1, kept).await.expect("restored");
    bed.clock.advance_seconds(24 * 3600 + 1);
    let done = store.maintain(&|_| Retention::default()).await.expect("maintained");
    assert_eq!(done.changes, 2, "of the one its deletion, of the other its return");
    assert_eq!((titles(&store, 1, all()).await, unread(&store, 1).await), (vec!["kept".to_owned()], 1));
    let contents = bed.tool().await.number("SELECT count(*) FROM notification").await;
    assert_eq!(contents, 1);
    delete(&store, 1, kept).await;
    restore(&store, 1, kept).await.expect("restored again");
}

pub async fn what_cannot_be_put_back_is_purged(bed: Bed) {
    let store = bed.with_users().await;
    let sends = (0..700).map(|n| send(&store, 1 + n % 3, "x"));
    let sent = futures_util::future::join_all(sends).await;
    let deletions = sent.iter().zip(0..).map(|(one, n)| delete(&store, 1 + n % 3, *one));
    futures_util::future::join_all(deletions).await;
    let kept = async || bed.tool().await.number("SELECT count(*) FROM deleted").await;
    assert_eq!(kept().await, 700);
    bed.clock.advance_seconds(300);
    store.maintain(&|_| Retention::default()).await.expect("maintained");
    assert_eq!(kept().await, 700);
    bed.clock.advance_seconds(1);
    store.maintain(&|_| Retention::default()).await.expect("maintained");
    assert_eq!(kept().await, 0);
}
