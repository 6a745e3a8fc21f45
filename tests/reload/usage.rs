//! What the metrics tell of each configured key, while keys come and go.

use super::{answers, metric};
use crate::{
    cli::{
        KEY, SETTINGS,
        gateway::{Gateway, Site, until},
    },
    support::{settings::hash_of, token::now},
};

const NEW: &str = "a-new-key-that-is-added-while-it-runs";

/// A series of that key.
fn series(name: &str, key: &str, description: &str, more: &str) -> String {
    let fingerprint = &hash_of(key)[..12];
    format!(
        "bellboard_key_{name}{{description=\"{description}\",fingerprint=\"{fingerprint}\"{more},tenant=\"default\"}}"
    )
}

fn refusals(gateway: &Gateway, key: &str, reason: &str) -> f64 {
    metric(gateway, &series("refusals_total", key, "new \\\"one\\\"", &format!(",reason=\"{reason}\"")))
}

#[test]
fn each_key_is_counted_by_itself_and_its_series_go_with_it() {
    let new = |more: &str| format!("{SETTINGS}  {NEW}: {{description: 'new \"one\"'{more}}}\n");
    let site = Site::new(&new(", expires_at: 2100-01-01T00:00:00Z, rate_limit: {per_second: 1, burst: 3}"));
    let gateway = site.serve();
    let name = |name: &str| series(name, NEW, "new \\\"one\\\"", "");
    let used = name("last_used_timestamp_seconds");
    assert!(!gateway.admin("/metrics").body.contains(&used), "it was not used yet");
    assert_eq!(metric(&gateway, &name("expires_timestamp_seconds")), 4_102_444_800.0);

    assert_eq!(gateway.hello(NEW).status, 201);
    let ago = now() as f64 - metric(&gateway, &used);
    assert!((-1.0..30.0).contains(&ago), "{ago}");
    assert_eq!(gateway.ask("PUT", "/users/9", &[("X-API-KEY", NEW)], "{}").status, 403);
    assert_eq!(gateway.ask("GET", "/", &[("X-API-KEY", NEW)], "").status, 401);
    until("the limit is spent", || (gateway.hello(NEW).status == 429).then_some(()));
    let requests = metric(&gateway, &name("requests_total"));
    assert!(requests >= 3.0, "{requests}");
    assert_eq!((refusals(&gateway, NEW, "permission"), refusals(&gateway, NEW, "limit")), (2.0, 1.0));
    assert_eq!(metric(&gateway, &series("requests_total", KEY, "", "")), 0.0, "the other was not used");

    // What was counted stays over a reload, even one that disables it.
    site.write("config/bellboard.yaml", &new(", disabled: true"));
    answers(&gateway, NEW, 401);
    assert!(refusals(&gateway, NEW, "credential") >= 1.0);
    assert!(metric(&gateway, &name("requests_total")) >= requests);
    assert!(!gateway.admin("/metrics").body.contains(&name("expires_timestamp_seconds")));
    site.write("config/bellboard.yaml", SETTINGS);
    until("its series are gone", || {
        (!gateway.admin("/metrics").body.contains(&hash_of(NEW)[..12])).then_some(())
    });
    let metrics = gateway.admin("/metrics").body;
    assert!(!metrics.contains(NEW) && !metrics.contains(&hash_of(KEY)), "no key and no whole hash");
}
