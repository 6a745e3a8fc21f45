//! A COMMIT whose answer is lost: what was committed is answered as that, once; what was not is done again.

use std::sync::Arc;
use std::time::Duration;

use bellboard::domain::{ChangeKind, Error};
use bellboard::store::{Options, Store};

use super::super::contract::bed::*;
use crate::support::{
    postgres::{Server, shared_port},
    proxy::{Fault, Network, Proxy},
};

/// One lane, and little patience.
fn brief() -> Options {
    Options {
        lanes: 1,
        statement_timeout: Duration::from_secs(1),
        lock_timeout: Duration::from_millis(500),
        commit_timeout: Duration::from_millis(1_500),
        connect_timeout: Duration::from_secs(1),
        ..Options::default()
    }
}

/// A store of one lane behind a proxy.
async fn behind(bed: &Bed, proxy: &Proxy) -> Store {
    let url = bed.database().url_at(proxy.port) + "?sslmode=disable";
    let options = Options { clock: bed.clock.clone(), ..brief() };
    Store::open(&url, options, bed.heard.clone(), Arc::new(())).await.expect("opens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_an_answer_is_looked_up() {
    look_up(true).await;
}

/// The same of batches that are one statement each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_without_an_answer_that_is_a_batch_is_looked_up() {
    look_up(false).await;
}

/// A batch with a mark is several statements; it is the first.
async fn look_up(marks: bool) {
    use Fault::{KeepReply, LoseCommit, LoseReply};
    for faults in [
        &[LoseReply][..],
        &[KeepReply],
        &[LoseCommit],
        &[LoseReply, LoseReply, LoseReply],
        &[LoseCommit, LoseReply],
        &[LoseReply, LoseCommit],
    ] {
        let bed = Bed::postgres();
        bed.with_users().await.close().await;
        let proxy = Proxy::before(shared_port()).await;
        let store = behind(&bed, &proxy).await;
        let before = send(&store, 1, "before").await;
        // The lane now has a row, and goes by it.
        let known = [before, send(&store, 2, "too").await];
        proxy.fail(faults);
        let home = tenant();
        let mark = async {
            if marks {
                store.mark_read(&home, user_id(1), before).await.expect("marked");
            }
        };
        let sends = (0..20).map(|n| store.send(&home, new(draft(1 + n % 3, &format!("n{n}")))));
        let ((), sent) = futures_util::future::join(mark, futures_util::future::join_all(sends)).await;
        assert!(proxy.has_failed(), "{faults:?}");
        let ids: Vec<_> = sent.into_iter().map(|sent| sent.expect("stored").id).collect();
        let mut stored: Vec<_> = Vec::new();
        for user in 1..=3 {
            let page = store.page(&home, user_id(user), &all()).await.expect("a page");
            assert_eq!(
                page.head.unread,
                page.notifications.iter().filter(|n| n.read_at.is_none()).count() as i64
            );
            stored.extend(page.notifications.iter().map(|n| n.id).filter(|id| !known.contains(id)));
        }
        stored.sort_unstable();
        let mut expected = ids;
        expected.sort_unstable();
        assert_eq!(stored, expected, "{faults:?}: each once, under the id that was answered");
        let told = bed.changes().iter().filter(|change| change.kind == ChangeKind::Arrived).count();
        assert_eq!(told, 22, "{faults:?}");
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_was_done_again_is_not_done_when_it_comes_late() {
    let bed = Bed::postgres();
    bed.with_users().await.close().await;
    let proxy = Proxy::before(shared_port()).await;
    let store = behind(&bed, &proxy).await;
    for title in ["a", "b"] {
        send(&store, 1, title).await;
    }
    proxy.fail(&[Fault::Delay]);
    send(&store, 1, "once").await;
    proxy.deliver().await;
    assert_eq!(titles(&store, 1, all()).await, ["once", "b", "a"]);
    assert_eq!(unread(&store, 1).await, 3);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_found_out_in_time_is_said_to_be_unknown() {
    let bed = Bed::postgres();
    bed.with_users().await.close().await;
    let proxy = Proxy::before(shared_port()).await;
    let store = behind(&bed, &proxy).await;
    send(&store, 1, "before").await;
    proxy.fail(&[Fault::Cut]);
    let sent = store.send(&tenant(), new(draft(1, "unknown"))).await;
    assert!(matches!(sent, Err(Error::Unresolved { .. })), "{sent:?}");
    let next = store.send(&tenant(), new(draft(1, "refused"))).await;
    assert!(matches!(next, Err(Error::Busy { .. })), "nothing was sent: {next:?}");
    proxy.turns(Network::Whole);
    send(&store, 1, "after").await;
    assert_eq!(titles(&store, 1, all()).await, ["after", "unknown", "before"]);
    assert_eq!(unread(&store, 1).await, 3);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_wait_for_a_replica_is_no_answer() {
    let server = Server::start(&["autovacuum=off"]);
    let url = server.url("postgres");
    let patient = Options { lanes: 1, commit_timeout: Duration::from_secs(30), ..Options::default() };
    let store = Store::open(&url, patient, Arc::new(()), Arc::new(())).await.expect("opens");
    store.put_user(&tenant(), user_id(1), Default::default(), None).await.expect("stored");
    // A replica that is not there.
    server.set("synchronous_standby_names = 'nowhere'");
    let mut tool = crate::support::Tool::of(&url).await;
    while tool.rows("SHOW synchronous_standby_names").await[0][0].text() != "nowhere" {
        tokio::task::yield_now().await;
    }
    let sending = tokio::spawn({
        let store = store.clone();
        async move { store.send(&tenant(), new(draft(1, "once"))).await }
    });
    let waiting = "SELECT coalesce(max(pid), 0)::bigint FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut pid = 0;
        while pid == 0 || seen.contains(&pid) {
            assert!(!sending.is_finished(), "it is not lasting yet");
            pid = tool.number(waiting).await;
        }
        seen.push(pid);
        tool.number(
            "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
        )
        .await;
    }
    server.set("synchronous_standby_names = ''");
    sending.await.expect("no panic").expect("stored");
    assert_eq!(titles(&store, 1, all()).await, ["once"]);
    assert_eq!(unread(&store, 1).await, 1);
    store.close().await;
}
