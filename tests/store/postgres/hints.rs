//! What a node changes, the others hear of; where they do not, a count is remembered for a moment alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellboard::cache::UnreadCache;
use bellboard::domain::{Change, Profile};
use bellboard::store::{CommitListener, Elsewhere, Options, Store};

use super::super::contract::bed::*;
use crate::support::{gateway::until_async, postgres::shared_port, proxy::Proxy};

/// A node: a store, and a cache that is told as the gateway's is.
struct Node {
    store: Store,
    ear: Arc<Ear>,
}

struct Ear {
    cache: UnreadCache,
    /// Users heard of, in their order; `None` is anyone.
    heard: Mutex<Vec<Option<i64>>>,
}

impl CommitListener for Ear {
    fn committed(&self, changes: &[Change]) {
        for change in changes {
            self.cache.bump(&change.tenant, change.user);
        }
    }

    fn moved_elsewhere(&self, whose: Elsewhere<'_>) {
        let user = match whose {
            Elsewhere::Inbox(tenant, user) => {
                self.cache.bump(tenant, user);
                Some(user.get())
            }
            Elsewhere::Anywhere => {
                self.cache.bump_all();
                None
            }
        };
        self.heard.lock().expect("sound").push(user);
    }
}

impl Node {
    async fn start(bed: &Bed, url: &str, remembered: Option<Duration>) -> Self {
        let options = Options { clock: bed.clock.clone(), lanes: 1, readers: 1, ..Options::default() };
        let ear = Arc::new(Ear { cache: UnreadCache::new(100, remembered), heard: Mutex::default() });
        let store = Store::open(url, options, ear.clone(), Arc::new(())).await.expect("opens");
        let node = Self { store, ear };
        // It listens; what comes from now on it hears.
        node.hears(|heard| heard.contains(&None)).await;
        node
    }

    async fn count(&self, user: i64) -> i64 {
        let (home, user) = (tenant(), user_id(user));
        let load = self.store.head(&home, user);
        self.ear.cache.count(&home, user, NOON, load).await.expect("a count").unread
    }

    fn heard(&self) -> Vec<Option<i64>> {
        self.ear.heard.lock().expect("sound").clone()
    }

    async fn hears(&self, what: impl Fn(&[Option<i64>]) -> bool) {
        until_async("heard", async || what(&self.heard())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_changes_the_other_hears_of() {
    let bed = Bed::postgres();
    bed.with_users().await.close().await;
    let [one, other] = [Node::start(&bed, &bed.url, None).await, Node::start(&bed, &bed.url, None).await];
    assert_eq!(other.count(1).await, 0);
    let sent = send(&one.store, 1, "x").await;
    other.hears(|heard| heard.contains(&Some(1))).await;
    assert_eq!(other.count(1).await, 1, "nothing but the hint makes it forget");
    one.store.mark_read(&tenant(), user_id(1), sent).await.expect("marked");
    until_async("counted", async || other.count(1).await == 0).await;
    send(&other.store, 2, "y").await;
    one.hears(|heard| heard.contains(&Some(2))).await;
    assert!(!one.heard().contains(&Some(1)), "its own hints came before and are passed over");
    // Too many to be named one by one.
    let users: Vec<_> = (1..=3_000).map(|n| (user_id(n), Profile::default())).collect();
    one.store.seed_users(&tenant(), &users).await.expect("seeded");
    for user in [1, 2, 3_000] {
        assert!(other.count(user).await >= 0);
    }
    futures_util::future::join_all((1..=3_000).map(|user| send(&one.store, user, "z"))).await;
    for user in [1, 2, 3_000] {
        let now = unread(&one.store, user).await;
        until_async("counted", async || other.count(user).await == now).await;
    }
    for node in [one, other] {
        node.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_makes_no_count_older_than_it_may_be_and_ends_by_itself() {
    let bed = Bed::postgres();
    bed.with_users().await.close().await;
    let proxy = Proxy::before(shared_port()).await;
    let far = bed.database().url_at(proxy.port) + "?sslmode=disable";
    let remembered = Some(Duration::from_millis(500));
    let [one, other] =
        [Node::start(&bed, &bed.url, remembered).await, Node::start(&bed, &far, remembered).await];
    send(&one.store, 3, "heard").await;
    other.hears(|heard| heard.contains(&Some(3))).await;
    proxy.mute();
    assert_eq!((one.count(1).await, other.count(1).await), (0, 0));
    send(&one.store, 1, "x").await;
    until_async("counted", async || other.count(1).await == 1).await;
    // It cannot tell either, and that holds up none of its commits.
    for _ in 0..20 {
        send(&other.store, 1, "y").await;
    }
    until_async("counted", async || one.count(1).await == 21).await;
    // On a busy machine the silence may have been noticed by now, which names nobody.
    let named = |node: &Node| node.heard().into_iter().flatten().collect::<Vec<_>>();
    assert_eq!((named(&one), named(&other)), (vec![], vec![3]));
    proxy.unmute();
    let told = |heard: &[Option<i64>]| heard.iter().filter(|user| user.is_none()).count() > 1;
    other.hears(told).await;
    one.hears(told).await;
    send(&one.store, 2, "z").await;
    other.hears(|heard| heard.contains(&Some(2))).await;
    for node in [one, other] {
        node.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_nodes_tell_each_other_and_commit_all_the_same() {
    let bed = Bed::postgres();
    bed.with_users().await.close().await;
    let nodes = futures_util::future::join_all((0..12).map(|_| Node::start(&bed, &bed.url, None))).await;
    let load = nodes.iter().map(|node| {
        let store = node.store.clone();
        tokio::spawn(async move {
            for _ in 0..30 {
                futures_util::future::join_all((1..=3).map(|user| send(&store, user, "x"))).await;
            }
        })
    });
    for task in load.collect::<Vec<_>>() {
        task.await.expect("every send is stored");
    }
    for node in &nodes {
        for user in 1..=3 {
            until_async("counted", async || node.count(user).await == 12 * 30).await;
        }
    }
    for node in nodes {
        node.store.close().await;
    }
}
