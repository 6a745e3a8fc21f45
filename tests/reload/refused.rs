//! A change that is not good is refused as a whole: what was there stays, and the log says why.

use super::{answers, metric, ready, reloads};
use crate::cli::{
    KEY, SETTINGS,
    gateway::{DEVELOPMENT_KEY, Gateway, Site, until},
};

const NEW: &str = "a-new-key-that-is-added-while-it-runs";

/// Waits for that many refusals, and that nothing else has changed.
#[track_caller]
fn refused(gateway: &Gateway, times: f64) {
    until(&format!("{times} changes are refused"), || (reloads(gateway, "refused") == times).then_some(()));
    assert_eq!(ready(gateway)["generation"], 1);
    assert_eq!(gateway.hello(KEY).status, 201);
}

#[test]
fn a_broken_edit_changes_nothing_and_is_told_with_its_place() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    site.write("config/bellboard.yaml", &format!("{SETTINGS}  {NEW}: {{roles: [nobody]}}\n"));
    refused(&gateway, 1.0);
    gateway.logs("config/bellboard.yaml:12: api_keys[#3].roles");
    assert_eq!(gateway.hello(NEW).status, 401);
    site.write("config/bellboard.yaml", &format!("{SETTINGS}  {NEW}: [\n"));
    refused(&gateway, 2.0);
    // Cut off in the middle, which is good YAML but has no keys; then empty; then gone.
    site.write("config/bellboard.yaml", SETTINGS.split("api_keys").next().expect("the rest"));
    refused(&gateway, 3.0);
    gateway.logs("would lose every API key of default, acme");
    site.write("config/bellboard.yaml", "");
    refused(&gateway, 4.0);
    std::fs::remove_file(site.path("config/bellboard.yaml")).expect("removed");
    refused(&gateway, 5.0);
    gateway.logs("config/bellboard.yaml: does not exist");
    assert!(!gateway.log().contains(NEW), "{}", gateway.log());

    site.write("config/bellboard.yaml", &format!("{SETTINGS}  {NEW}: {{}}\n"));
    answers(&gateway, NEW, 201);
    assert_eq!(reloads(&gateway, "refused"), 5.0, "each is refused once");
}

#[test]
fn what_a_refused_file_leads_to_may_heal_it() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    site.write("config/bellboard.yaml", &format!("include: [keys.yaml]\n{SETTINGS}"));
    refused(&gateway, 1.0);
    gateway.logs("keys.yaml");
    // The main file stays as it is.
    site.write("config/keys.yaml", &format!("api_keys:\n  {NEW}: {{}}\n"));
    answers(&gateway, NEW, 201);
}

#[test]
fn published_credentials_do_not_come_in_behind_an_open_listener() {
    let site =
        Site::new(&format!("server: {{listen: \"0.0.0.0:0\", admin_listen: \"127.0.0.1:0\"}}\n{SETTINGS}"));
    let mut gateway = Gateway::start(site.command(&["serve"]));
    gateway.public = gateway.public.replace("0.0.0.0", "127.0.0.1");
    // What the file now says of the listener counts only after a restart.
    let settings = format!("server: {{listen: \"127.0.0.1:0\", admin_listen: \"127.0.0.1:0\"}}\n{SETTINGS}");
    site.write("config/bellboard.yaml", &format!("{settings}  {DEVELOPMENT_KEY}: {{}}\n"));
    refused(&gateway, 1.0);
    gateway.logs("reachable from other machines");
    assert_eq!(gateway.hello(DEVELOPMENT_KEY).status, 401);
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_applied() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let settings =
        format!("server: {{listen: 127.0.0.1:1, request_timeout: 9s}}\nlog: {{level: warn}}\n{SETTINGS}");
    site.write("config/bellboard.yaml", &format!("{settings}  {NEW}: {{}}\n"));
    answers(&gateway, NEW, 201);
    gateway.logs("field=\"server.request_timeout\"");
    gateway.logs("field=\"log.level\"");
    assert!(!gateway.log().contains("field=\"server.listen\""), "the command line sets that one");
}

#[test]
fn sighup_asks_again_what_was_refused_and_readiness_and_the_record_tell_it() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let is_refused = || ready(&gateway)["refused"] == true;
    let gauge = || metric(&gateway, "bellboard_config_refused");
    assert!(!is_refused() && gauge() == 0.0);
    gateway.signal("HUP");
    gateway.logs("SIGHUP: nothing has changed");
    site.write("config/bellboard.yaml", &format!("{SETTINGS}  {NEW}: {{roles: [nobody]}}\n"));
    for times in 1..4 {
        refused(&gateway, f64::from(times));
        let told = || gateway.log().matches("config/bellboard.yaml:12: api_keys[#3].roles").count();
        until("it is told again", || (told() == usize::try_from(times).expect("few")).then_some(()));
        assert!(is_refused() && gauge() == 1.0);
        gateway.signal("HUP");
    }
    refused(&gateway, 4.0);
    site.write("config/bellboard.yaml", "tenants: [\n");
    refused(&gateway, 5.0);
    // Each refusal is recorded once, however often it was asked for.
    let records = || {
        let path = "/audit?action=config.refused";
        gateway.ask("GET", path, &[("X-API-KEY", KEY)], "").json()["records"].as_array().cloned()
    };
    let records = until("it is recorded", || records().filter(|records| records.len() >= 2));
    assert_eq!(records.len(), 2, "{records:?}");
    let problem = records[1]["detail"]["problems"][0].as_str().expect("a line");
    assert!(problem.contains("bellboard.yaml:12: api_keys[#3].roles"), "{problem}");
    assert!(!format!("{records:?}").contains(NEW));

    site.write("config/bellboard.yaml", SETTINGS);
    until("what was there is taken again", || (!is_refused() && gauge() == 0.0).then_some(()));
}
