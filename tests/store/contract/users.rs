//! The directory: users created, listed and erased.

use bellboard::config::Retention;
use bellboard::domain::{ChangeKind, Draft, Error, Profile};
use bellboard::store::Store;

use super::bed::*;

fn named(name: &str) -> Profile {
    Profile { display_name: Some(name.into()), locale: Some("de-CH".into()), time_zone: None }
}

async fn maintain(store: &Store) {
    store.maintain(&|_| Retention::default()).await.expect("maintained");
}

pub async fn puts_pages_and_seeds(bed: Bed) {
    let store = bed.with_users().await;
    bed.clock.advance_seconds(60);
    let (user, created) = store.put_user(&tenant(), user_id(1), named("Ann"), None).await.expect("stored");
    assert_eq!((user.created_at, user.updated_at, created), (NOON, NOON.plus_seconds(60), false));
    assert_eq!(store.user(&tenant(), user_id(1)).await.expect("a user"), user);
    assert_eq!(user.profile, named("Ann"));

    let seeds = [(user_id(1), named("not Ann")), (user_id(7), named("Gus"))];
    store.seed_users(&tenant(), &seeds).await.expect("seeded");
    let (first, more) = store.users(&tenant(), None, 3).await.expect("users");
    assert_eq!((first[0].profile.clone(), first.len(), more), (named("Ann"), 3, true));
    let (rest, more) = store.users(&tenant(), Some(first[2].id), 3).await.expect("users");
    assert_eq!((rest[0].id, rest.len(), more), (user_id(7), 1, false));

    store.erase_user(&tenant(), user_id(7), None).await.expect("erased");
    store.seed_users(&tenant(), &seeds).await.expect("seeded");
    let gone = store.user(&tenant(), user_id(7)).await;
    assert!(matches!(gone, Err(Error::UserNotFound(_))), "a seed brings nobody back");
}

pub async fn creates_users_on_send_where_asked(bed: Bed) {
    let store = bed.with_users().await;
    let open = |user: i64| {
        let mut new = new(draft(user, "hi"));
        new.create_user = user != 66;
        new
    };
    let home = tenant();
    let sends = [50, 66, 50, 1, 51].map(|user| store.send(&home, open(user)));
    let sent = futures_util::future::join_all(sends).await;
    assert!(matches!(sent[1], Err(Error::UserNotFound(user)) if user == user_id(66)));
    assert_eq!(sent.iter().filter(|s| s.is_ok()).count(), 4);
    assert_eq!((unread(&store, 50).await, unread(&store, 51).await, unread(&store, 1).await), (2, 1, 1));
}

pub async fn erasing_hides_at_once_and_purges_behind(bed: Bed) {
    let store = bed.with_users().await;
    let kept = send_draft(&store, Draft { related_user_id: Some(1), ..draft(2, "by 1") }).await;
    let soon = Some(NOON.plus_seconds(5).0);
    let deleted = send_draft(&store, Draft { expires_at: soon, ..draft(1, "deleted") }).await;
    store.delete(&tenant(), user_id(1), deleted).await.expect("deleted");
    let sent = send(&store, 1, "one").await;

    store.erase_user(&tenant(), user_id(1), None).await.expect("erased");
    for done in [
        store.head(&tenant(), user_id(1)).await.map(drop),
        store.page(&tenant(), user_id(1), &all()).await.map(drop),
        store.user(&tenant(), user_id(1)).await.map(drop),
        store.erase_user(&tenant(), user_id(1), None).await,
        store.send(&tenant(), new(draft(1, "late"))).await.map(drop),
    ] {
        assert!(matches!(done, Err(Error::UserNotFound(user)) if user == user_id(1)));
    }
    assert!(store.mark_read(&tenant(), user_id(1), sent).await.is_err());
    assert!(store.delete(&tenant(), user_id(1), sent).await.is_err());
    let last = bed.changes().pop().expect("a change");
    assert_eq!((last.kind, last.rev, last.unread), (ChangeKind::Erased, 4, 0));

    maintain(&store).await;
    bed.clock.advance_seconds(60);
    maintain(&store).await;
    let page = store.page(&tenant(), user_id(2), &all()).await.expect("a page");
    assert_eq!((page.notifications[0].id, page.notifications[0].related_user), (kept, None));
}

pub async fn an_erased_user_made_again_starts_empty(bed: Bed) {
    let store = bed.with_users().await;
    let keyed = || Draft { collapse_key: Some("k".into()), ..draft(1, "old") };
    let old = send_draft(&store, keyed()).await;
    store.erase_user(&tenant(), user_id(1), None).await.expect("erased");
    let (user, created) =
        store.put_user(&tenant(), user_id(1), Profile::default(), None).await.expect("stored");
    assert_eq!((created, user.profile), (true, Profile::default()));

    let head = store.head(&tenant(), user_id(1)).await.expect("a head");
    assert_eq!((head.rev, head.unread, head.erased_up_to), (2, 0, Some(old)));
    assert!(titles(&store, 1, all()).await.is_empty());
    assert!(store.mark_read(&tenant(), user_id(1), old).await.is_err());
    assert!(store.delete(&tenant(), user_id(1), old).await.is_err());
    assert_eq!(store.mark_all_read(&tenant(), user_id(1), None).await.expect("marked"), 0);
    send_draft(&store, Draft { title: "new".into(), ..keyed() }).await;
    maintain(&store).await;
    assert_eq!((titles(&store, 1, all()).await, unread(&store, 1).await), (vec!["new".to_owned()], 1));
    send_draft(&store, Draft { title: "newer".into(), ..keyed() }).await;
    assert_eq!(titles(&store, 1, all()).await, ["newer"]);
}
