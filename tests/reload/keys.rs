//! Keys come and go while the gateway runs.

use super::{answers, ready, reloads};
use crate::{
    cli::{
        ACME, KEY, SETTINGS,
        gateway::{Site, until},
    },
    support::token::now,
};

const NEW: &str = "a-new-key-that-is-added-while-it-runs";

#[test]
fn a_key_works_once_it_is_added_and_no_more_once_it_is_gone() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    assert_eq!(gateway.hello(NEW).status, 401);
    site.write("config/bellboard.yaml", &format!("{SETTINGS}  {NEW}: {{}}\n"));
    answers(&gateway, NEW, 201);
    assert_eq!(ready(&gateway)["generation"], 2);
    assert_eq!(reloads(&gateway, "applied"), 1.0);
    site.write("config/bellboard.yaml", SETTINGS);
    answers(&gateway, NEW, 401);
    assert_eq!(gateway.hello(KEY).status, 201, "the others were never touched");
    assert!(!gateway.log().contains(NEW), "{}", gateway.log());
}

#[test]
fn a_key_ends_at_its_time_without_another_change() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let end = now() + 4;
    let at = bellboard::domain::Timestamp(end * 1_000_000);
    site.write("config/bellboard.yaml", &format!("{SETTINGS}  {NEW}: {{expires_at: {at}}}\n"));
    answers(&gateway, NEW, 201);
    answers(&gateway, NEW, 401);
    assert!(now() >= end && reloads(&gateway, "applied") == 1.0);
}

#[test]
fn keys_in_a_file_of_their_own_may_come_later() {
    let site = Site::new(&format!("include: [\"keys/*.yaml\"]\n{SETTINGS}"));
    let gateway = site.serve();
    site.write("config/keys/new.yaml", &format!("api_keys:\n  {NEW}: {{}}\n"));
    answers(&gateway, NEW, 201);
    std::fs::remove_file(site.path("config/keys/new.yaml")).expect("removed");
    answers(&gateway, NEW, 401);
}

#[test]
fn a_user_who_is_added_to_the_list_is_made() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let send =
        || gateway.send(KEY, &serde_json::json!({"user_id": 7, "type": "custom", "title": "Hi"})).status;
    assert_eq!(send(), 404);
    site.write("config/bellboard.yaml", &SETTINGS.replace("[1, 2]", "[1, 2, 7]"));
    until("user 7 is known", || (send() == 201).then_some(()));
}

#[test]
fn a_hangup_wakes_and_never_ends_it() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    // At once, before anything else was asked.
    gateway.signal("HUP");
    assert_eq!(gateway.hello(KEY).status, 201);
    site.write("config/bellboard.yaml", &format!("{SETTINGS}  {NEW}: {{}}\n"));
    gateway.signal("HUP");
    answers(&gateway, NEW, 201);
    assert_eq!(gateway.hello(ACME).status, 201);
}
