//! Hooks: their mappings are folders and need no restart, and a broken one harms no other.

use serde_json::json;

use super::{metric, ready};
use crate::cli::{
    SETTINGS,
    client::Reply,
    gateway::{Gateway, Site, until},
};

const HOME: &str = "config/plugins/senders/doors";
const SECRET: &str = "a-secret-of-the-doors-that-only-tests-know";
const NEXT: &str = "another-secret-of-the-doors-for-the-tests";

fn settings(hooks: &str) -> String {
    SETTINGS.replace("    seed: [1, 2]\n", &format!("    seed: [1, 2]\n{hooks}"))
}

fn hook(secrets: &[&str]) -> String {
    let secrets: Vec<_> = secrets.iter().map(|secret| format!("{{secret: {secret}}}")).collect();
    settings(&format!("    hooks:\n      doors: {{mapping: doors, secrets: [{}]}}\n", secrets.join(", ")))
}

fn mapping(title: &str) -> String {
    format!("description: Doors.\nrules:\n  - recipients: '1'\n    type: custom\n    title: {title}\n")
}

fn write(site: &Site, title: &str) {
    site.write(&format!("{HOME}/hook.yaml"), &mapping(title));
}

fn knock(gateway: &Gateway, secret: &str) -> Reply {
    let headers = [("X-API-KEY", secret), ("Content-Type", "application/json")];
    gateway.ask("POST", "/hooks/doors", &headers, r#"{"door": "b1"}"#)
}

/// The title of the newest notification of user 1.
fn newest(gateway: &Gateway) -> String {
    assert_eq!(knock(gateway, SECRET).status, 200);
    let token = crate::support::Token::of("a-signing-secret-that-only-tests-know", 1).sign();
    let page = gateway.inbox(&token);
    page[0]["title"].as_str().expect("a title").to_owned()
}

fn shows(gateway: &Gateway, field: &str, names: &[&str]) {
    until(&format!("{field} is {names:?}"), || (ready(gateway)[field] == json!(names)).then_some(()));
}

#[test]
fn a_mapping_is_changed_while_it_serves_and_a_broken_one_keeps_what_was_good() {
    let site = Site::new(&hook(&[SECRET]));
    write(&site, "'{{ event.door }} is open'");
    let gateway = site.serve();
    assert_eq!(newest(&gateway), "b1 is open");
    write(&site, "'Door {{ event.door }}'");
    until("the change serves", || (newest(&gateway) == "Door b1").then_some(()));
    write(&site, "'{{ event.door'");
    shows(&gateway, "kept_mappings", &["doors"]);
    gateway.logs("hook.yaml:3: mapping doors: title: template does not compile");
    assert_eq!(newest(&gateway), "Door b1");
    assert_eq!(metric(&gateway, "bellboard_mappings_kept"), 1.0);
    // So does one whose cases fail.
    site.write(&format!("{HOME}/cases/a.yaml"), "description: d\nbody: {}\nexpect: {ignored: 1}\n");
    write(&site, "Open");
    gateway.logs("expected notifications: 0, but it is 1");
    assert_eq!(newest(&gateway), "Door b1");
    std::fs::remove_file(site.path(&format!("{HOME}/cases/a.yaml"))).expect("removed");
    until("it is good again", || (newest(&gateway) == "Open").then_some(()));
    shows(&gateway, "kept_mappings", &[]);
}

#[test]
fn one_that_was_never_good_is_told_to_come_again_and_one_in_use_is_not_lost() {
    let site = Site::new(&hook(&[SECRET]));
    write(&site, "'{{'");
    let gateway = site.serve();
    shows(&gateway, "quarantined_mappings", &["doors"]);
    let reply = knock(&gateway, SECRET);
    assert!(reply.status == 503 && reply.head.to_lowercase().contains("retry-after: 30"), "{}", reply.head);
    write(&site, "Open");
    until("it serves", || (knock(&gateway, SECRET).status == 200).then_some(()));
    std::fs::remove_dir_all(site.path("config/plugins/senders")).expect("removed");
    gateway
        .logs("tenants.default.hooks.doors.mapping: there is no mapping doors; known: alertmanager, generic");
    assert_eq!(knock(&gateway, SECRET).status, 200);
}

#[test]
fn secrets_take_each_others_place_and_hooks_are_lost_only_with_a_word() {
    let main = "config/bellboard.yaml";
    let site = Site::new(&hook(&[SECRET]));
    write(&site, "Open");
    let gateway = site.serve();
    let statuses = || [SECRET, NEXT].map(|secret| knock(&gateway, secret).status);
    assert_eq!(statuses(), [200, 401]);
    site.write(main, &hook(&[SECRET, NEXT]));
    until("both are good", || (statuses() == [200, 200]).then_some(()));
    gateway.logs("hook doors changed: secrets");
    site.write(main, &hook(&[NEXT]));
    until("one is good", || (statuses() == [401, 200]).then_some(()));
    // What was counted goes on.
    let requests = r#"bellboard_hook_requests_total{hook="doors",tenant="default"}"#;
    assert!(metric(&gateway, requests) >= 3.0);

    site.write(main, SETTINGS);
    gateway.logs("tenants.default.hooks: would lose every hook of default");
    assert_eq!(statuses(), [401, 200]);
    site.write(main, &settings("    hooks: {}\n"));
    until("it is gone", || (statuses() == [404, 404]).then_some(()));
}
