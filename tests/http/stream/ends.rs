//! A stream ends with what it was opened by: the token, the user, the gateway.

use std::{fs, time::Duration};

use reqwest::Method;
use serde_json::json;

use crate::support::{
    Gateway, Token,
    api::ask,
    gateway::until,
    issuer::{Endpoint, Mood, Signer},
    stream::Stream,
    token::now,
};

const SECRET: &str = "signing-secret-of-the-default-tenant-0001";
const KEY: &str = "ending-key-of-the-default-tenant-000001";
const SETTINGS: &str = r#"
roles: {eraser: [user.erase]}
tenants:
  default:
    seed: [1, 2, 3, 4]
    issuers:
      - {algorithm: HS256, secret: signing-secret-of-the-default-tenant-0001, leeway: 0s}
      - {algorithm: HS256, secret: another-secret-of-the-default-tenant-0002, issuer: other}
  acme: {seed: [1], issuers: [{algorithm: HS256, secret: signing-secret-of-the-tenant-acme-0000001}]}
api_keys:
  ending-key-of-the-default-tenant-000001: {roles: [admin, eraser]}
"#;

/// Opens a stream with a token.
async fn open(gateway: &Gateway, token: Token) -> Stream {
    let mut stream = Stream::open(&gateway.api().bearer(token.sign()), None).await;
    stream.expect("ready").await;
    stream
}

async fn metrics(gateway: &Gateway) -> String {
    ask(gateway.admin_api().request_at(Method::GET, "/metrics")).await.expect(200).text
}

/// Waits until so many have ended for that reason.
async fn ended(gateway: &Gateway, reason: &str, count: u64) {
    let line = format!("bellboard_streams_ended_total{{reason=\"{reason}\"}} {count}\n");
    let start = std::time::Instant::now();
    loop {
        let metrics = metrics(gateway).await;
        if metrics.contains(&line) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "no {line} in\n{metrics}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn it_ends_when_its_token_does() {
    let gateway = Gateway::start(SETTINGS);
    let mut stream = open(&gateway, Token::of(SECRET, 1).claim("exp", now() + 2)).await;
    assert_eq!(stream.next().await, None);
    ended(&gateway, "token_expired", 1).await;
    let late = gateway.api().bearer(Token::of(SECRET, 1).expired().sign());
    assert_eq!(Stream::ask(&late, stream.last.as_deref()).await.status(), 401);
    gateway.stop();
}

#[tokio::test]
async fn it_ends_when_its_token_is_admitted_no_longer() {
    let gateway = Gateway::start(SETTINGS);
    let of = |user: i64| Token::of(SECRET, user).claim("iat", now());
    let other = Token::of("another-secret-of-the-default-tenant-0002", 2).claim("iss", "other");
    let acme = Token::of("signing-secret-of-the-tenant-acme-0000001", 1);
    let mut revoked = open(&gateway, of(1).claim("jti", "stolen")).await;
    let mut removed = open(&gateway, other).await;
    let mut gone = open(&gateway, acme).await;
    let mut stays = open(&gateway, of(3)).await;
    let settings = SETTINGS
        .lines()
        .filter(|line| !line.contains("issuer: other") && !line.contains("acme:"))
        .map(|line| match line.contains("seed: [1, 2, 3, 4]") {
            true => format!("{line}\n    revoked_tokens: [{{jti: stolen}}]\n"),
            false => format!("{line}\n"),
        })
        .collect::<String>();
    let emptied = settings.replace("api_keys:", "  acme: {issuers: []}\napi_keys:");
    fs::write(gateway.path("bellboard.yaml"), emptied).expect("written");
    assert_eq!(revoked.next().await, None);
    assert_eq!(removed.next().await, None);
    assert_eq!(gone.next().await, None);
    ended(&gateway, "token_refused", 3).await;
    fs::write(gateway.path("bellboard.yaml"), settings).expect("written");
    until("it is in force", || gateway.admin_get("/metrics").contains("bellboard_snapshot_generation 3\n"));
    gateway.api().key(KEY).notify(3, "still").await;
    stays.expect("notification").await;
    assert!(metrics(&gateway).await.contains("bellboard_streams_open 1\n"));
    drop(stays);
    ended(&gateway, "client", 1).await;
    gateway.stop();
}

#[tokio::test]
async fn it_ends_with_the_key_that_signed_its_token_whether_or_not_something_happens() {
    let (old, new) = (Signer::ec("old"), Signer::rsa("new"));
    let endpoint = Endpoint::new(Mood::Honest(vec![old.published()]));
    let gateway = Gateway::start(&format!(
        "streams: {{heartbeat: 1m}}\ntenants:\n  default:\n    seed: [1, 2]\n    issuers:\n      \
         - {{algorithm: ES256, jwks_url: '{}', jwks_refresh: 1s, jwks_allow_private: true}}\n\
         api_keys:\n  {KEY}: {{}}\n",
        endpoint.url
    ));
    let open = async |user: i64| {
        let mut stream = Stream::open(&gateway.api().bearer(old.token(user, &json!({}))), None).await;
        stream.expect("ready").await;
        stream
    };
    let (mut quiet, mut busy) = (open(1).await, open(2).await);
    let sends = tokio::spawn({
        let api = gateway.api().key(KEY);
        async move {
            loop {
                api.notify(2, "more").await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    busy.expect("notification").await;
    endpoint.becomes(Mood::Honest(vec![new.published()]));
    assert_eq!(quiet.next().await, None);
    let start = std::time::Instant::now();
    while busy.next().await.is_some() {
        assert!(start.elapsed() < Duration::from_secs(20), "it goes on without its key");
    }
    sends.abort();
    ended(&gateway, "token_refused", 2).await;
    gateway.stop();
}

#[tokio::test]
async fn it_ends_when_its_user_is_erased() {
    let gateway = Gateway::start(SETTINGS);
    let key = gateway.api().key(KEY);
    let api = gateway.api().bearer(Token::of(SECRET, 4).sign());
    let mut stream = open(&gateway, Token::of(SECRET, 4)).await;
    key.notify(4, "t").await;
    let last = stream.expect("notification").await.id;
    key.delete("/users/4").await.expect(200);
    assert_eq!(stream.next().await, None);
    ended(&gateway, "user_erased", 1).await;
    assert_eq!(Stream::ask(&api, Some(&last)).await.status(), 404);
    key.put_json("/users/4", &json!({})).await.expect(201);
    let mut stream = Stream::open(&api, Some(&last)).await;
    assert_eq!(stream.expect("reset").await.unread(), 0);
    gateway.stop();
}

#[tokio::test]
async fn it_ends_at_once_when_the_gateway_is_told_to_stop() {
    let gateway = Gateway::start(&format!("server: {{drain_time: 10m}}\n{SETTINGS}"));
    let api = gateway.api().bearer(Token::of(SECRET, 1).sign());
    let mut streams =
        [open(&gateway, Token::of(SECRET, 1)).await, open(&gateway, Token::of(SECRET, 2)).await];
    gateway.signal("TERM");
    for stream in &mut streams {
        assert_eq!(stream.next().await, None);
    }
    ended(&gateway, "stopping", 2).await;
    let refused = Stream::ask(&api, streams[0].last.as_deref()).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"1".parse().expect("a value"))
    );
    gateway.signal("TERM");
}

#[tokio::test]
async fn open_streams_hold_up_no_stop() {
    // Far longer than the test waits for the end.
    let gateway = Gateway::start(&format!("server: {{shutdown_timeout: 10m}}\n{SETTINGS}"));
    let mut streams = Vec::new();
    for user in [1, 1, 2, 3] {
        streams.push(open(&gateway, Token::of(SECRET, user)).await);
    }
    gateway.stop();
    for stream in &mut streams {
        assert_eq!(stream.next().await, None);
    }
}
