//! What happened to an inbox, as streams read it.

use bellboard::config::Retention;
use bellboard::domain::{Draft, Error, Event, EventId, Metadata, What};
use bellboard::store::{Followed, Since, Store};

use super::bed::*;

/// What came after a revision, as words: the revision, what happened, to which one, and the count after it.
type Told = (i64, &'static str, i64, i64);

fn told(event: &Event) -> Told {
    let (name, about) = match &event.what {
        What::Arrived(new) => {
            assert!(new.read_at.is_none(), "as it arrived");
            ("arrived", new.id)
        }
        What::Restored(back) => ("restored", back.id),
        What::Read(id, at) => {
            assert!(*at >= NOON);
            ("read", *id)
        }
        What::ReadAll(id, _) => ("read_all", *id),
        What::Unread(id) => ("unread", *id),
        What::Deleted(id) => ("deleted", *id),
        What::Expired(id) => ("expired", *id),
    };
    (event.rev, name, about.get(), event.unread)
}

async fn after(store: &Store, user: i64, rev: i64) -> Followed {
    let epoch = store.epoch(&tenant()).await.expect("an epoch");
    store.events(&tenant(), user_id(user), EventId { epoch, rev }).await.expect("read")
}

/// All that came after a revision, page by page.
async fn all_after(store: &Store, user: i64, mut rev: i64) -> Vec<Told> {
    let mut all = Vec::new();
    loop {
        let followed = after(store, user, rev).await;
        let Since::Events(events, at) = followed.since else { panic!("unknown after {rev}") };
        all.extend(events.iter().map(told));
        if at == followed.head.event_id() {
            return all;
        }
        assert!(at.rev > rev && !events.is_empty());
        rev = at.rev;
    }
}

async fn is_unknown(store: &Store, user: i64, rev: i64) -> bool {
    matches!(after(store, user, rev).await.since, Since::Unknown)
}

pub async fn tell_all_that_happened_in_order(bed: Bed) {
    let store = bed.with_users().await;
    assert!(all_after(&store, 1, 0).await.is_empty());
    let metadata = Metadata::parse("{\"a\":\n[1]}").expect("an object");
    let rich = Draft { metadata: Some(metadata), related_user_id: Some(2), ..draft(1, "rich") };
    let one = send_draft(&store, rich).await.get();
    let two = send(&store, 1, "two").await.get();
    send(&store, 2, "another's").await;
    let until = NOON.plus_seconds(10);
    let three = send_draft(&store, Draft { expires_at: Some(until.0), ..draft(1, "three") }).await.get();
    store.mark_read(&tenant(), user_id(1), id(two)).await.expect("marked");
    store.mark_all_read(&tenant(), user_id(1), Some(id(two))).await.expect("marked");
    let four = send(&store, 1, "four").await.get();
    store.delete(&tenant(), user_id(1), id(two)).await.expect("deleted");
    bed.clock.advance_seconds(10);
    let all = [
        (1, "arrived", one, 1),
        (3, "arrived", three, 3),
        (4, "read", two, 2),
        (5, "read_all", one, 1),
        (6, "arrived", four, 2),
        (7, "deleted", two, 2),
        (8, "expired", three, 1),
    ];
    // What has arrived and is gone is told by its going alone, and so is what expires while it is read.
    let seen: Vec<Told> = all.iter().copied().filter(|(rev, ..)| *rev != 3).collect();
    assert_eq!(all_after(&store, 1, 0).await, seen);
    assert_eq!(all_after(&store, 1, 3).await, all[2..]);
    assert!(all_after(&store, 1, 8).await.is_empty());
    let Since::Events(events, _) = after(&store, 1, 0).await.since else { panic!("known") };
    let What::Arrived(rich) = &events[0].what else { panic!("it arrived") };
    assert!(rich.content.as_json().contains("\"metadata\":{\"a\":\n[1]}"));
    assert_eq!((rich.related_user, rich.kind.as_str()), (Some(user_id(2)), "custom"));
    let nobody = store.events(&tenant(), user_id(9), EventId { epoch: 0, rev: 0 }).await;
    assert!(matches!(nobody, Err(Error::UserNotFound(_))));
    let users = [1, 9, 2].map(user_id);
    let epoch = store.epoch(&tenant()).await.expect("an epoch");
    let at = |rev| Some(EventId { epoch, rev });
    assert_eq!(store.places(&tenant(), &users).await.expect("places"), [at(8), None, at(1)]);
    let inboxes = users.map(|user| (tenant(), user));
    assert_eq!(store.places_of_all(&inboxes).await.expect("places"), [at(8), None, at(1)]);
}

pub async fn go_on_from_any_place_in_pages(bed: Bed) {
    let store = bed.with_users().await;
    let mut ids = Vec::new();
    for n in 0..120 {
        ids.push(send(&store, 1, &n.to_string()).await);
        if n % 3 == 0 {
            store.mark_read(&tenant(), user_id(1), ids[n]).await.expect("marked");
        }
        if n % 10 == 9 {
            store.delete(&tenant(), user_id(1), ids[n - 5]).await.expect("deleted");
        }
    }
    let all = all_after(&store, 1, 0).await;
    assert_eq!(all.len(), 120 + 40 + 12 - 12);
    for rev in 0..=172 {
        let rest: Vec<_> = all.iter().copied().filter(|(at, ..)| *at > rev).collect();
        assert_eq!(all_after(&store, 1, rev).await, rest, "after {rev}");
    }
    let sends = (0..600).map(|n| draft(3, &n.to_string()));
    futures_util::future::join_all(sends.map(|draft| send_draft(&store, draft))).await;
    assert!(is_unknown(&store, 3, 0).await, "too far behind");
    assert_eq!(all_after(&store, 3, 100).await.len(), 500);
}

pub async fn are_not_told_past_what_was_forgotten(bed: Bed) {
    let store = bed.with_users().await;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(send(&store, 1, &n.to_string()).await);
    }
    store.mark_read(&tenant(), user_id(1), ids[0]).await.expect("marked");
    store.delete(&tenant(), user_id(1), ids[1]).await.expect("deleted");
    send(&store, 2, "kept").await;
    bed.clock.advance_seconds(3600);
    store.delete(&tenant(), user_id(1), ids[2]).await.expect("deleted");
    bed.clock.advance_seconds(24 * 3600 - 1);
    let none = Retention::default();
    assert_eq!(store.maintain(&|_| none).await.expect("maintained").changes, 2);
    for rev in 0..6 {
        assert!(is_unknown(&store, 1, rev).await, "a change after {rev} is forgotten");
    }
    assert_eq!(all_after(&store, 1, 6).await, [(7, "deleted", ids[2].get(), 1)]);
    assert!(all_after(&store, 1, 7).await.is_empty());
    assert_eq!(all_after(&store, 2, 0).await.len(), 1, "none of theirs");
    bed.clock.advance_seconds(3600);
    assert_eq!(store.maintain(&|_| none).await.expect("maintained").changes, 1);
    assert!(is_unknown(&store, 1, 6).await);
    assert!(all_after(&store, 1, 7).await.is_empty());
}

pub async fn begin_anew_where_the_head_is_another(bed: Bed) {
    let store = bed.with_users().await;
    send(&store, 1, "one").await;
    send(&store, 1, "two").await;
    assert!(is_unknown(&store, 1, 3).await, "ahead of the head");
    assert!(is_unknown(&store, 1, i64::MAX).await);
    let epoch = store.epoch(&tenant()).await.expect("an epoch").wrapping_add(1);
    let followed = store.events(&tenant(), user_id(1), EventId { epoch, rev: 1 }).await.expect("read");
    assert!(matches!(followed.since, Since::Unknown), "of another history");
    assert_ne!(followed.head.epoch, epoch);

    store.erase_user(&tenant(), user_id(1), None).await.expect("erased");
    let erased = store.events(&tenant(), user_id(1), EventId { rev: 2, ..followed.head.event_id() }).await;
    assert!(matches!(erased, Err(Error::UserNotFound(_))));
    store.put_user(&tenant(), user_id(1), Default::default(), None).await.expect("made again");
    let new = send(&store, 1, "new").await;
    assert!(is_unknown(&store, 1, 2).await, "the user was erased since");
    assert_eq!(all_after(&store, 1, 3).await, [(4, "arrived", new.get(), 1)]);

    let tool = "a head that is set right by hand";
    bed.set_heads("unread = 9", "user_id = 2").await;
    let mut walk = bellboard::store::Walk::default();
    // The writer may remember the head, so it is told first.
    assert_eq!(store.check_heads(&mut walk).await.expect("checked").repaired, 1, "{tool}");
    assert!(is_unknown(&store, 2, 0).await, "what led there is not known");
}

pub async fn tell_what_came_back(bed: Bed) {
    let store = bed.with_users().await;
    let one = send(&store, 1, "one").await;
    store.mark_read(&tenant(), user_id(1), one).await.expect("marked");
    store.delete(&tenant(), user_id(1), one).await.expect("deleted");
    assert_eq!(all_after(&store, 1, 0).await, [(2, "read", 1, 0), (3, "deleted", 1, 0)]);
    bed.clock.advance_seconds(1);
    let within = std::time::Duration::from_secs(60);
    store.restore(&tenant(), user_id(1), one, within).await.expect("restored");
    let Since::Events(events, _) = after(&store, 1, 3).await.since else { panic!("unknown") };
    assert!(matches!(&events[..], [Event { what: What::Restored(back), .. }] if back.read_at == Some(NOON)));
    store.mark_unread(&tenant(), user_id(1), one).await.expect("marked");
    // Who was not told of the deletion need not be.
    let again = [(1, "arrived", 1, 1), (2, "read", 1, 0), (4, "restored", 1, 0), (5, "unread", 1, 1)];
    for (rev, from) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3)] {
        assert_eq!(all_after(&store, 1, rev).await, again[from..], "after {rev}");
    }
    let read_at = async |after_rev| match &after(&store, 1, after_rev).await.since {
        Since::Events(events, _) => match &events[0].what {
            What::Restored(back) => back.read_at,
            other => panic!("{other:?}"),
        },
        Since::Unknown => panic!("unknown"),
    };
    assert!(read_at(3).await.is_some(), "as it came back, which is what the count counts");
    store.delete(&tenant(), user_id(1), one).await.expect("deleted");
    assert_eq!(all_after(&store, 1, 3).await, [(5, "unread", 1, 1), (6, "deleted", 1, 0)]);
    store.restore(&tenant(), user_id(1), one, within).await.expect("restored");
    // As by another node, which took its time before.
    bed.clock.advance_seconds(-5);
    store.mark_read(&tenant(), user_id(1), one).await.expect("marked");
    assert_eq!(read_at(6).await, None, "it is read afterwards");
}
