//! Rate limits go on counting over a reload, but for those whose quota it changed.

use reqwest::Method;

use crate::support::{Api, Gateway, Token, api::ask, gateway::until};

const SECRET: &str = "signing-secret-of-the-limited-tenant-0001";
const SETTINGS: &str = "
rate_limits: {per_user: {per_second: 1, burst: 600}, failed_auth: {per_second: 1, burst: 400}}
tenants:
  default:
    seed: [1, 2]
    issuers: [{algorithm: HS256, secret: signing-secret-of-the-limited-tenant-0001}]
  room: {rate_limits: {tenant: {per_second: 1, burst: 500}}}
api_keys:
  first-key-000000000000000000000000000001: {rate_limit: {per_second: 1, burst: 300}}
  other-key-000000000000000000000000000001: {rate_limit: {per_second: 1, burst: 300}}
  room-key-0000000000000000000000000000001: {tenant: room, rate_limit: {per_second: 900}}
";

/// How many requests more would pass, as the last answer told.
async fn left(api: &Api) -> u32 {
    let answer = api.get("/types").await.expect(200);
    let (_, rest) = answer.header("ratelimit").split_once("r=").expect("a limit");
    rest.split(';').next().and_then(|n| n.parse().ok()).expect("a number")
}

/// Writes the settings and waits until they are in force.
async fn reload(gateway: &Gateway, settings: &str) {
    let applied = async || {
        let text = ask(gateway.admin_api().request_at(Method::GET, "/metrics")).await.text;
        let line = "bellboard_config_reloads_total{outcome=\"applied\"} ";
        text.lines().find_map(|l| l.strip_prefix(line)).map_or(0, |n| n.parse().expect("a count"))
    };
    let before: u32 = applied().await;
    std::fs::write(gateway.path("new"), settings).expect("written");
    std::fs::rename(gateway.path("new"), gateway.path("bellboard.yaml")).expect("renamed");
    let start = std::time::Instant::now();
    while applied().await == before {
        assert!(start.elapsed().as_secs() < 60, "not reloaded:\n{}", gateway.log());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_was_spent_stays_spent_where_the_quota_did_not_change() {
    let gateway = Gateway::start(SETTINGS);
    let api = gateway.api();
    let first = api.key("first-key-000000000000000000000000000001");
    let other = api.key("other-key-000000000000000000000000000001");
    let room = api.key("room-key-0000000000000000000000000000001");
    let user = api.bearer(Token::of(SECRET, 1).sign());
    // Far more than a second a request gives back while the test runs.
    for api in [&first, &other, &room, &user] {
        for _ in 0..200 {
            api.get("/types").await.expect(200);
        }
    }
    let spent = async |of: u32, api: &Api| {
        let left = left(api).await;
        assert!(left < of - 100, "{left} of {of} left");
    };
    let fresh = async |of: u32, api: &Api| {
        let left = left(api).await;
        assert!(left > of - 100, "{left} of {of} left");
    };
    // Something else changes, and the keys change places.
    let moved =
        SETTINGS.replace("api_keys:\n", "api_keys:\n  added-key-000000000000000000000000000001: {}\n");
    reload(&gateway, &moved.replace("[1, 2]", "[1, 2, 3]")).await;
    spent(300, &first).await;
    spent(300, &other).await;
    spent(500, &room).await;
    spent(600, &user).await;

    // One key's quota, and then the users': each loses its own and nothing else.
    let one = SETTINGS.replacen("burst: 300", "burst: 350", 1);
    reload(&gateway, &one).await;
    fresh(350, &first).await;
    spent(300, &other).await;
    spent(500, &room).await;
    spent(600, &user).await;
    reload(&gateway, &one.replace("burst: 600", "burst: 700")).await;
    fresh(700, &user).await;
    spent(300, &other).await;
    spent(500, &room).await;
    // A refused edit changes nothing.
    std::fs::write(gateway.path("bellboard.yaml"), "api_keys: [").expect("written");
    until("refused", || gateway.log().contains("the configuration was not changed"));
    spent(300, &other).await;
}

/// Fails to authenticate until the limit answers, under addresses that the client makes up.
async fn failures(gateway: &Gateway, header: &str, address: impl Fn(usize) -> String) -> usize {
    let wrong = gateway.api().key("wrong-key-000000000000000000000000000001");
    for n in 0..40 {
        let answer = ask(wrong.request(Method::GET, "/types").header(header, address(n))).await;
        if answer.status == 429 {
            return n;
        }
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
    40
}

#[tokio::test]
async fn a_forged_address_escapes_no_limit() {
    let settings = |proxies: &str| {
        format!(
            "server: {{trusted_proxies: {proxies}}}\n{}",
            SETTINGS.replace(
                "failed_auth: {per_second: 1, burst: 400}",
                "failed_auth: {per_second: 1, burst: 4}"
            )
        )
    };
    let gateway = Gateway::start(&settings("[]"));
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-Ip"] {
        let prefix = if header == "Forwarded" { "for=" } else { "" };
        assert!(failures(&gateway, header, |n| format!("{prefix}192.0.2.{n}")).await < 30, "{header}");
    }
    reload(&gateway, &settings("[127.0.0.0/8]")).await;
    // A trusted proxy tells clients apart; what stands before the address that it saw is the client's own.
    assert_eq!(failures(&gateway, "X-Forwarded-For", |n| format!("198.51.100.{n}")).await, 40);
    let forged = |n| format!("192.0.2.{n}, 203.0.113.9");
    assert!(failures(&gateway, "X-Forwarded-For", forged).await < 30);
    let behind = |n| format!("192.0.2.{n}, 203.0.113.10, 127.0.0.7");
    assert!(failures(&gateway, "X-Forwarded-For", behind).await < 30);
}
