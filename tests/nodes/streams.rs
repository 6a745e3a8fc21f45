//! Live streams, on whichever node: what a client makes of a list and a stream is what the list says then.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bellboard::domain::Timestamp;
use serde_json::{Value, json};

use super::{SETTINGS, key, own};
use crate::support::{
    Api, Dice, Gateway, pooler,
    postgres::{Database, shared_port},
    proxy::Proxy,
    stream::{Event, Stream},
    token::now,
};

/// What one node does, a stream on the other tells.
async fn is_told(one: &Gateway, other: &Gateway) {
    let reader = own(other, 2);
    let mut stream = Stream::open(&reader, None).await;
    let mut unread = stream.expect("ready").await.unread();
    for _ in 0..3 {
        let sent = key(one).notify(2, "t").await;
        unread += 1;
        let arrived = stream.expect("notification").await;
        assert_eq!((arrived.about(), arrived.unread()), (sent, unread));
    }
    own(one, 2).post("/mark-all-read").await.expect(200);
    let read = stream.expect("read_all").await;
    assert_eq!(read.unread(), 0);
    // And on, on the node where it happened.
    let mut moved = Stream::open(&own(one, 2), Some(&read.id)).await;
    let sent = key(other).notify(2, "t").await;
    for stream in [&mut moved, &mut stream] {
        assert_eq!(stream.expect("notification").await.about(), sent);
    }
    key(one).put_json("/users/78", &json!({})).await.expect(201);
    let mut erased = Stream::open(&own(other, 78), None).await;
    erased.expect("ready").await;
    key(one).delete("/users/78").await.expect(200);
    assert_eq!(erased.next().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_does_a_stream_on_the_other_tells() {
    let database = Database::new();
    let [one, other] = [(); 2].map(|()| Gateway::start_at(&database.url, SETTINGS));
    is_told(&one, &other).await;
    is_told(&other, &one).await;
    for node in [one, other] {
        node.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_where_hints_go_astray() {
    let database = Database::new();
    let proxy = Proxy::before(shared_port()).await;
    let far = database.url_at(proxy.port) + "?sslmode=disable";
    let [one, other] = [&database.url, &far].map(|url| Gateway::start_at(url, SETTINGS));
    proxy.mute();
    is_told(&one, &other).await;
    is_told(&other, &one).await;
    for node in [one, other] {
        node.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_behind_a_pooler() {
    let database = Database::new();
    let [one, other] = [(); 2].map(|()| Gateway::start_at(&pooler::url(&database), SETTINGS));
    is_told(&one, &other).await;
    is_told(&other, &one).await;
    for node in [one, other] {
        node.stop();
    }
}

const USERS: i64 = 3;
const WORKERS: u64 = 3;
const STEPS: usize = 150;
const CLIENTS: u64 = 3;

/// Expires when it is told to, and replaces the unread one with the same key.
const NOTE: &str = r#"
description: A note.
icon: note
severity: info
pipeline:
  - expiry: {from_metadata: until}
  - collapse_key: {template: "{{ metadata.key }}"}
"#;

/// Someone who changes an inbox in every way there is, on any node.
async fn work(nodes: Vec<(Api, Api)>, user: i64, seed: u64, left: Arc<AtomicUsize>) {
    let mut dice = Dice::new(seed + 17);
    let mut sent: Vec<i64> = Vec::new();
    for _ in 0..STEPS {
        let (own, key) = &nodes[dice.place(nodes.len())];
        let some = sent.len().saturating_sub(12);
        let some = (!sent.is_empty()).then(|| sent[some + dice.place(sent.len() - some)]);
        match (dice.roll(20), some) {
            (0..4, Some(id)) => drop(own.post(&format!("/{id}/mark-read")).await),
            (4..9, Some(id)) => drop(own.delete(&format!("/{id}")).await),
            (15, Some(id)) => drop(own.post(&format!("/{id}/mark-unread")).await),
            (16, Some(_)) => {
                // Deleted and restored once, and left alone then.
                let metadata = json!({"user_id": user, "type": "note", "title": "t"});
                let id = key.send(&metadata).await.expect(201).id();
                own.delete(&format!("/{id}")).await.expect(200);
                own.post(&format!("/{id}/restore")).await.expect(200);
            }
            (9, Some(id)) => drop(own.post_json("/mark-all-read", &json!({ "up_to": id })).await.expect(200)),
            (10, _) => drop(own.post("/mark-all-read").await.expect(200)),
            (roll, _) => {
                let metadata = match roll {
                    11 | 12 => json!({"until": Timestamp((now() + 1) * 1_000_000).to_string()}),
                    13 | 14 => json!({"key": format!("{}", dice.roll(3))}),
                    _ => json!({}),
                };
                let body = json!({"user_id": user, "type": "note", "title": "t", "metadata": metadata});
                sent.push(key.send(&body).await.expect(201).id());
            }
        }
    }
    left.fetch_sub(1, Relaxed);
}

/// What a client holds of an inbox.
#[derive(Default)]
struct Model {
    /// Whether each is read, and when it expires.
    rows: BTreeMap<i64, (bool, Option<String>)>,
    badge: i64,
    last: String,
    rev: i64,
    /// Changes that are told by others that came after them: an arrival by its going, a deletion by its restoring.
    untold: i64,
    /// As many of these a restoring may have told: of what arrived and went untold, when it came back.
    restored: i64,
    /// What was told to be deleted.
    deleted: BTreeSet<i64>,
    events: usize,
}

fn rev(id: &str) -> i64 {
    id.split_once('.').and_then(|(_, rev)| rev.parse().ok()).expect("a revision")
}

fn row(notification: &Value) -> (i64, (bool, Option<String>)) {
    let id = notification["notification_id"].as_i64().expect("an id");
    let expires = notification["expires_at"].as_str().map(str::to_owned);
    (id, (notification["is_read"] == true, expires))
}

impl Model {
    /// As the list says.
    async fn load(&mut self, api: &Api) {
        let page = api.get("/?limit=200").await.expect(200);
        let (last, page) = (page.header("x-event-id").to_owned(), page.json());
        assert!(page["next_cursor"].is_null(), "more than a page");
        self.rows = page["notifications"].as_array().expect("a list").iter().map(row).collect();
        self.badge = page["unread_count"].as_i64().expect("a count");
        (self.rev, self.last, self.untold, self.restored) = (rev(&last), last, 0, 0);
        self.deleted.clear();
        self.is_right();
    }

    fn unread(&self) -> i64 {
        self.rows.values().filter(|(read, _)| !read).count() as i64
    }

    /// The badge is the count, but for what came and went untold.
    fn is_right(&self) {
        let (unread, untold) = (self.unread(), self.untold);
        assert!((unread - untold..=unread + untold).contains(&self.badge), "{} of {unread}", self.badge);
    }

    fn apply(&mut self, event: &Event) {
        let rev = rev(&event.id);
        assert!(rev > self.rev, "twice, or out of order: {event:?} after {}", self.last);
        self.untold += rev - self.rev - 1;
        (self.rev, self.last, self.badge) = (rev, event.id.clone(), event.unread());
        self.events += 1;
        let about = event.about();
        match event.name.as_str() {
            "notification" => {
                let (id, row) = row(&event.data["notification"]);
                if self.rows.insert(id, row).is_some() {
                    assert_eq!(event.data["restored"], true, "twice: {event:?}");
                    self.untold -= 1;
                } else if event.data["restored"] == true && !self.deleted.remove(&id) {
                    self.restored += 2;
                }
            }
            "read" => {
                if let Some(row) = self.rows.get_mut(&about) {
                    row.0 = true;
                }
            }
            "read_all" => {
                let at = event.data["read_at"].as_str().expect("a time");
                for (_, (read, expires)) in self.rows.range_mut(..=about) {
                    // What was due by then is no longer marked: it expires next.
                    *read |= expires.as_deref().is_none_or(|expires| expires > at);
                }
            }
            "unread" => {
                if let Some(row) = self.rows.get_mut(&about) {
                    row.0 = false;
                }
            }
            "deleted" | "expired" => match self.rows.remove(&about) {
                Some(_) => drop(self.deleted.insert(about)),
                None => self.untold -= 1,
            },
            other => panic!("{other}"),
        }
        assert!(self.untold >= 0, "missed: {event:?}");
        self.is_right();
    }
}

/// A client that loses its stream again and again, and goes on wherever it finds one, until it has come to the end.
async fn follow(nodes: Vec<Api>, seed: u64, left: Arc<AtomicUsize>) -> Model {
    let mut dice = Dice::new(seed + 71);
    let mut model = Model::default();
    model.load(&nodes[dice.place(nodes.len())]).await;
    loop {
        let api = &nodes[dice.place(nodes.len())];
        let mut stream = Stream::open(api, Some(&model.last)).await;
        let most = 1 + dice.roll(60);
        for _ in 0..most {
            let wait = Duration::from_millis(20 + dice.roll(200));
            // Cut off wherever it is, as a network would.
            let Ok(event) = tokio::time::timeout(wait, stream.next()).await else { break };
            let event = event.expect("nobody ends it");
            if event.name == "reset" {
                model.load(api).await;
                break;
            }
            model.apply(&event);
        }
        if left.load(Relaxed) == 0 {
            // Nothing is due any more, so this is the end.
            let page = api.get("/?limit=200").await.expect(200);
            let rows = page.json()["notifications"].as_array().expect("a list").clone();
            if page.header("x-event-id") == model.last && rows.iter().all(|row| row["expires_at"].is_null()) {
                let rows: BTreeMap<_, _> = rows.iter().map(row).collect();
                assert_eq!(model.rows, rows);
                assert_eq!(model.badge, model.unread());
                assert!(model.untold <= model.restored, "{} are missing", model.untold - model.restored);
                return model;
            }
        }
    }
}

async fn replays(nodes: &[Gateway]) {
    for node in nodes {
        while !key(node).get("/types").await.expect(200).text.contains("\"note\"") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let (mut workers, mut clients) = (Vec::new(), Vec::new());
    for user in 1..=USERS {
        let left = Arc::new(AtomicUsize::new(WORKERS as usize));
        key(&nodes[0]).put_json(&format!("/users/{user}"), &json!({})).await;
        for seed in 0..WORKERS {
            let apis = nodes.iter().map(|node| (own(node, user), key(node))).collect();
            workers.push(tokio::spawn(work(apis, user, seed * 100 + user as u64, left.clone())));
        }
        for seed in 0..CLIENTS {
            let apis = nodes.iter().map(|node| own(node, user)).collect();
            clients.push(tokio::spawn(follow(apis, seed * 100 + user as u64, left.clone())));
        }
    }
    for worker in workers {
        worker.await.expect("worked");
    }
    let mut events = 0;
    for client in clients {
        events += client.await.expect("right all along").events;
    }
    assert!(events > 1_000, "{events} were told");
}

/// A folder with the type of the notes, and the settings that name it.
fn with_notes() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let home: PathBuf = folder.path().join("site/note");
    fs::create_dir_all(&home).expect("a folder");
    fs::write(home.join("type.yaml"), NOTE).expect("a type");
    let settings = format!("plugins: {}\nstreams: {{heartbeat: 1s}}\n{SETTINGS}", folder.path().display());
    (folder, settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_streams_replay_to_what_there_is_on_two_nodes() {
    let (_notes, settings) = with_notes();
    let database = Database::new();
    let nodes = [(); 2].map(|()| Gateway::start_at(&database.url, &settings));
    replays(&nodes).await;
    for node in nodes {
        node.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_streams_replay_to_what_there_is_on_one_in_a_file() {
    let (_notes, settings) = with_notes();
    let nodes = [Gateway::start_in_file(&settings, |_| ())];
    replays(&nodes).await;
    let [node] = nodes;
    node.stop();
}
