//! Several nodes on one database: they wait for each other and never in a circle, and purge at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bellboard::config::Retention;
use bellboard::domain::{Draft, Error, Profile, TenantId};
use bellboard::store::{NewNotification, Options, Store, Walk, Withdrawal};

use super::super::contract::audit::actor;
use super::super::contract::bed::*;
use super::super::contract::repeats::{by, send_once};
use crate::support::Dice;

/// Changes many inboxes in an order of its own, some of users who come to be meanwhile.
async fn wander(store: Store, seed: u64) -> u64 {
    let mut dice = Dice::new(seed);
    let home = tenant();
    let mut ids = Vec::new();
    let mut stored = 0;
    for step in 0..25_i64 {
        let mut users: Vec<i64> = (0..8).map(|_| 1 + dice.roll(20).cast_signed()).collect();
        if step % 5 == 0 {
            users.push(100 + step);
        }
        let sends = users.iter().map(|user| {
            let new = NewNotification { create_user: true, ..new(draft(*user, "x")) };
            store.send(&home, new)
        });
        for sent in futures_util::future::join_all(sends).await {
            ids.push(sent.expect("stored").id);
            stored += 1;
        }
        match dice.roll(4) {
            0 => {
                let some = ids.split_off(ids.len().saturating_sub(20));
                stored -=
                    store.withdraw(&home, &Withdrawal::Ids(some), &actor("key:a")).await.expect("withdrawn");
            }
            1 => {
                let user = user_id(100 + dice.roll(30).cast_signed());
                store.put_user(&home, user, Profile::default(), None).await.expect("put");
            }
            2 => {
                let user = user_id(1 + dice.roll(20).cast_signed());
                let _ = store.mark_all_read(&home, user, None).await;
            }
            _ => store.probe().await.expect("probed"),
        }
    }
    stored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_wait_for_each_other_and_never_in_a_circle() {
    let bed = Bed::postgres();
    let stores = [bed.open().await, bed.open().await];
    let tasks: Vec<_> =
        (0..12_u64).map(|n| tokio::spawn(wander(stores[n as usize % 2].clone(), n))).collect();
    let mut stored = 0;
    for task in tasks {
        stored += task.await.expect("no panic");
    }
    for store in &stores {
        let mut walk = Walk::default();
        loop {
            let step = store.check_heads(&mut walk).await.expect("checked");
            assert_eq!(step.repaired, 0);
            if step.done {
                break;
            }
        }
        store.close().await;
    }
    let mut tool = bed.tool().await;
    assert_eq!(tool.number("SELECT count(*) FROM inbox").await.unsigned_abs(), stored);
    let rows = "SELECT count(*) FROM (SELECT id < lag(id) OVER (PARTITION BY user_id ORDER BY rev) AS back FROM inbox) r
                 WHERE back";
    assert_eq!(tool.number(rows).await, 0, "ids grow with revisions");
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(tool.number(deadlocks).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_on_two_nodes_stores_one() {
    let bed = Bed::postgres();
    let stores = [bed.with_users().await, bed.open().await];
    let users: Vec<_> = (1..=40).map(|n| (user_id(n), Profile::default())).collect();
    stores[0].seed_users(&tenant(), &users).await.expect("seeded");
    let home = tenant();
    for round in 0..10_u8 {
        // Several keys at once, each on both nodes, with two bodies to two users on whatever lanes they have.
        let sends = (0..128_u8).map(|n| {
            let (key, body) = (n % 16, n / 16 % 2);
            let user = 1 + i64::from(key) + 20 * i64::from(body);
            let by = by("key:a", round * 16 + key, body);
            let store = &stores[usize::from(n / 32 % 2)];
            let home = &home;
            async move { (key, body, send_once(store, home, draft(user, "x"), by).await) }
        });
        let sent = futures_util::future::join_all(sends).await;
        for key in 0..16 {
            let of =
                |body| sent.iter().filter(move |sent| (sent.0, sent.1) == (key, body)).map(|sent| &sent.2);
            let won = if of(0).any(Result::is_ok) { 0 } else { 1 };
            let answers: Vec<_> = of(won).map(|sent| sent.as_ref().expect("answered")).collect();
            assert_eq!(answers.iter().filter(|(_, before)| !before).count(), 1, "{answers:?}");
            assert!(answers.iter().all(|(text, _)| *text == answers[0].0), "{answers:?}");
            assert!(of(1 - won).all(|sent| matches!(sent, Err(Error::KeyReused))));
        }
    }
    let mut tool = bed.tool().await;
    assert_eq!(tool.number("SELECT count(*) FROM notification").await, 160);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(tool.number(deadlocks).await, 0);
    for store in stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_first_send_is_rolled_back_is_free() {
    let bed = Bed::postgres();
    let stores = [bed.with_users().await, bed.open().await];
    let home = tenant();
    // The first holds its key while it waits for a table, until its connection is lost.
    let mut tool = bed.tool().await;
    tool.run("BEGIN; LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE").await;
    let first = tokio::spawn({
        let (store, home) = (stores[0].clone(), home.clone());
        async move { send_once(&store, &home, draft(1, "x"), by("key:a", 1, 1)).await }
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'";
    let mut looking = bed.tool().await;
    while looking.number(waits).await == 0 {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn({
        let (store, home) = (stores[1].clone(), home.clone());
        async move { send_once(&store, &home, draft(2, "x"), by("key:a", 1, 2)).await }
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'";
    while looking.number(waits).await == 0 {
        tokio::task::yield_now().await;
    }
    let end =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE NOT granted AND locktype = 'relation'";
    assert_eq!(looking.number(end).await, 1);
    // The first comes again on a new connection, and waits behind the second.
    tool.let_go().await;
    let sent = [first.await.expect("no panic"), second.await.expect("no panic")];
    assert_eq!(sent.iter().filter(|sent| sent.is_ok()).count(), 1, "{sent:?}");
    assert_eq!(looking.number("SELECT count(*) FROM notification").await, 1);
    for store in stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_purge_at_once() {
    for bed in [Bed::postgres(), Bed::pooled()] {
        let stores = [bed.with_users().await, bed.open().await];
        bed.fill(1, 2_000).await;
        bed.fill(2, 1_000).await;
        for n in 0..100 {
            let by = |sender: &str| NewNotification { sender: sender.into(), ..new(draft(3, "by a user")) };
            let sent = stores[n % 2].send(&tenant(), by("user:1")).await.expect("stored");
            if n % 2 == 0 {
                stores[0].delete(&tenant(), user_id(3), sent.id).await.expect("deleted");
            }
        }
        for user in [1, 2] {
            stores[0].erase_user(&tenant(), user_id(user), None).await.expect("erased");
        }
        bed.clock.advance_seconds(25 * 3600);
        let rounds = stores.iter().map(|store| {
            let store = store.clone();
            tokio::spawn(async move { store.maintain(&|_| Default::default()).await })
        });
        let rounds: Vec<_> = rounds.collect();
        let mut erased = 0;
        let mut changes = 0;
        for round in rounds {
            let done = round.await.expect("no panic").expect("maintained");
            erased += done.erased;
            changes += done.changes;
        }
        assert_eq!(changes, 52, "50 deletions and 2 erasures, each once");
        assert!(erased >= 3_000, "{erased}");
        let mut tool = bed.tool().await;
        let left = "SELECT (SELECT count(*) FROM notification), (SELECT count(*) FROM inbox),
                           (SELECT count(*) FROM erasure), (SELECT count(*) FROM change),
                           (SELECT count(*) FROM notification WHERE sender = 'user:1'),
                           (SELECT deadlocks FROM pg_stat_database WHERE datname = current_database())";
        let left: Vec<_> = tool.rows(left).await[0].iter().map(|cell| cell.number()).collect();
        assert_eq!(left, [50, 50, 0, 0, 0, 0]);
        for store in stores {
            store.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_keep_at_once_under_load() {
    let bed = Bed::postgres();
    let stores = [bed.with_users().await, bed.open().await];
    let done = Arc::new(AtomicBool::new(false));
    let upkeep = stores.iter().map(|store| tokio::spawn(keep(store.clone(), done.clone())));
    let upkeep: Vec<_> = upkeep.collect();
    let loads = (0..6).map(|n| {
        let (store, clock) = (stores[n % 2].clone(), bed.clock.clone());
        tokio::spawn(async move {
            for step in 0..60_i64 {
                let expires_at = Some(clock.now().plus_seconds(1 + step % 5).0);
                send_draft(&store, Draft { expires_at, ..draft(1 + step % 3, "x") }).await;
                send(&store, 1 + step % 3, "y").await;
                if step % 10 == 0 {
                    clock.advance_seconds(1);
                }
            }
        })
    });
    for load in loads.collect::<Vec<_>>() {
        load.await.expect("every send is stored");
    }
    bed.clock.advance_seconds(10);
    done.store(true, Ordering::SeqCst);
    let mut gone = 0;
    for upkeep in upkeep {
        gone += upkeep.await.expect("no fault");
    }
    let mut tool = bed.tool().await;
    let told = tool.number("SELECT count(*) FROM change WHERE kind = 'expired'").await;
    assert_eq!(told.unsigned_abs(), gone, "each by one of them");
    assert_eq!(tool.number("SELECT count(*) FROM inbox").await.unsigned_abs() + gone, 6 * 60 * 2);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(tool.number(deadlocks).await, 0);
    for store in stores {
        store.close().await;
    }
}

/// Rounds of upkeep and of checks until all is done, and one after that; gives how many rows that took out.
async fn keep(store: Store, done: Arc<AtomicBool>) -> u64 {
    let retention = |_: &TenantId| Retention { newest: Some(20), ..Retention::default() };
    let (mut walk, mut gone) = (Walk::default(), 0);
    loop {
        let is_last = done.load(Ordering::SeqCst);
        let kept = store.maintain(&retention).await.expect("maintained");
        gone += kept.expired + kept.retired;
        assert_eq!(store.check_heads(&mut walk).await.expect("checked").repaired, 0);
        if is_last {
            return gone;
        }
    }
}

#[tokio::test]
async fn one_hot_user_holds_up_no_other() {
    let bed = Bed::postgres();
    // The test alone ends the wait for the row.
    let patience = Duration::from_secs(60);
    let store = bed
        .open_with(Options {
            lanes: 4,
            lock_timeout: patience,
            statement_timeout: patience,
            ..Options::default()
        })
        .await;
    let users: Vec<_> = (1..=40).map(|n| (user_id(n), Profile::default())).collect();
    store.seed_users(&tenant(), &users).await.expect("seeded");
    let mut tool = bed.tool().await;
    tool.run("BEGIN; SELECT 1 FROM directory WHERE id = 1 FOR UPDATE").await;
    // The lane of the first user waits; others have other lanes.
    let send = |user, title: &'static str| {
        let store = store.clone();
        async move { store.send(&tenant(), new(draft(user, title))).await }
    };
    let held = tokio::spawn(send(1, "held"));
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut other = bed.tool().await;
    while other.number(waiting).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut sent = tokio::task::JoinSet::new();
    for user in 2..=40 {
        sent.spawn(send(user, "free"));
    }
    // Those of three lanes of four.
    for _ in 0..15 {
        sent.join_next().await.expect("one more").expect("no panic").expect("stored");
    }
    assert!(!held.is_finished());
    tool.let_go().await;
    held.await.expect("no panic").expect("stored");
    while let Some(late) = sent.join_next().await {
        late.expect("no panic").expect("stored");
    }
    store.close().await;
}
