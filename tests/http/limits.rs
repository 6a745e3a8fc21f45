//! Rate limits: of a key, of a user, of a tenant, and of failed authentication.

use serde_json::json;

use crate::support::{Answer, Api, Gateway, Token, raw::exchange};

const SECRET: &str = "signing-secret-of-the-limited-tenant-0001";
const TINY: &str = "tiny-key-0000000000000000000000000000001";
const OTHER: &str = "other-key-000000000000000000000000000001";
const POOR: &str = "poor-key-0000000000000000000000000000001";
const ROOM_A: &str = "room-a-key-00000000000000000000000000001";
const ROOM_B: &str = "room-b-key-00000000000000000000000000001";

fn gateway() -> Gateway {
    Gateway::start(
        r#"
rate_limits:
  per_user: {per_second: 1, burst: 3}
  failed_auth: {per_second: 1, burst: 4}
roles: {reader: [user.read]}
tenants:
  default:
    seed: [1, 2]
    issuers: [{algorithm: HS256, secret: signing-secret-of-the-limited-tenant-0001}]
  room:
    rate_limits: {tenant: {per_second: 1, burst: 4}}
api_keys:
  tiny-key-0000000000000000000000000000001: {rate_limit: {per_second: 1, burst: 3}}
  other-key-000000000000000000000000000001: {}
  poor-key-0000000000000000000000000000001: {roles: [reader], rate_limit: {per_second: 1, burst: 3}}
  room-a-key-00000000000000000000000000001: {tenant: room}
  room-b-key-00000000000000000000000000001: {tenant: room}
"#,
    )
}

/// Asks until the answer has this status; the answers before had `before`.
async fn until_status(api: &Api, before: u16, status: u16) -> Answer {
    for _ in 0..100 {
        let answer = api.get("/types").await;
        if answer.status == status {
            return answer;
        }
        assert_eq!(answer.status, before, "{}", answer.text);
    }
    panic!("no {status} in a hundred requests");
}

#[tokio::test]
async fn a_spent_limit_says_when_to_come_back_and_harms_nobody_else() {
    let gateway = gateway();
    let tiny = gateway.api().key(TINY);
    let first = tiny.get("/types").await.expect(200);
    assert_eq!(first.header("ratelimit-policy"), r#""key";q=3;w=3"#);
    assert_eq!(first.header("ratelimit"), r#""key";r=2;t=1"#);

    let denied = until_status(&tiny, 200, 429).await;
    let denied = denied.failed(429, "Rate limit exceeded; retry in 1 s");
    assert_eq!(denied.header("retry-after"), "1");
    assert_eq!(denied.header("ratelimit-policy"), r#""key";q=3;w=3"#);
    assert!(denied.header("ratelimit").starts_with(r#""key";r=0;t="#), "{}", denied.header("ratelimit"));

    gateway.api().key(OTHER).get("/types").await.expect(200);
    let metrics = gateway.admin_api();
    let counted = crate::support::api::ask(metrics.request_at(reqwest::Method::GET, "/metrics")).await.text;
    assert!(counted.contains("bellboard_rate_limit_denials_total{limit=\"key\"}"), "{counted}");

    // The permission comes before the limit, and what it refuses spends nothing.
    let poor = gateway.api().key(POOR);
    for _ in 0..10 {
        poor.send(&json!({})).await.failed(403, "Permission notification.send is required");
    }
    // The limit comes before the body, of which nothing has been sent here.
    let key = format!("X-API-KEY: {TINY}");
    let head =
        ["POST /crm/notification/send HTTP/1.1", &key, "Content-Type: text/plain", "Content-Length: 9"];
    let seen: Vec<u16> = (0..10).map(|_| exchange(&gateway.public, &head, b"").0).collect();
    assert!(seen.contains(&429) && seen.iter().all(|status| [429, 415].contains(status)), "{seen:?}");
    gateway.stop();
}

#[tokio::test]
async fn users_and_tenants_have_limits_of_their_own() {
    let gateway = gateway();
    let user = |id: i64| gateway.api().bearer(Token::of(SECRET, id).sign());
    let denied = until_status(&user(1), 200, 429).await;
    assert_eq!(denied.header("ratelimit-policy"), r#""user";q=3;w=3"#);
    user(2).get("/types").await.expect(200);

    // A ceiling over two keys that each have plenty.
    let (a, b) = (gateway.api().key(ROOM_A), gateway.api().key(ROOM_B));
    a.get("/types").await.expect(200);
    b.get("/types").await.expect(200);
    let denied = until_status(&a, 200, 429).await;
    assert_eq!(denied.header("ratelimit-policy"), r#""tenant";q=4;w=4"#);
    gateway.api().key(OTHER).get("/types").await.expect(200);
}

#[tokio::test]
async fn failed_authentication_is_limited_and_never_harms_a_valid_credential() {
    let gateway = gateway();
    let wrong = gateway.api().key("wrong-key-000000000000000000000000000001");
    let counted = wrong.get("/types").await.unauthorized("Invalid API key");
    assert_eq!(counted.header("ratelimit-policy"), r#""auth";q=4;w=4"#);
    assert_eq!(counted.header("ratelimit"), r#""auth";r=3;t=1"#);
    let denied = until_status(&wrong, 401, 429).await;
    assert_eq!(denied.header("ratelimit-policy"), r#""auth";q=4;w=4"#);
    assert!(!denied.header("retry-after").is_empty());
    // From the same address, while it is spent: valid ones pass, and missing ones count as well.
    gateway.api().key(OTHER).get("/types").await.expect(200);
    gateway.api().bearer(Token::of(SECRET, 1).sign()).get("/").await.expect(200);
    until_status(&gateway.api(), 401, 429).await;
    until_status(&gateway.api().bearer("rubbish"), 401, 429).await;
}
