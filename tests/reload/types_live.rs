//! Types that come, change, break and go while sends run: no send of another type ever fails.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

use serde_json::json;

use super::metric;
use crate::cli::{
    KEY, SETTINGS,
    client::Reply,
    gateway::{Gateway, Site, until},
};

const NAME: &str = "order_moved";
const HOME: &str = "config/plugins/shop/order_moved";

/// Sends of other types, without a pause, and how they were answered.
#[derive(Default)]
struct Traffic {
    over: AtomicBool,
    stored: AtomicUsize,
    failed: AtomicUsize,
}

impl Traffic {
    fn run(&self, gateway: &Gateway, kind: &str) {
        while !self.over.load(SeqCst) {
            let reply = gateway.send(KEY, &json!({"user_id": 2, "type": kind, "title": "x"}));
            let count = if reply.status == 201 { &self.stored } else { &self.failed };
            count.fetch_add(1, SeqCst);
        }
    }

    /// Waits until the sends that run now are over, and more.
    fn goes_on(&self) {
        let before = self.stored.load(SeqCst);
        until("sends go on", || (self.stored.load(SeqCst) > before + 20).then_some(()));
    }
}

/// Ends the traffic when a test does, in whichever way.
struct End<'a>(&'a Traffic);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, SeqCst);
    }
}

fn order(gateway: &Gateway) -> Reply {
    order_of(2, gateway)
}

fn order_of(user: i64, gateway: &Gateway) -> Reply {
    gateway.send(
        KEY,
        &json!({"user_id": user, "type": NAME, "title": "Yours", "metadata": {"order_id": 7, "state": "sent"}}),
    )
}

fn edit(site: &Site, file: &str, from: &str, to: &str) {
    let file = format!("{HOME}/{file}");
    let text = std::fs::read_to_string(site.path(&file)).expect("the file");
    assert!(text.contains(from), "{file}: {text}");
    site.write(&file, &text.replace(from, to));
}

/// User 1's notifications of the type, newest first.
fn stored(site: &Site, gateway: &Gateway) -> Vec<serde_json::Value> {
    let token = site.good(&["token", "--user", "1"]);
    let bearer = format!("Bearer {}", token.trim());
    let page = gateway.ask("GET", &format!("/?limit=200&type={NAME}"), &[("Authorization", &bearer)], "");
    assert_eq!(page.status, 200, "{}", page.body);
    let list = page.json()["notifications"].as_array().expect("a list").clone();
    assert!(list.iter().all(|n| n["type"] == NAME), "{list:?}");
    list
}

#[test]
fn no_send_fails_while_another_type_comes_changes_breaks_and_goes() {
    let limits = "rate_limits: {per_key: {per_second: 1000000}}\n";
    let site = Site::new(&format!("{SETTINGS}{limits}"));
    let gateway = site.serve();
    let traffic = Traffic::default();
    thread::scope(|scope| {
        let _end = End(&traffic);
        for kind in ["custom", "billing_invoice", "system_alert"] {
            let (traffic, gateway) = (&traffic, &gateway);
            scope.spawn(move || traffic.run(gateway, kind));
        }
        for round in 0..2 {
            comes_changes_breaks_and_goes(&site, &gateway, &traffic, round);
        }
    });
    assert_eq!(traffic.failed.load(SeqCst), 0, "of {} sends", traffic.stored.load(SeqCst));
}

fn comes_changes_breaks_and_goes(site: &Site, gateway: &Gateway, traffic: &Traffic, round: usize) {
    let is_made = |message: &str| order(gateway).body.contains(message);
    assert_eq!(order(gateway).status, 400);
    site.good(&["type", "new", NAME, "--family", "shop"]);
    until("the type is served", || (order(gateway).status == 201).then_some(()));
    traffic.goes_on();

    // A change of two files, one after the other: between them the case fails, and the old version serves.
    edit(site, "type.yaml", "is {{ metadata.state }}", "was {{ metadata.state }}");
    assert_eq!(order(gateway).status, 201);
    edit(site, "cases/good-made.yaml", "Order 4711 is sent.", "Order 4711 was sent.");
    until("the change is in force", || is_made("Order 7 was sent.").then_some(()));
    traffic.goes_on();

    // Broken in each of its files, it keeps its last good version.
    for (file, from, to) in [
        ("type.yaml", "safe_link", "safe_lnk"),
        ("metadata.schema.json", "\"object\"", "\"objekt\""),
        ("cases/bad-link.yaml", "[link]", "[title]"),
        ("type.yaml", "description: ", "descr: "),
    ] {
        edit(site, file, from, to);
        let kept = || (metric(gateway, "bellboard_types_kept") == 1.0).then_some(());
        until(&format!("{file} with {to} is found broken"), kept);
        assert!(is_made("Order 7 was sent."), "{file} with {to}");
        traffic.goes_on();
        edit(site, file, to, from);
        let mended = || (metric(gateway, "bellboard_types_kept") == 0.0).then_some(());
        until(&format!("{file} is mended"), mended);
    }
    assert!(is_made("Order 7 was sent."));

    // Without its folder it is unknown; what it stored stays.
    assert_eq!(order_of(1, gateway).status, 201);
    let before = stored(site, gateway);
    assert_eq!(before.len(), round + 1);
    std::fs::remove_dir_all(site.path("config/plugins/shop")).expect("removed");
    until("the type is gone", || (order(gateway).status == 400).then_some(()));
    let reply = order(gateway);
    assert!(reply.body.contains("type must be one of: billing_invoice,"), "{}", reply.body);
    assert!(!reply.body.contains(NAME), "{}", reply.body);
    assert_eq!(stored(site, gateway), before);
    traffic.goes_on();
}
