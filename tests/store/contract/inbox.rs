//! Sends, pages, marks and deletions.

use bellboard::domain::{Draft, Error, Metadata, Profile};
use bellboard::store::{PageQuery, Store};

use super::bed::*;

pub async fn lists_newest_first_in_pages(bed: Bed) {
    let store = bed.with_users().await;
    let metadata =
        Metadata::parse(r#"{"b":1.50, "a":[ 12345678901234567890123 ],"n":"x\u001fy"}"#).expect("an object");
    let rich = Draft {
        message: Some("a\nb \u{1F514}".into()),
        metadata: Some(metadata),
        related_user_id: Some(2),
        related_ticket_id: Some(9),
        ..draft(1, "rich")
    };
    let first = send_draft(&store, rich).await;
    for n in 2..=5 {
        send(&store, 1, &n.to_string()).await;
    }
    send(&store, 2, "other").await;

    let query = PageQuery { limit: 2, ..PageQuery::default() };
    let page = store.page(&tenant(), user_id(1), &query).await.expect("a page");
    assert_eq!((page.head.unread, page.head.rev, page.next.is_some()), (5, 5, true));
    let last = page.notifications.last().expect("two").id;
    assert_eq!(titles(&store, 1, query.clone()).await, ["5", "4"]);
    let rest = PageQuery { before: Some(last), limit: 3, ..PageQuery::default() };
    let page = store.page(&tenant(), user_id(1), &rest).await.expect("a page");
    assert!(page.next.is_none());
    let oldest = page.notifications.last().expect("three");
    assert_eq!((oldest.id, oldest.created_at, oldest.read_at), (first, NOON, None));
    assert_eq!(oldest.related_user, Some(user_id(2)));
    assert_eq!(
        oldest.content.as_json(),
        "{\"title\":\"rich\",\"message\":\"a\\nb \u{1F514}\",\"metadata\":{\"b\":1.50, \"a\":[ \
         12345678901234567890123 ],\"n\":\"x\\u001fy\"},\"related_ticket_id\":9}"
    );
    assert!(titles(&store, 3, all()).await.is_empty());
    let nobody = store.page(&tenant(), user_id(9), &query).await;
    assert!(matches!(nobody, Err(Error::UserNotFound(user)) if user == user_id(9)));
}

pub async fn filters_by_unread_and_type(bed: Bed) {
    let store = bed.with_users().await;
    let read = send(&store, 1, "read").await;
    send_draft(&store, Draft { kind: "system_alert".into(), ..draft(1, "alert") }).await;
    send(&store, 1, "unread").await;
    store.mark_read(&tenant(), user_id(1), read).await.expect("marked");
    assert_eq!(titles(&store, 1, PageQuery { unread_only: true, ..all() }).await, ["unread", "alert"]);
    assert_eq!(titles(&store, 1, PageQuery { kind: Some("system_alert".into()), ..all() }).await, ["alert"]);
}

pub async fn a_filter_examines_a_bounded_number_of_rows(bed: Bed) {
    let store = bed.with_users().await;
    let first = send_draft(&store, Draft { kind: "system_alert".into(), ..draft(1, "alert") }).await;
    store.close().await;
    drop(store);
    bed.fill(1, 2_500).await;
    let store = bed.open().await;
    let alerts = PageQuery { kind: Some("system_alert".into()), ..all() };
    assert_eq!(pages(&store, alerts).await, [0, 0, 1]);
    assert_eq!(pages(&store, PageQuery { kind: Some("nosuch".into()), ..all() }).await, [0, 0, 0]);
    let unread = PageQuery { unread_only: true, ..all() };
    store.mark_all_read(&tenant(), user_id(1), None).await.expect("marked");
    assert_eq!(pages(&store, unread.clone()).await, [0], "none is unread, so there is nothing to look for");
    store.mark_unread(&tenant(), user_id(1), first).await.expect("marked");
    assert_eq!(pages(&store, unread.clone()).await, [0, 0, 1]);
    let newest = send(&store, 1, "newest").await;
    store.mark_read(&tenant(), user_id(1), first).await.expect("marked");
    let page = store.page(&tenant(), user_id(1), &unread).await.expect("a page");
    assert_eq!((page.notifications[0].id, page.next), (newest, None), "all that is unread is shown");
}

/// How many notifications each page of a query shows.
async fn pages(store: &Store, mut query: PageQuery) -> Vec<usize> {
    let mut pages = Vec::new();
    loop {
        let page = store.page(&tenant(), user_id(1), &query).await.expect("a page");
        pages.push(page.notifications.len());
        if page.next.is_none() {
            return pages;
        }
        query.before = page.next;
    }
}

pub async fn answers_each_of_a_mixed_batch(bed: Bed) {
    let store = bed.with_users().await;
    let sends = (0..300).map(|n| {
        let (store, user) = (store.clone(), if n % 3 == 0 { 1000 + n } else { 1 + n % 3 });
        tokio::spawn(async move { (user, store.send(&tenant(), new(draft(user, &format!("{n}")))).await) })
    });
    let mut stored = 0;
    for sent in sends.collect::<Vec<_>>() {
        match sent.await.expect("no panic") {
            (user, Ok(_)) => {
                assert!(user <= 3);
                stored += 1;
            }
            (user, Err(Error::UserNotFound(named))) => {
                assert_eq!((named, user >= 1000), (user_id(user), true))
            }
            (_, Err(other)) => panic!("{other:?}"),
        }
    }
    assert_eq!((stored, unread(&store, 2).await + unread(&store, 3).await), (200, 200));
    assert_eq!(titles(&store, 2, all()).await.len(), 100);
}

pub async fn marks_once_and_keeps_the_first_time(bed: Bed) {
    let store = bed.with_users().await;
    let sent = send(&store, 1, "a").await;
    let marked = store.mark_read(&tenant(), user_id(1), sent).await.expect("marked");
    assert_eq!((marked.id, marked.read_at, unread(&store, 1).await), (sent, Some(NOON), 0));
    bed.clock.advance_seconds(60);
    let again = store.mark_read(&tenant(), user_id(1), sent).await.expect("marked");
    assert_eq!((again.read_at, title(again.content.as_json()).as_str()), (Some(NOON), "a"));
    assert_eq!(bed.changes().len(), 2, "the second mark changes nothing");
    for (user, one) in [(2, sent), (1, id(77)), (9, sent)] {
        let missing = store.mark_read(&tenant(), user_id(user), one).await;
        assert!(matches!(missing, Err(Error::NotificationNotFound(named)) if named == one));
    }
}

pub async fn marks_unread_what_is_read(bed: Bed) {
    let store = bed.with_users().await;
    let sent = send(&store, 1, "a").await;
    store.mark_read(&tenant(), user_id(1), sent).await.expect("marked");
    let marked = store.mark_unread(&tenant(), user_id(1), sent).await.expect("marked");
    assert_eq!((marked.id, marked.read_at, unread(&store, 1).await), (sent, None, 1));
    assert_eq!(title(marked.content.as_json()), "a");
    let again = store.mark_unread(&tenant(), user_id(1), sent).await.expect("marked");
    assert_eq!((again.read_at, unread(&store, 1).await), (None, 1));
    bed.clock.advance_seconds(60);
    let read = store.mark_read(&tenant(), user_id(1), sent).await.expect("marked");
    assert_eq!((read.read_at, unread(&store, 1).await), (Some(NOON.plus_seconds(60)), 0));
    let told: Vec<_> = bed.changes().iter().map(|c| (c.rev, c.kind.as_str(), c.unread)).collect();
    assert_eq!(told, [(1, "arrived", 1), (2, "read", 0), (3, "unread", 1), (4, "read", 0)]);
    for (user, one) in [(2, sent), (1, id(77)), (9, sent)] {
        let missing = store.mark_unread(&tenant(), user_id(user), one).await;
        assert!(matches!(missing, Err(Error::NotificationNotFound(named)) if named == one));
    }
}

pub async fn marks_all_up_to_one(bed: Bed) {
    let store = bed.with_users().await;
    let sends: Vec<_> = (0..700).map(|n| draft(1, &n.to_string())).collect();
    let mut ids = futures_util::future::join_all(sends.into_iter().map(|d| send_draft(&store, d))).await;
    ids.sort();
    assert_eq!(store.mark_all_read(&tenant(), user_id(1), Some(ids[649])).await.expect("marked"), 650);
    assert_eq!(unread(&store, 1).await, 50);
    assert_eq!(store.mark_all_read(&tenant(), user_id(1), None).await.expect("marked"), 50);
    assert_eq!(store.mark_all_read(&tenant(), user_id(1), None).await.expect("marked"), 0);
    assert_eq!(unread(&store, 1).await, 0);
    let nobody = store.mark_all_read(&tenant(), user_id(9), None).await;
    assert!(matches!(nobody, Err(Error::UserNotFound(_))));
}

pub async fn marks_all_among_many_that_are_read(bed: Bed) {
    bed.with_users().await.close().await;
    bed.fill(1, 25_000).await;
    bed.sql("UPDATE inbox SET read_at = 1 WHERE (id % 50 <> 0 OR id BETWEEN 3000 AND 18000) AND id <= 25000")
        .await;
    bed.set_heads("unread = 199", "user_id = 1").await;
    let store = bed.open().await;
    assert_eq!(unread(&store, 1).await, 199);
    assert_eq!(store.mark_all_read(&tenant(), user_id(1), Some(id(20_000))).await.expect("marked"), 99);
    assert_eq!(store.mark_all_read(&tenant(), user_id(1), None).await.expect("marked"), 100);
    let changes: Vec<_> = bed.changes().iter().map(|c| (c.unread, c.notification)).collect();
    assert_eq!(changes, [(140, Some(id(2_950))), (100, Some(id(20_000))), (0, Some(id(25_000)))]);
}

pub async fn deletes_for_good(bed: Bed) {
    let store = bed.with_users().await;
    let (one, two) = (send(&store, 1, "one").await, send(&store, 1, "two").await);
    store.mark_read(&tenant(), user_id(1), one).await.expect("marked");
    for n in [one, two] {
        store.delete(&tenant(), user_id(1), n).await.expect("deleted");
        let again = store.delete(&tenant(), user_id(1), n).await;
        assert!(matches!(again, Err(Error::NotificationNotFound(named)) if named == n));
    }
    assert_eq!(unread(&store, 1).await, 0);
    assert!(titles(&store, 1, all()).await.is_empty());
    assert!(send(&store, 1, "three").await > two, "an id is never used again");
}

pub async fn keeps_tenants_apart(bed: Bed) {
    let store = bed.with_users().await;
    let other = tenant_of("other");
    store.put_user(&other, user_id(1), Profile::default(), None).await.expect("stored");
    let ours = send(&store, 1, "ours").await;
    store.send(&other, new(draft(1, "theirs"))).await.expect("stored");
    assert_eq!(titles(&store, 1, all()).await, ["ours"]);
    assert!(store.mark_read(&other, user_id(1), ours).await.is_err());
    assert!(store.delete(&other, user_id(1), ours).await.is_err());
    assert!(store.user(&other, user_id(2)).await.is_err());
    store.erase_user(&other, user_id(1), None).await.expect("erased");
    assert_eq!(unread(&store, 1).await, 1);
    assert_eq!(store.users(&tenant(), None, 2).await.expect("users").0.len(), 2);
}

pub async fn collapses_what_is_unread(bed: Bed) {
    let store = bed.with_users().await;
    let keyed = |user, title: &str| Draft { collapse_key: Some("disk".into()), ..draft(user, title) };
    let first = send_draft(&store, keyed(1, "90 %")).await;
    send_draft(&store, keyed(2, "another inbox")).await;
    send(&store, 1, "between").await;
    let second = send_draft(&store, keyed(1, "95 %")).await;
    assert!(second > first);
    assert_eq!(titles(&store, 1, all()).await, ["95 %", "between"]);
    assert_eq!(unread(&store, 1).await, 2);
    let ours: Vec<_> = bed.changes().into_iter().filter(|c| c.user == user_id(1)).collect();
    let told: Vec<_> = ours.iter().map(|c| (c.rev, c.kind.as_str(), c.unread)).collect();
    assert_eq!(told, [(1, "arrived", 1), (2, "arrived", 2), (3, "deleted", 1), (4, "arrived", 2)]);

    store.mark_read(&tenant(), user_id(1), second).await.expect("marked");
    send_draft(&store, keyed(1, "97 %")).await;
    assert_eq!(titles(&store, 1, all()).await, ["97 %", "95 %", "between"], "a read one stays");
    let together: Vec<_> = (0..20).map(|n| keyed(3, &n.to_string())).collect();
    futures_util::future::join_all(together.into_iter().map(|d| send_draft(&store, d))).await;
    assert_eq!((titles(&store, 3, all()).await.len(), unread(&store, 3).await), (1, 1));
}
