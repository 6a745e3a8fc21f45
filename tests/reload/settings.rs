//! Every setting that may change while the gateway runs counts for the next request.

use serde_json::json;

use super::answers;
use crate::cli::{
    ACME, KEY, SETTINGS,
    gateway::{Gateway, Site, until},
};

const MAIN: &str = "config/bellboard.yaml";
const NEW: &str = "a-new-key-that-is-added-while-it-runs";

#[test]
fn roles_limits_and_rate_limits() {
    let site =
        Site::new(&format!("roles: {{desk: [notification.send]}}\n{SETTINGS}  {NEW}: {{roles: [desk]}}\n"));
    let gateway = site.serve();
    assert_eq!(gateway.hello(NEW).status, 201);
    site.write(MAIN, &format!("roles: {{desk: [user.read]}}\n{SETTINGS}  {NEW}: {{roles: [desk]}}\n"));
    answers(&gateway, NEW, 403);
    site.write(MAIN, &format!("limits: {{title: 4}}\n{SETTINGS}"));
    answers(&gateway, KEY, 400);
    site.write(MAIN, &format!("rate_limits: {{per_key: {{per_second: 1, burst: 1}}}}\n{SETTINGS}"));
    answers(&gateway, KEY, 429);
    site.write(MAIN, SETTINGS);
    answers(&gateway, KEY, 201);
}

#[test]
fn tenants_with_their_keys_and_users() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let tenant = "tenants:\n  umbrella: {seed: [1]}\n";
    let settings = SETTINGS.replace("tenants:\n", tenant);
    site.write(MAIN, &format!("{settings}  {NEW}: {{tenant: umbrella}}\n"));
    answers(&gateway, NEW, 201);
    // A tenant without any key looks like a cut-off file, so its leaving is said.
    site.write(MAIN, &format!("{settings}  {NEW}: {{tenant: umbrella, disabled: true}}\n"));
    answers(&gateway, NEW, 401);
    let managed = SETTINGS.replace("users: open", "users: managed");
    let mut strangers = 1000..;
    let mut stranger = || {
        let user = strangers.next();
        gateway.send(ACME, &json!({"user_id": user, "type": "custom", "title": "x"})).status
    };
    site.write(MAIN, &format!("{}  {NEW}: {{tenant: umbrella}}\n", managed.replace("tenants:\n", tenant)));
    until("acme's directory is closed", || (stranger() == 404).then_some(()));
}

/// What a list of the token's user is answered with.
fn listed(gateway: &Gateway, token: &str) -> u16 {
    gateway.ask("GET", "/", &[("Authorization", &format!("Bearer {token}"))], "").status
}

#[test]
fn the_time_in_which_what_was_deleted_is_restored() {
    let site = Site::new(&format!("inbox: {{restore_time: 0s}}\n{SETTINGS}"));
    let gateway = site.serve();
    let id = gateway.hello(KEY).json()["notification"]["notification_id"].to_string();
    let bearer = format!("Bearer {}", site.good(&["token", "--user", "1"]).trim());
    let ask = |method, path: &str| gateway.ask(method, path, &[("Authorization", &bearer)], "").status;
    assert_eq!(ask("DELETE", &format!("/{id}")), 200);
    assert_eq!(ask("POST", &format!("/{id}/restore")), 404);
    site.write(MAIN, &format!("inbox: {{restore_time: 5m}}\n{SETTINGS}"));
    until("it comes back", || (ask("POST", &format!("/{id}/restore")) == 200).then_some(()));
}

#[test]
fn issuers_whose_secret_lies_in_a_file_of_its_own() {
    let site =
        Site::new(&SETTINGS.replace("secret: a-signing-secret-that-only-tests-know", "secret_file: hs.key"));
    site.write("config/hs.key", "the-first-secret-that-only-tests-know\n");
    let gateway = site.serve();
    let token = || site.good(&["token", "--user", "1"]).lines().last().expect("a token").trim().to_owned();
    let old = token();
    assert_eq!(listed(&gateway, &old), 200);
    site.write("config/hs.key", "the-second-secret-that-only-tests-know\n");
    let new = token();
    until("the new secret counts", || (listed(&gateway, &new) == 200).then_some(()));
    assert_eq!(listed(&gateway, &old), 401, "remembered tokens are forgotten with their secret");
    // An empty file is refused, and what it held stays.
    site.write("config/hs.key", "");
    gateway.logs("secret_file");
    assert_eq!(listed(&gateway, &new), 200);
}

#[test]
fn the_stores_url_lies_in_a_file_of_its_own_and_counts_after_a_restart() {
    let site = Site::new(&format!("store: {{url_file: store.url}}\n{SETTINGS}"));
    site.write("config/store.url", "sqlite://one.db\n");
    let gateway = site.serve();
    assert_eq!(gateway.hello(KEY).status, 201);
    assert!(site.path("one.db").exists());
    site.write("config/store.url", "postgres://bell:told-to-nobody@127.0.0.1:1/bell");
    gateway.logs(r#"changed, but counts only after a restart field="store.url""#);
    assert_eq!(gateway.hello(KEY).status, 201);
    assert!(
        gateway.admin("/metrics").body.contains(r#"bellboard_config_restart_needed{field="store.url"} 1"#)
    );
    let summary = gateway.admin("/config/summary").body;
    let ended = gateway.stop();
    let refused = site.bad(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    assert!(refused.contains("127.0.0.1:1"), "{refused}");
    // Neither what cannot be a store's URL is shown.
    site.write("config/store.url", "told-to-nobody");
    let wrong = site.bad(&["check"]);
    assert!(wrong.contains("store.url_file: must be sqlite://PATH or postgres://"), "{wrong}");
    for text in [ended.err, refused, wrong, summary] {
        assert!(!text.contains("told-to-nobody"), "{text}");
    }
}

#[test]
fn keys_of_another_systems_file() {
    let site = Site::new(&format!("api_keys_from: ../crm_config.yaml\n{SETTINGS}"));
    site.write("crm_config.yaml", "database: {host: x}\napi_keys: {}\n");
    let gateway = site.serve();
    site.write(
        "crm_config.yaml",
        &format!("database: {{host: x}}\napi_keys:\n  {NEW}: {{roles: [admin]}}\n"),
    );
    answers(&gateway, NEW, 201);
    site.write("crm_config.yaml", "api_keys: {}\n");
    answers(&gateway, NEW, 401);
}

#[test]
fn retention_and_the_notifications_that_it_ends() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let token = site.good(&["token", "--user", "1"]).lines().last().expect("a token").trim().to_owned();
    for _ in 0..5 {
        assert_eq!(gateway.hello(KEY).status, 201);
    }
    assert_eq!(gateway.inbox(&token).len(), 5);
    site.write(MAIN, &SETTINGS.replace("    seed:", "    retention: {newest: 2}\n    seed:"));
    until("two are left", || (gateway.inbox(&token).len() == 2).then_some(()));
}
