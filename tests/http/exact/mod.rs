//! Counts and lists are right at every moment of a load of everything that changes inboxes.
//!
//! Each checker owns what it judges by: a user whom nobody else changes, or figures that bound a user whom
//! many change. What it is told must hold while the others go on.

mod hang_up;
mod hot;
mod owner;

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Api, Gateway, Token, api::ask};

const SECRETS: [(&str, &str, &str); 2] = [
    ("default", "signing-secret-of-the-default-tenant-0001", "exact-key-of-the-default-tenant-000001"),
    ("acme", "signing-secret-of-the-tenant-acme-0000001", "exact-key-of-the-tenant-acme-000000001"),
];
const SETTINGS: &str = r#"
rate_limits: {per_key: {per_second: 1000000}, per_user: {per_second: 1000000}}
plugins: ./plugins
inbox: {restore_time: 5m}
roles: {eraser: [user.erase]}
tenants:
  default: {issuers: [{algorithm: HS256, secret: signing-secret-of-the-default-tenant-0001}]}
  acme: {issuers: [{algorithm: HS256, secret: signing-secret-of-the-tenant-acme-0000001}]}
api_keys:
  exact-key-of-the-default-tenant-000001: {roles: [admin, eraser]}
  exact-key-of-the-tenant-acme-000000001: {roles: [admin, eraser], tenant: acme}
"#;
/// Expires when it is told to, and replaces the unread one with the same key.
const NOTE: &str = r#"
description: A note.
icon: note
severity: info
pipeline:
  - expiry: {from_metadata: until}
  - collapse_key: {template: "{{ metadata.key }}"}
"#;

/// One user, and whoever sends to them.
#[derive(Clone)]
struct Person {
    id: i64,
    /// As themselves.
    own: Api,
    /// As their tenant's key.
    key: Api,
}

impl Person {
    /// A new user of one of the tenants.
    async fn new(gateway: &Gateway, tenant: usize, id: i64) -> Self {
        let (_, secret, key) = SECRETS[tenant];
        let own = gateway.api().bearer(Token::of(secret, id).sign());
        let person = Self { id, own, key: gateway.api().key(key) };
        person.put().await;
        person
    }

    async fn put(&self) {
        self.key.put_json(&format!("/users/{}", self.id), &json!({})).await.expect(201);
    }

    async fn send(&self, metadata: Value) -> i64 {
        let body = json!({"user_id": self.id, "type": "note", "title": "t", "metadata": metadata});
        self.key.send(&body).await.expect(201).id()
    }
}

/// A page as it was answered.
struct Page {
    /// Id, and whether it is read, newest first.
    rows: Vec<(i64, bool)>,
    unread: i64,
}

impl Page {
    /// The whole inbox, or all of it that is unread; the count of the same answer must agree.
    async fn of(person: &Person, query: &str) -> Self {
        let answer = person.own.get(&format!("/?limit=200{query}")).await.expect(200).json();
        assert!(answer["next_cursor"].is_null(), "more than a page");
        let row = |n: &Value| (n["notification_id"].as_i64().expect("an id"), n["is_read"] == true);
        let rows: Vec<_> = answer["notifications"].as_array().expect("a list").iter().map(row).collect();
        let unread = answer["unread_count"].as_i64().expect("a count");
        assert_eq!(rows.iter().filter(|(_, read)| !read).count() as i64, unread, "{answer}");
        Self { rows, unread }
    }
}

/// Microseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set");
    i64::try_from(since.as_micros()).expect("this century")
}

/// A request whose client hung up may still be on its way; once the list stands still the count is its own.
async fn at_rest(person: &Person) {
    let mut page = Page::of(person, "").await;
    loop {
        let count = person.own.unread().await;
        let next = Page::of(person, "").await;
        if next.rows == page.rows {
            assert_eq!(count, page.unread);
            return;
        }
        page = next;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_and_lists_are_right_while_all_goes_on() {
    let gateway = Gateway::start_in(SETTINGS, |folder: &Path| {
        let home = folder.join("plugins/site/note");
        fs::create_dir_all(&home).expect("a folder");
        fs::write(home.join("type.yaml"), NOTE).expect("a type");
    });
    let (mut people, mut tasks, mut expired) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..10 {
        // The same ids in both tenants.
        let person = Person::new(&gateway, n % 2, 100 + n as i64 / 2).await;
        people.push(person.clone());
        expired.push(tokio::spawn(owner::live(person, n as u64)));
    }
    for n in 0..2 {
        let person = Person::new(&gateway, n, 200).await;
        people.push(person.clone());
        tasks.push(tokio::spawn(hang_up::sending(person.clone(), gateway.public.clone())));
        let person = Person::new(&gateway, n, 201).await;
        people.push(person.clone());
        tasks.push(tokio::spawn(hang_up::reading(person.clone(), gateway.public.clone())));
    }
    let hot = Person::new(&gateway, 0, 300).await;
    people.push(hot.clone());
    let figures = Arc::<hot::Figures>::default();
    for n in 0..6 {
        tasks.push(tokio::spawn(hot::work(hot.clone(), figures.clone(), n)));
    }
    for task in tasks {
        task.await.expect("right all along");
    }
    let mut seen = 0;
    for owner in expired {
        seen += owner.await.expect("right all along");
    }
    assert!(seen > 10, "{seen} were seen to expire");
    for person in people {
        at_rest(&person).await;
    }
    let metrics = ask(gateway.admin_api().request_at(Method::GET, "/metrics")).await.expect(200).text;
    assert!(metrics.contains("bellboard_store_drift_total 0\n"), "{metrics}");
    gateway.stop();
}

#[tokio::test]
async fn a_head_that_was_tampered_with_is_set_right_and_told() {
    let gateway = Gateway::start_in(SETTINGS, |_| ());
    let person = Person::new(&gateway, 1, 7).await;
    person.key.notify(7, "t").await;
    assert_eq!(person.own.unread().await, 1);
    gateway.tool().await.set_heads("unread = 5", "user_id > 0").await;
    let metrics =
        async || ask(gateway.admin_api().request_at(Method::GET, "/metrics")).await.expect(200).text;
    let start = std::time::Instant::now();
    while !metrics().await.contains("bellboard_store_drift_total 1\n") {
        assert!(start.elapsed() < Duration::from_secs(60), "found soon");
        // The wrong count may be remembered for now.
        person.own.unread().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(person.own.unread().await, 1);
    assert!(gateway.log().contains("tenant=\"acme\" user=7"), "{}", gateway.log());
    gateway.stop();
}
