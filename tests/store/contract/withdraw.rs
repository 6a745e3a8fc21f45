//! What was sent, and withdrawing it.

use bellboard::domain::{ChangeKind, Draft, NotificationId};
use bellboard::store::{NewNotification, SentQuery, Store, Withdrawal};

use super::audit::{actor, every, records};
use super::bed::*;

async fn send_by(store: &Store, sender: &str, draft: Draft) -> NotificationId {
    let new = NewNotification { sender: sender.into(), ..new(draft) };
    store.send(&tenant(), new).await.expect("stored").id
}

fn any() -> SentQuery {
    SentQuery { limit: 200, ..SentQuery::default() }
}

async fn ids(store: &Store, query: SentQuery) -> Vec<NotificationId> {
    let page = store.sent(&tenant(), &query).await.expect("a page");
    page.sent.iter().map(|sent| sent.notification.id).collect()
}

pub async fn lists_what_was_sent_by_whom_to_whom_and_when(bed: Bed) {
    let store = bed.with_users().await;
    let first = send_by(&store, "key:one", draft(1, "first")).await;
    bed.clock.advance_seconds(10);
    let second =
        send_by(&store, "key:two", Draft { kind: "system_alert".into(), ..draft(2, "second") }).await;
    bed.clock.advance_seconds(10);
    let third = send_by(&store, "key:one", draft(2, "third")).await;
    store.mark_read(&tenant(), user_id(1), first).await.expect("marked");
    let page = store.sent(&tenant(), &any()).await.expect("a page");
    assert_eq!(page.next, None);
    let oldest = page.sent.last().expect("three");
    assert_eq!((oldest.sender.as_str(), oldest.request_id.as_str()), ("key:one", "r-1"));
    assert_eq!(oldest.notification.read_at, Some(NOON.plus_seconds(20)));
    assert_eq!(title(oldest.notification.content.as_json()), "first");

    let at = |seconds| Some(NOON.plus_seconds(seconds));
    assert_eq!(ids(&store, any()).await, [third, second, first]);
    assert_eq!(ids(&store, SentQuery { sender: Some("key:one".into()), ..any() }).await, [third, first]);
    assert_eq!(ids(&store, SentQuery { kind: Some("system_alert".into()), ..any() }).await, [second]);
    assert_eq!(ids(&store, SentQuery { user: Some(user_id(2)), ..any() }).await, [third, second]);
    assert_eq!(ids(&store, SentQuery { since: at(10), ..any() }).await, [third, second]);
    assert_eq!(ids(&store, SentQuery { until: at(10), ..any() }).await, [first]);
    assert_eq!(ids(&store, SentQuery { since: at(1), until: at(20), ..any() }).await, [second]);
    let both = SentQuery { user: Some(user_id(2)), sender: Some("key:one".into()), since: at(1), ..any() };
    assert_eq!(ids(&store, both).await, [third]);
    let page = store.sent(&tenant(), &SentQuery { limit: 2, ..any() }).await.expect("a page");
    assert_eq!(page.next, Some(second));
    assert_eq!(ids(&store, SentQuery { before: page.next, ..any() }).await, [first]);
    let other = store.sent(&tenant_of("other"), &any()).await.expect("a page");
    assert!(other.sent.is_empty() && other.next.is_none());

    store.delete(&tenant(), user_id(1), first).await.expect("deleted");
    store.erase_user(&tenant(), user_id(2), None).await.expect("erased");
    assert!(ids(&store, any()).await.is_empty());
    assert!(ids(&store, SentQuery { user: Some(user_id(2)), ..any() }).await.is_empty());
}

pub async fn withdraws_by_id_and_counts_are_right_at_once(bed: Bed) {
    let store = bed.with_users().await;
    let (read, unread_one) = (send(&store, 1, "read").await, send(&store, 1, "unread").await);
    let (other, kept) = (send(&store, 2, "other").await, send(&store, 2, "kept").await);
    store.mark_read(&tenant(), user_id(1), read).await.expect("marked");
    let heard = bed.changes().len();
    let what = Withdrawal::Ids(vec![read, unread_one, other, id(77)]);
    let by = actor("key:one");
    let elsewhere = store.withdraw(&tenant_of("other"), &what, &by).await;
    assert_eq!(elsewhere.expect("nothing there"), 0);
    assert_eq!(store.withdraw(&tenant(), &what, &by).await.expect("withdrawn"), 3);
    assert_eq!(store.withdraw(&tenant(), &what, &by).await.expect("withdrawn"), 0);
    assert_eq!((unread(&store, 1).await, unread(&store, 2).await), (0, 1));
    assert_eq!(ids(&store, any()).await, [kept]);
    let mut told: Vec<_> =
        bed.changes()[heard..].iter().map(|c| (c.user.get(), c.kind, c.rev, c.unread)).collect();
    told.sort_by_key(|change| change.0);
    use ChangeKind::Deleted;
    assert_eq!(told, [(1, Deleted, 4, 1), (1, Deleted, 5, 0), (2, Deleted, 3, 1)]);
    let record = records(&store, every()).await;
    let (mut count, mut recorded) = (0, Vec::new());
    for record in &record {
        let detail: serde_json::Value = serde_json::from_str(&record.detail).expect("JSON");
        assert_eq!((record.action.as_str(), detail["by"].as_str()), ("notification.withdrawn", Some("ids")));
        count += detail["count"].as_i64().expect("a number");
        recorded.extend(detail["ids"].as_array().expect("ids").iter().filter_map(serde_json::Value::as_i64));
    }
    recorded.sort_unstable();
    assert_eq!((count, recorded), (3, vec![1, 2, 3]), "each commit is recorded");
}

pub async fn withdraws_what_one_key_sent_in_a_time(bed: Bed) {
    let store = bed.with_users().await;
    send_by(&store, "key:leaked", draft(1, "before")).await;
    bed.clock.advance_seconds(10);
    let sends = (0..1_300).map(|n| {
        let sender = if n % 13 == 0 { "key:good" } else { "key:leaked" };
        send_by(&store, sender, draft(1 + n % 3, "x"))
    });
    futures_util::future::join_all(sends).await;
    bed.clock.advance_seconds(10);
    send_by(&store, "key:leaked", draft(1, "after")).await;
    let at = |seconds| NOON.plus_seconds(seconds);
    let what = Withdrawal::Sender { sender: "key:leaked".into(), since: at(10), until: Some(at(20)) };
    let by = actor("key:admin");
    assert_eq!(store.withdraw(&tenant(), &what, &by).await.expect("withdrawn"), 1_200);
    let left: i64 = unread(&store, 1).await + unread(&store, 2).await + unread(&store, 3).await;
    assert_eq!(left, 102);
    let what = Withdrawal::Sender { sender: "key:leaked".into(), since: at(10), until: None };
    assert_eq!(store.withdraw(&tenant(), &what, &by).await.expect("withdrawn"), 1);
    let counted: i64 = records(&store, every()).await.iter().map(|record| count(&record.detail)).sum();
    assert_eq!(counted, 1_201);
}

fn count(detail: &str) -> i64 {
    let detail: serde_json::Value = serde_json::from_str(detail).expect("JSON");
    detail["count"].as_i64().expect("a count")
}

pub async fn withdraws_by_collapse_key(bed: Bed) {
    let store = bed.with_users().await;
    let with_key = |user, key: &str| Draft { collapse_key: Some(key.into()), ..draft(user, "x") };
    for user in 1..=3 {
        send_draft(&store, with_key(user, "outage")).await;
        send_draft(&store, with_key(user, "other")).await;
    }
    send_draft(&store, with_key(1, "outage")).await;
    let what = Withdrawal::CollapseKey("outage".into());
    let by = actor("key:one");
    assert_eq!(store.withdraw(&tenant(), &what, &by).await.expect("withdrawn"), 3);
    assert_eq!(store.withdraw(&tenant(), &what, &by).await.expect("withdrawn"), 0);
    assert_eq!((unread(&store, 1).await, unread(&store, 3).await), (1, 1));
    send_draft(&store, with_key(1, "outage")).await;
    assert_eq!(unread(&store, 1).await, 2);
}

pub async fn withdraws_among_sends_marks_and_deletions(bed: Bed) {
    let store = bed.with_users().await;
    let mut early = Vec::new();
    for n in 0..300 {
        early.push((1 + n % 3, send_by(&store, "key:leaked", draft(1 + n % 3, "x")).await));
    }
    let others = early.iter().map(|&(user, one)| {
        let store = store.clone();
        async move {
            // Each may find it withdrawn.
            let _ = store.mark_read(&tenant(), user_id(user), one).await;
            if one.get() % 2 == 0 {
                let _ = store.delete(&tenant(), user_id(user), one).await;
            }
            send_by(&store, "key:good", draft(user, "y")).await;
        }
    });
    let what = Withdrawal::Sender { sender: "key:leaked".into(), since: NOON, until: None };
    let (home, by) = (tenant(), actor("key:admin"));
    let (_, withdrawn) =
        tokio::join!(futures_util::future::join_all(others), store.withdraw(&home, &what, &by));
    assert!((150..=300).contains(&withdrawn.expect("withdrawn")));
    for user in 1..=3 {
        assert_eq!((titles(&store, user, all()).await.len(), unread(&store, user).await), (100, 100));
        let revs = bed.changes().into_iter().filter(|c| c.user == user_id(user)).map(|c| c.rev);
        assert!(revs.eq(1..=store.head(&tenant(), user_id(user)).await.expect("a head").rev));
    }
}
