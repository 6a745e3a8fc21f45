//! Sends with an idempotency key: one of those that are the same is stored, and its answer given again.

use std::time::Duration;

use bellboard::config::Retention;
use bellboard::domain::{Draft, Error, Problem, Sealed, TenantId};
use bellboard::store::{ANSWER_LIFETIME, Answered, Idempotency, NewNotification, Store, Stored};
use futures_util::future::join_all;

use super::bed::*;

fn answer(sealed: &Sealed, stored: Stored, _: &[Problem]) -> String {
    format!("{} {} {}", stored.id, stored.created_at.0, sealed.user)
}

pub fn by(principal: &str, key: u8, body: u8) -> Idempotency {
    Idempotency {
        principal: principal.into(),
        key: [key; 32],
        body: [body; 32],
        keep: ANSWER_LIFETIME,
        warnings: Vec::new(),
        answer,
    }
}

fn once(draft: Draft, by: Idempotency) -> NewNotification {
    NewNotification { idempotency: Some(Box::new(by)), ..new(draft) }
}

/// What came of it: the answer, and whether it was given before.
pub async fn send_once(
    store: &Store,
    tenant: &TenantId,
    draft: Draft,
    by: Idempotency,
) -> Result<(String, bool), Error> {
    let new = once(draft, by);
    let sealed = new.sealed.clone();
    Ok(match store.send_once(tenant, new).await? {
        Answered::Stored(stored) => (answer(&sealed, stored, &[]), false),
        Answered::Before(answer) => (answer, true),
    })
}

async fn mine(store: &Store, user: i64, key: u8, body: u8) -> Result<(String, bool), Error> {
    send_once(store, &tenant(), draft(user, "x"), by("key:a", key, body)).await
}

async fn looked_up(store: &Store, key: u8, body: u8) -> Result<Option<String>, Error> {
    store.answered(&tenant(), &by("key:a", key, body)).await
}

pub async fn one_of_many_at_once_is_stored(bed: Bed) {
    let store = bed.with_users().await;
    let sends = (0..64).map(|_| mine(&store, 1, 1, 1));
    let answers: Vec<_> = join_all(sends).await.into_iter().map(|sent| sent.expect("answered")).collect();
    assert_eq!(answers.iter().filter(|(_, before)| !before).count(), 1);
    assert!(answers.iter().all(|(text, _)| *text == answers[0].0), "{answers:?}");
    assert_eq!((titles(&store, 1, all()).await.len(), unread(&store, 1).await), (1, 1));
    assert_eq!(looked_up(&store, 1, 1).await.expect("found").as_ref(), Some(&answers[0].0));
    assert!(matches!(looked_up(&store, 1, 2).await, Err(Error::KeyReused)));
    assert_eq!(looked_up(&store, 2, 1).await.expect("looked"), None);
}

pub async fn sends_of_one_batch_are_told_apart(bed: Bed) {
    let store = bed.with_users().await;
    store.put_user(&tenant_of("other"), user_id(1), Default::default(), None).await.expect("stored");
    let (home, other) = (tenant(), tenant_of("other"));
    let to = |user| draft(user, "x");
    for round in [false, true] {
        let (unknown, body, plain) = tokio::join!(
            join_all([mine(&store, 99, 1, 9), mine(&store, 98, 1, 8)]),
            join_all((0..20).map(|n| mine(&store, 1, 1, n % 2))),
            join_all((0..5).map(|_| store.send(&home, new(to(1))))),
        );
        assert!(plain.into_iter().all(|sent| sent.is_ok()), "those without a key are stored each");
        // One whose user is not there leaves its key free, though another may have it by now.
        for sent in unknown {
            assert!(matches!(sent, Err(Error::UserNotFound(_) | Error::KeyReused)), "{sent:?}");
        }
        let reused = body.iter().filter(|sent| matches!(sent, Err(Error::KeyReused))).count();
        let stored = body.iter().flatten().filter(|(_, before)| !before).count();
        assert_eq!((reused, stored), (10, usize::from(!round)), "{body:?}");
    }
    let (own, principal, tenant) = tokio::join!(
        mine(&store, 2, 7, 1),
        send_once(&store, &home, to(2), by("key:b", 7, 1)),
        send_once(&store, &other, to(1), by("key:a", 7, 1)),
    );
    for sent in [own, principal, tenant] {
        assert!(!sent.expect("stored").1, "keys are each principal's own");
    }
    assert_eq!((unread(&store, 1).await, unread(&store, 2).await), (11, 2));
}

pub async fn what_is_repeated_collapses_nothing(bed: Bed) {
    let store = bed.with_users().await;
    let collapsing = |title| Draft { collapse_key: Some("c".into()), ..draft(1, title) };
    let home = tenant();
    let send = |title, key| send_once(&store, &home, collapsing(title), by("key:a", key, key));
    let first = send("first", 1).await.expect("stored");
    send("second", 2).await.expect("stored");
    assert_eq!(send("first", 1).await.expect("answered"), (first.0, true));
    assert_eq!(titles(&store, 1, all()).await, ["second"]);
}

pub async fn answers_are_kept_a_day(bed: Bed) {
    let store = bed.with_users().await;
    let maintain = async || store.maintain(&|_| Retention::default()).await.expect("maintained").answers;
    let (first, _) = mine(&store, 1, 1, 1).await.expect("stored");
    for key in 2..=255 {
        mine(&store, 2, key, 1).await.expect("stored");
    }
    for body in 0..100 {
        send_once(&store, &tenant(), draft(2, "x"), by("key:b", body, 1)).await.expect("stored");
    }
    bed.clock.advance_seconds(24 * 3600);
    assert_eq!(maintain().await, 0);
    assert_eq!(mine(&store, 1, 1, 1).await.expect("answered"), (first.clone(), true));
    bed.clock.advance_seconds(1);
    assert_eq!(looked_up(&store, 1, 1).await.expect("looked"), None, "before it is purged");
    let (second, before) = mine(&store, 1, 1, 2).await.expect("stored");
    assert!(!before && second != first);
    assert_eq!(maintain().await, 354, "in steps, but for the one that was replaced");
    assert_eq!(mine(&store, 1, 1, 2).await.expect("answered"), (second, true));
}

pub async fn an_answer_is_kept_for_as_long_as_its_send_says(bed: Bed) {
    let store = bed.with_users().await;
    let maintain = async || store.maintain(&|_| Retention::default()).await.expect("maintained").answers;
    let send = async |key: u8, hours: u64| {
        let keep = Duration::from_secs(hours * 3600);
        let by = Idempotency { keep, ..by("key:a", key, 1) };
        send_once(&store, &tenant(), draft(1, "x"), by).await.expect("answered").1
    };
    let is_known = async |key| looked_up(&store, key, 1).await.expect("looked").is_some();
    assert!(!send(1, 1).await && !send(2, 72).await);
    bed.clock.advance_seconds(3600);
    assert!(send(1, 1).await && send(2, 72).await);
    bed.clock.advance_seconds(1);
    assert!(!is_known(1).await && is_known(2).await);
    assert_eq!(maintain().await, 1);
    bed.clock.advance_seconds(71 * 3600 - 1);
    assert_eq!((send(2, 72).await, maintain().await), (true, 0));
    bed.clock.advance_seconds(1);
    assert_eq!((is_known(2).await, maintain().await), (false, 1));
}

pub async fn answers_go_with_their_user(bed: Bed) {
    let store = bed.with_users().await;
    let (first, _) = mine(&store, 1, 1, 1).await.expect("stored");
    let (kept, _) = mine(&store, 2, 2, 1).await.expect("stored");
    send_once(&store, &tenant(), draft(2, "x"), by("user:1", 3, 1)).await.expect("stored");
    store.erase_user(&tenant(), user_id(1), None).await.expect("erased");
    assert_eq!(looked_up(&store, 1, 1).await.expect("looked"), None, "at once");
    assert!(matches!(mine(&store, 1, 1, 1).await, Err(Error::UserNotFound(_))));

    store.put_user(&tenant(), user_id(1), Default::default(), None).await.expect("stored");
    let (second, before) = mine(&store, 1, 1, 1).await.expect("stored");
    assert!(!before && second != first, "made again, they start with nothing");
    store.maintain(&|_| Retention::default()).await.expect("maintained");
    assert_eq!(mine(&store, 1, 1, 1).await.expect("answered"), (second, true));
    assert_eq!(mine(&store, 2, 2, 1).await.expect("answered"), (kept, true));
    let mut tool = bed.tool().await;
    assert_eq!(tool.number("SELECT count(*) FROM idempotency").await, 2, "nor what the user sent is kept");
    assert_eq!(tool.number("SELECT count(*) FROM erasure").await, 0);
}

pub async fn answers_outlive_their_store(bed: Bed) {
    let store = bed.with_users().await;
    let (first, _) = mine(&store, 1, 1, 1).await.expect("stored");
    store.close().await;
    let store = bed.open().await;
    assert_eq!(mine(&store, 1, 1, 1).await.expect("answered"), (first, true));
    assert_eq!(unread(&store, 1).await, 1);
}
