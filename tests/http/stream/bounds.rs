//! How many streams there may be, how they are kept, and what becomes of one that nobody reads.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::AsyncReadExt,
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};

use crate::support::{Api, Gateway, Token, api::ask, stream::Stream};

const SECRET: &str = "signing-secret-of-the-default-tenant-0001";
pub const KEY: &str = "streams-key-of-the-default-tenant-00001";
const SETTINGS: &str = r#"
rate_limits: {per_key: {per_second: 1000000}, per_user: {per_second: 1000000}}
limits: {message: 100000}
tenants:
  default: {users: open, issuers: [{algorithm: HS256, secret: signing-secret-of-the-default-tenant-0001}]}
  acme: {users: open, issuers: [{algorithm: HS256, secret: signing-secret-of-the-tenant-acme-0000001}]}
api_keys:
  streams-key-of-the-default-tenant-00001: {roles: [admin]}
"#;

pub fn gateway(streams: &str) -> Gateway {
    Gateway::start(&format!("streams: {streams}\n{SETTINGS}"))
}

pub fn own(gateway: &Gateway, user: i64) -> Api {
    gateway.api().bearer(Token::of(SECRET, user).sign())
}

pub async fn metric(gateway: &Gateway, name: &str) -> f64 {
    let text = ask(gateway.admin_api().request_at(Method::GET, "/metrics")).await.expect(200).text;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0.0, |value| value.trim().parse().expect("a number"))
}

#[tokio::test]
async fn there_are_no_more_than_may_be() {
    let gateway = gateway("{per_user: 2, per_tenant: 3, most: 4}");
    let acme = gateway.api().bearer(Token::of("signing-secret-of-the-tenant-acme-0000001", 1).sign());
    let refused = async |api: &Api, status: u16, reason: &str| {
        let answer = Stream::ask(api, None).await;
        let retry = answer.headers()["retry-after"].to_str().expect("text").to_owned();
        assert_eq!((answer.status().as_u16(), retry.as_str()), (status, "10"));
        assert_eq!(answer.json::<serde_json::Value>().await.expect("JSON")["reason"], reason);
    };
    let full = "Too many streams are open; close one, or retry in 10 s";
    let [one, two] = [1, 2].map(|user| own(&gateway, user));
    let first = [Stream::open(&one, None).await, Stream::open(&one, None).await];
    refused(&one, 429, full).await;
    let second = Stream::open(&two, None).await;
    refused(&two, 429, full).await;
    let theirs = Stream::open(&acme, None).await;
    refused(&acme, 503, "The service is busy; try again").await;
    assert_eq!(metric(&gateway, "bellboard_streams_open ").await, 4.0);
    assert_eq!(metric(&gateway, "bellboard_rate_limit_denials_total").await, 0.0);
    drop((first, theirs));
    let start = Instant::now();
    while metric(&gateway, "bellboard_streams_open ").await > 1.0 {
        assert!(start.elapsed() < Duration::from_secs(60), "their places are free again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Stream::open(&one, None).await.expect("ready").await;
    Stream::open(&acme, None).await.expect("ready").await;
    drop(second);
    gateway.stop();
}

#[tokio::test]
async fn it_says_that_it_is_there_and_outlasts_what_ends_silent_connections() {
    let settings = format!("server: {{idle_timeout: 2s, request_timeout: 1s}}\n{SETTINGS}");
    let gateway = Gateway::start(&settings);
    let mut stream = Stream::open(&own(&gateway, 1), None).await;
    stream.expect("ready").await;
    for _ in 0..4 {
        assert_eq!(stream.frame().await.as_deref(), Some(":"));
    }
    gateway.api().key(KEY).notify(1, "t").await;
    stream.expect("notification").await;
    gateway.stop();
}

/// A connection with a stream of the first user, of which the system takes little until it is read on.
pub async fn slow(gateway: &Gateway) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    let address = gateway.public["http://".len()..].parse().expect("an address");
    let mut slow = socket.connect(address).await.expect("it listens");
    let token = Token::of(SECRET, 1).sign();
    let head =
        format!("GET /crm/notification/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    slow.write_all(head.as_bytes()).await.expect("sent");
    let mut some = [0; 64];
    assert!(slow.read(&mut some).await.expect("an answer") > 0);
    slow
}

#[tokio::test]
async fn who_takes_nothing_is_dropped_and_counted() {
    let gateway = gateway("{slow: 1s}");
    let (key, api) = (gateway.api().key(KEY), own(&gateway, 1));
    let _slow = slow(&gateway).await;
    let mut good = Stream::open(&api, None).await;
    good.expect("ready").await;
    // More than the system keeps for it.
    let message = "x".repeat(100_000);
    let (start, mut sent) = (Instant::now(), 0);
    while metric(&gateway, "bellboard_streams_ended_total{reason=\"slow\"}").await < 1.0 {
        assert!(start.elapsed() < Duration::from_secs(60), "not dropped");
        if sent < 120 {
            key.send(&json!({"user_id": 1, "type": "custom", "title": "t", "message": message}))
                .await
                .expect(201);
            sent += 1;
            good.expect("notification").await;
        } else {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(metric(&gateway, "bellboard_streams_open ").await, 1.0);
    key.notify(1, "t").await;
    good.expect("notification").await;
    gateway.stop();
}
