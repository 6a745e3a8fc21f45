//! What a change is: told in the log, in readiness, in the metrics, and beforehand by `check --diff`.

use serde_json::Value;

use super::{answers, metric, ready};
use crate::cli::{
    KEY, SETTINGS,
    gateway::{Site, until},
};

const NEW: &str = "a-new-key-that-is-added-while-it-runs";
/// The first digits of its hash.
const FINGERPRINT: &str = "API key ";

/// The settings with a key more, another limit, another role and a field that waits for a restart.
fn changed() -> String {
    format!(
        "limits: {{title: 99}}\nroles: {{looker: [user.read]}}\nlog: {{level: debug}}\n{SETTINGS}  \
         {NEW}: {{description: Billing, roles: [looker, sender]}}\n"
    )
}

const TOLD: [&str; 4] = [
    "\"Billing\" added",
    "limits.title changed: 255 → 99",
    "role looker added",
    "log.level changed, but counts only after a restart",
];

#[test]
fn one_line_names_what_changed_and_check_says_the_same_before() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let first = ready(&gateway);
    assert_eq!(first["last_good"], false);
    let at = ["--admin-listen", &gateway.admin];
    let diff = [["check", "--diff", "running"].as_slice(), &at].concat();
    assert_eq!(site.good(&diff).trim(), "nothing changes");

    site.write("config/old.yaml", SETTINGS);
    // Checked as a file of its own before it takes the place of the one in force.
    site.write("config/next.yaml", &changed());
    let next = ["--config", "config/next.yaml"];
    let running = site.good(&[diff.as_slice(), &next].concat());
    let file = site.good(&[["check", "--diff", "config/old.yaml"].as_slice(), &next].concat());
    for told in TOLD {
        assert!(running.contains(told) && file.contains(told), "{told}:\n{running}\n{file}");
    }
    assert_eq!(running, file);

    site.write("config/bellboard.yaml", &changed());
    answers(&gateway, NEW, 201);
    gateway.logs("a new configuration is in force");
    let log = gateway.log();
    let line = log.lines().find(|l| l.contains("a new configuration is in force")).expect("a line");
    for told in running.lines().filter(|told| !told.contains("restart")) {
        assert!(line.contains(told), "{told:?} in {line}");
    }
    assert!(line.contains(FINGERPRINT) && !log.contains(NEW), "{log}");

    let second = ready(&gateway);
    assert_ne!(first["hash"], second["hash"]);
    let hash = |ready: &Value| ready["hash"].as_str().expect("a hash").to_owned();
    let info = |hash: &str| metric(&gateway, &format!("bellboard_config_info{{hash=\"{hash}\"}}"));
    assert_eq!((info(&hash(&first)), info(&hash(&second))), (0.0, 1.0), "only the one in force");
    let waits = "bellboard_config_restart_needed{field=\"log.level\"}";
    assert_eq!(metric(&gateway, waits), 1.0);
    assert_eq!(metric(&gateway, "bellboard_config_reload_duration_seconds_count"), 1.0);
    assert!(metric(&gateway, "bellboard_config_last_success_timestamp_seconds") > 1e9);
    assert_eq!(metric(&gateway, "bellboard_config_last_failure_timestamp_seconds"), 0.0);

    site.write("config/bellboard.yaml", SETTINGS);
    until("the first settings are back", || (hash(&ready(&gateway)) == hash(&first)).then_some(()));
    assert_eq!(metric(&gateway, waits), 0.0);
    site.write("config/bellboard.yaml", "broken: [");
    let failure = "bellboard_config_last_failure_timestamp_seconds";
    until("the failure's time is told", || (metric(&gateway, failure) > 1e9).then_some(()));
    assert_eq!(gateway.hello(KEY).status, 201);
}

#[test]
fn the_summary_shows_no_secret_and_a_gateway_that_is_not_there_is_told() {
    let site = Site::new(&format!("{SETTINGS}  {NEW}: {{}}\n"));
    let gateway = site.serve();
    let summary = gateway.admin("/config/summary");
    assert_eq!(summary.status, 200);
    assert!(!summary.body.contains(NEW) && !summary.body.contains("a-signing-secret"), "{}", summary.body);
    let admin = gateway.admin.clone();
    drop(gateway);
    let err = site.bad(&["check", "--diff", "running", "--admin-listen", &admin]);
    assert!(err.contains(&format!("cannot be asked at {admin}")), "{err}");
}

#[test]
fn nodes_with_the_same_secrets_show_the_same_hash_and_no_two_the_same_summary() {
    let site = Site::new(SETTINGS);
    let (one, two) = (site.serve(), Site::new(SETTINGS));
    let two = two.serve();
    assert_eq!(ready(&one)["hash"], ready(&two)["hash"]);
    let summary = |gateway: &crate::cli::gateway::Gateway| gateway.admin("/config/summary").json();
    let key = |summary: &Value| summary["items"]["issuer of default"]["fields"]["key"].clone();
    assert!(key(&summary(&one)).is_string());
    assert_ne!(key(&summary(&one)), key(&summary(&two)));
    assert_ne!(summary(&one)["salt"], summary(&two)["salt"]);
    // One secret alone differs.
    let other = SETTINGS.replace("that-only-tests-know", "that-other-tests-know");
    site.write("config/next.yaml", &other);
    let words = ["check", "--diff", "running", "--admin-listen", &one.admin, "--config", "config/next.yaml"];
    assert_eq!(site.good(&words).trim(), "issuer of default changed: key");
    site.write("config/bellboard.yaml", &other);
    one.logs("issuer of default changed: key");
    until("the hashes differ", || (ready(&one)["hash"] != ready(&two)["hash"]).then_some(()));
    assert_eq!(site.good(&words).trim(), "nothing changes");
}
