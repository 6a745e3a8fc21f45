//! The admin listener: `/metrics`, `/healthz` and `/readyz`.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Gateway, api::ask, gateway::until_async, settings::*};

async fn admin(path: &str) -> Answer {
    ask(SHARED.admin_api().request_at(Method::GET, path)).await
}

#[tokio::test]
async fn it_lives_and_is_ready() {
    assert_eq!(admin("/healthz").await.expect(200).text, "ok\n");
    let ready = admin("/readyz").await.expect(200);
    assert_eq!(ready.header("content-type"), "application/json");
    assert_eq!(ready.header("cache-control"), "no-store");
    let body = ready.json();
    assert_eq!((&body["ready"], &body["store"]), (&json!(true), &json!("ok")));
    assert_eq!(body["quarantined_types"], json!([]));
}

#[tokio::test]
async fn the_listeners_share_no_path() {
    for path in ["/metrics", "/healthz", "/readyz"] {
        ask(with_key(ADMIN).request_at(Method::GET, path)).await.failed(404, "No such path");
    }
    for path in ["/", "/crm/notification/types", "/crm/notification/openapi.json"] {
        admin(path).await.expect(404);
    }
}

const PATHS: [&str; 4] = ["/metrics", "/config/summary", "/healthz", "/readyz"];

#[tokio::test]
async fn where_a_token_is_configured_this_machine_needs_it_too_but_for_the_probes() {
    const TOKENS: [&str; 2] =
        ["admin-token-that-is-valid-now-0000001", "admin-token-that-is-valid-next-000001"];
    let settings = format!("server: {{admin_token: {}, admin_token_next: {}}}\n", TOKENS[0], TOKENS[1]);
    let gateway = Gateway::start(&settings);
    let get = |path, authorization: &str| {
        let request = gateway.admin_api().request_at(Method::GET, path);
        if authorization.is_empty() { request } else { request.header("Authorization", authorization) }
    };
    for path in PATHS {
        let open = path.ends_with('z');
        for shown in ["", "Bearer wrong", "Basic eDp4", TOKENS[0]] {
            let answer = ask(get(path, shown)).await.expect(if open { 200 } else { 401 });
            assert!(open || answer.header("www-authenticate") == "Bearer", "{path}");
        }
        for scheme in ["Bearer", "bearer", "BEARER "] {
            for token in TOKENS {
                ask(get(path, &format!("{scheme} {token}"))).await.expect(200);
                ask(get(path, &format!("{scheme} {token}x"))).await.expect(if open { 200 } else { 401 });
            }
        }
        // Through a proxy, and for a page that rebinds its name, the token alone counts.
        for (name, value) in [("X-Forwarded-For", "192.0.2.1"), ("Host", "attacker.example")] {
            ask(get(path, "").header(name, value)).await.expect(401);
            ask(get(path, &format!("Bearer {}", TOKENS[1])).header(name, value)).await.expect(200);
        }
    }
}

#[tokio::test]
async fn without_a_token_no_client_of_a_proxy_and_no_foreign_host_gets_in() {
    let with = |path, name: &str, value: &str| {
        ask(SHARED.admin_api().request_at(Method::GET, path).header(name, value))
    };
    for path in PATHS {
        for host in ["localhost", "LOCALHOST:9090", "[::1]:9090", "10.1.2.3", "bellboard.test:9090"] {
            with(path, "Host", host).await.expect(200);
        }
        for host in ["attacker.example", "localhost.attacker.example:9090", "bellboard"] {
            with(path, "Host", host).await.expect(403);
        }
        for name in ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "Via", "X-Real-IP"] {
            with(path, name, "x").await.expect(403);
        }
    }
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let user = fresh_user().await;
    with_key(SENDER).notify_of("service_expiring", user, "t").await;
    let wrong = json!({"user_id": user, "type": "billing_payment", "title": "t", "metadata": {"amount": []}});
    with_key(SENDER).send(&wrong).await.expect(201);
    let link = json!({"user_id": user, "type": "custom", "title": "t", "link": "javascript:x"});
    with_key(SENDER).send(&link).await.expect(400);
    let unknown = json!({"user_id": user, "type": "no_such", "title": "t"});
    with_key(SENDER).send(&unknown).await.expect(400);
    with_key(UNKNOWN).get("/types").await.expect(401);

    let answer = admin("/metrics").await.expect(200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    for counted in [
        r#"bellboard_http_requests_total{method="POST",route="/crm/notification/send",status="201"}"#,
        r#"bellboard_http_request_duration_seconds_bucket{method="POST",route="/crm/notification/send",le="#,
        r#"bellboard_notifications_sent_total{tenant="default",type="service_expiring"}"#,
        r#"bellboard_sends_refused_total{component="safe_link",reason="problem"}"#,
        r#"bellboard_sends_refused_total{component="core",reason="unknown_type"}"#,
        r#"bellboard_send_warnings_total{component="json_schema",type="billing_payment"}"#,
        r#"bellboard_auth_failures_total{reason="invalid_key"}"#,
        "bellboard_pipeline_duration_seconds_count",
        "bellboard_store_batch_commands_count",
        "bellboard_store_commit_duration_seconds_count",
        "bellboard_store_queue_depth",
        "bellboard_unread_cache_hits_total",
        "bellboard_unread_cache_misses_total",
        "bellboard_snapshot_generation",
        "bellboard_types_quarantined",
        r#"bellboard_build_info{version=""#,
    ] {
        assert!(answer.text.lines().any(|line| line.starts_with(counted)), "{counted}\n{}", answer.text);
    }
    // On PostgreSQL a count is cached for half a second, which may pass between two reads.
    until_async("a cache hit", async || {
        as_user(user).unread().await;
        let text = admin("/metrics").await.expect(200).text;
        let hits = text.lines().find_map(|line| line.strip_prefix("bellboard_unread_cache_hits_total "));
        hits.is_some_and(|hits| hits.parse::<u64>().is_ok_and(|hits| hits > 0))
    })
    .await;
}

#[tokio::test]
async fn nothing_that_a_caller_makes_up_becomes_a_label() {
    let user = fresh_user().await;
    let odd = Method::from_bytes(b"BREW").expect("a method");
    let api = with_key(ADMIN);
    for path in ["/made-up-path", "/crm/notification/users/77123456", "/crm/notification/made-up/mark-read"] {
        ask(api.request_at(Method::GET, path)).await;
        ask(api.request_at(odd.clone(), path)).await;
    }
    api.send(&json!({"user_id": user, "type": "made-up-type", "title": "t"})).await.expect(400);
    let text = admin("/metrics").await.expect(200).text;
    for made_up in ["made-up", "77123456", "BREW"] {
        assert!(!text.contains(made_up), "{made_up}");
    }
    let document: Value = api.get("/openapi.json").await.json();
    let mut known: BTreeSet<String> = document["paths"].as_object().expect("paths").keys().cloned().collect();
    known.extend(["other", "/crm/notification/openapi.json", "/crm/notification/docs"].map(str::to_owned));
    let label = |line: &str, name: &str| {
        let rest = &line[line.find(&format!("{name}=\""))? + name.len() + 2..];
        rest.split('"').next().map(str::to_owned)
    };
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(route) = label(line, "route") {
            assert!(known.contains(&route), "{line}");
        }
        if let Some(method) = label(line, "method") {
            let methods = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "other"];
            assert!(methods.contains(&method.as_str()), "{line}");
        }
    }
}
