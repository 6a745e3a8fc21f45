//! `GET /crm/notification/audit`: who did what.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Api, Gateway, settings::*};

/// The records of one action whose detail has that value, newest first.
async fn records(api: &Api, action: &str, name: &str, value: impl Into<Value>) -> Vec<Value> {
    let (value, mut found, mut cursor) = (value.into(), Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/audit?limit=200&action={action}{cursor}")).await.expect(200).json();
        let records = page["records"].as_array().expect("a list");
        found.extend(records.iter().filter(|record| record["detail"][name] == value).cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// Asks until there are so many: what stands beside a request is recorded soon after it.
async fn soon(api: &Api, path: &str, many: usize) -> Vec<Value> {
    for _ in 0..3_000 {
        let page = api.get(path).await.expect(200).json();
        let records = page["records"].as_array().expect("a list");
        if records.len() >= many {
            return records.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{path}: never {many} records");
}

fn key_name(key: &str) -> String {
    format!("key:{}", &hash_of(key)[..12])
}

#[tokio::test]
async fn what_users_undergo_is_recorded_with_who_and_the_request() {
    let (user, admin) = (fresh_id(), with_key(ADMIN));
    let path = format!("/users/{user}");
    let created = admin.put_json(&path, &json!({"display_name": "Only for the directory"})).await.expect(201);
    admin.put_json(&path, &json!({})).await.expect(200);
    with_key(ERASER).delete(&path).await.expect(200);
    let put = records(&admin, "user.put", "user_id", user).await;
    assert_eq!((put.len(), &put[0]["detail"]["created"]), (2, &json!(false)));
    let first = put[1].as_object().expect("an object");
    assert_eq!(first.keys().collect::<Vec<_>>(), ["at", "action", "principal", "request_id", "detail"]);
    assert_eq!(first["principal"], key_name(ADMIN));
    assert_eq!(first["request_id"], created.header("x-request-id"));
    assert!(!first["detail"].to_string().contains("Only"), "a profile is not for the record");
    let erased = records(&admin, "user.erased", "user_id", user).await;
    assert_eq!((erased.len(), &erased[0]["principal"]), (1, &json!(key_name(ERASER))));
    assert!(records(&with_key(ACME), "user.put", "user_id", user).await.is_empty());
}

#[tokio::test]
async fn an_import_is_recorded_as_one() {
    let (one, two) = (fresh_id(), fresh_id());
    let lines = format!("{{\"user_id\":{one}}}\n{{\"user_id\":{two}}}\n{{\"user_id\":{one}}}\nx\n");
    let request = with_key(ACME).request(reqwest::Method::POST, "/users/import");
    let request = request.header("Content-Type", "application/x-ndjson").header("X-Request-Id", "the-import");
    crate::support::api::ask(request.body(lines)).await.expect(200);
    let found = soon(&with_key(ACME), "/audit?action=users.imported&limit=200", 1).await;
    let ours = found.iter().find(|record| record["request_id"] == "the-import").expect("recorded");
    assert_eq!(ours["detail"], json!({"created": 2, "replaced": 1, "failed": 1}));
}

#[tokio::test]
async fn keys_refusals_and_reloads_are_recorded_and_no_credential_is() {
    let settings = format!("api_keys: {{{ADMIN}: {{roles: [admin]}}, {SENDER}: {{}}}}\n");
    let gateway = Gateway::start(&settings);
    let admin = gateway.api().key(ADMIN);
    for _ in 0..3 {
        admin.get("/types").await.expect(200);
        gateway.api().key(SENDER).get("/types").await.expect(200);
    }
    let used = soon(&admin, "/audit?action=key.used", 2).await;
    assert_eq!(used.len(), 2, "{used:?}");
    let of_one = format!("/audit?principal={}", key_name(SENDER));
    let of_one = admin.get(&of_one).await.expect(200).json();
    assert_eq!(
        (of_one["records"].as_array().map(Vec::len), &of_one["records"][0]["action"]),
        (Some(1), &json!("key.used"))
    );

    gateway.api().get("/types").await.expect(401);
    for _ in 0..100 {
        gateway.api().key(UNKNOWN).get("/types").await.expect(401);
    }
    let refused = soon(&admin, "/audit?action=credential.refused", 20).await;
    assert_eq!(refused.len(), 20, "the rest is counted");
    assert_eq!(refused[0]["detail"]["reason"], "invalid_key");
    assert_eq!(refused[0]["detail"]["address"], "127.0.0.1");
    assert_eq!(refused[0].get("principal"), None);

    fs::write(gateway.path("bellboard.yaml"), format!("{settings}limits: {{title: 99}}\n")).expect("written");
    let reloaded = soon(&admin, "/audit?action=config.reloaded", 1).await;
    assert_eq!(reloaded[0]["detail"]["generation"], 2);
    let all = admin.get("/audit?limit=200").await.expect(200).text;
    for secret in [ADMIN, SENDER, UNKNOWN] {
        assert!(!all.contains(secret) && !all.contains(&hash_of(secret)));
    }

    let gateway = gateway.stop_and_restart();
    let admin = gateway.api().key(ADMIN);
    admin.get("/types").await.expect(200);
    admin.put_json("/users/1", &json!({})).await.expect(201);
    let after = soon(&admin, "/audit?limit=200", 24).await;
    let used = after.iter().filter(|record| record["action"] == "key.used");
    assert_eq!(used.count(), 2, "not again on the same day");
}

#[tokio::test]
async fn a_refused_key_that_is_known_is_named_in_its_tenant_and_no_flood_hides_it() {
    let (old, late, moved) = (DISABLED, EXPIRED, ELSEWHERE);
    let settings = format!(
        "tenants: {{acme: }}\nrate_limits: {{failed_auth: {{per_second: 100000}}}}\napi_keys:\n  {ADMIN}: {{roles: \
         [admin]}}\n  {ACME}: {{roles: [admin], tenant: acme}}\n  {old}: {{disabled: true}}\n  {late}: {{expires_at: \
         2020-01-01T00:00:00Z}}\n  {moved}: {{networks: [192.0.2.0/24], tenant: acme}}\n"
    );
    let gateway = Gateway::start(&settings);
    let try_with = async |key: &str, times: usize| {
        for _ in 0..times {
            gateway.api().key(key).get("/types").await.expect(401);
        }
    };
    // Unknown ones take all that is recorded of them, and then one known key does.
    try_with(UNKNOWN, 50).await;
    try_with(old, 50).await;
    try_with(late, 2).await;
    try_with(moved, 2).await;
    let admin = gateway.api().key(ADMIN);
    let refused = soon(&admin, "/audit?action=credential.refused&limit=200", 27).await;
    let by = |name: Option<String>| {
        let name = name.map(Value::from);
        refused.iter().filter(|record| record.get("principal") == name.as_ref()).count()
    };
    assert_eq!((by(None), by(Some(key_name(old))), by(Some(key_name(late)))), (20, 5, 2), "{refused:?}");
    assert_eq!(refused.len(), 27, "what is of another tenant stands there");
    let theirs = soon(&gateway.api().key(ACME), "/audit?action=credential.refused", 2).await;
    assert_eq!((theirs.len(), &theirs[0]["principal"]), (2, &json!(key_name(moved))));
    assert_eq!(
        (&theirs[0]["detail"]["reason"], theirs[0].get("request_id").is_some()),
        (&json!("invalid_key"), true)
    );
    let found = admin.get(&format!("/audit?principal={}", key_name(late))).await.expect(200).json();
    assert_eq!(found["records"].as_array().map(Vec::len), Some(2), "it is found by its name");
}

#[tokio::test]
async fn the_record_pages_and_filters_by_time() {
    let (user, admin) = (fresh_id(), with_key(OPEN));
    for _ in 0..5 {
        admin.put_json(&format!("/users/{user}"), &json!({})).await;
    }
    let (mut seen, mut cursor) = (0, String::new());
    loop {
        let page = admin.get(&format!("/audit?limit=2{cursor}")).await.expect(200).json();
        let records = page["records"].as_array().expect("a list");
        assert!(records.len() <= 2);
        seen += records.iter().filter(|record| record["detail"]["user_id"] == user).count();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, 5);
    let none = json!({"result": "Success", "records": []});
    admin.get("/audit?until=2026-01-01T00:00:00%2B01:00").await.body(200, &none);
    admin.get("/audit?since=9000-01-01T00:00:00Z").await.body(200, &none);
    let reason = "since must be a time with its offset, such as 2026-01-11T14:30:00Z";
    admin.get("/audit?since=2026-01-01").await.failed(400, reason);
    with_key(SENDER).get("/audit").await.failed(403, "Permission audit.read is required");
}

#[tokio::test]
async fn a_reload_is_recorded_for_each_tenant_that_it_concerns_and_shows_none_to_another() {
    let settings = |network: &str, title: usize| {
        format!(
            "limits: {{title: {title}}}\ntenants: {{default-eu: }}\napi_keys:\n  {ADMIN}: {{roles: [admin]}}\n  \
             {ACME}: {{roles: [admin], tenant: default-eu, networks: [127.0.0.0/8, {network}]}}\n  \
             another-key-of-the-tenant-default-eu-01: {{tenant: default-eu}}\n"
        )
    };
    let gateway = Gateway::start(&settings("192.0.2.0/24", 99));
    let (home, acme) = (gateway.api().key(ADMIN), gateway.api().key(ACME));
    fs::write(gateway.path("bellboard.yaml"), settings("198.51.100.0/24", 88)).expect("written");
    let reloaded = soon(&acme, "/audit?action=config.reloaded", 1).await;
    let changes = reloaded[0]["detail"]["changes"].to_string();
    assert!(changes.contains("198.51.100.0/24") && !changes.contains("limits.title"), "{changes}");
    // What the site's operator may know is on the admin listener.
    let all = gateway.admin_api().get_at("/config/changes").await.expect(200).json();
    assert_eq!((&all["generation"], &all["refused"]), (&json!(2), &Value::Null));
    let changes = all["changes"].to_string();
    assert!(
        changes.contains("198.51.100.0/24") && changes.contains("limits.title changed: 99 → 88"),
        "{changes}"
    );

    let broken = settings("x", 1).replace("{default-eu: }", "{default-eu: {ursers: 1}}");
    fs::write(gateway.path("bellboard.yaml"), broken).expect("written");
    gateway_refuses(&gateway).await;
    let refused = soon(&home, "/audit?action=config.refused", 1).await;
    let problems = refused[0]["detail"]["problems"].to_string();
    assert!(
        problems.contains("a problem of the site or another tenant") && !problems.contains("default-eu"),
        "{problems}"
    );
    let reloaded = home.get("/audit?action=config.reloaded").await.expect(200).json();
    assert_eq!(reloaded["records"], json!([]), "{reloaded}");

    // A key that goes to another tenant is gone from the one and new in the other, and neither sees more.
    let moved = settings("203.0.113.0/24", 88).replacen("tenant: default-eu", "tenant: default", 1);
    fs::write(gateway.path("bellboard.yaml"), moved).expect("written");
    gateway_reloads(&gateway, 3).await;
    let reloaded = soon(&home, "/audit?action=config.reloaded", 1).await;
    let changes = reloaded[0]["detail"]["changes"].to_string();
    assert!(changes.contains("added") && !changes.contains("198.51.100.0/24"), "{changes}");
    gateway.stop();
}

async fn gateway_reloads(gateway: &Gateway, generation: u64) {
    crate::support::gateway::until_async("reloaded", async || {
        let changes = gateway.admin_api().get_at("/config/changes").await.expect(200).json();
        changes["generation"] == generation
    })
    .await;
}

async fn gateway_refuses(gateway: &Gateway) {
    crate::support::gateway::until_async("it is refused", async || {
        let changes = gateway.admin_api().get_at("/config/changes").await.expect(200).json();
        changes["refused"].is_array()
    })
    .await;
}
