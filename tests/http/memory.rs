//! Answers that nobody takes: what they hold in memory is bounded, and returned to the system.

use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};

use crate::support::{Api, Gateway, Token, gateway::until_async};

const NOISY_KEY: &str = "noisy-key-00000000000000000000000000001";
const QUIET_KEY: &str = "quiet-key-00000000000000000000000000001";
const NOISY_SECRET: &str = "noisy-secret-0000000000000000000000000001";
const SETTINGS: &str = r#"
server: {max_body_memory: 16777216}
# A mark's answer reserves four bytes for each character that a message may have.
limits: {message: 100000}
rate_limits: {per_key: {per_second: 1000000}, per_user: {per_second: 1000000}}
tenants:
  default: {users: open, issuers: [{algorithm: HS256, secret: noisy-secret-0000000000000000000000000001}]}
  quiet: {users: open}
api_keys:
  noisy-key-00000000000000000000000000001: {roles: [admin]}
  quiet-key-00000000000000000000000000001: {roles: [admin], tenant: quiet}
"#;

/// A user with 200 of the largest notifications, 56 KB each.
async fn filled(gateway: &Gateway) -> Api {
    let key = gateway.api().key(NOISY_KEY);
    let body = json!({"user_id": 1, "type": "custom", "title": "t", "message": "\u{1F514}".repeat(10_000),
        "metadata": {"x": "x".repeat(16_000)}});
    for _ in 0..200 {
        key.send(&body).await.expect(201);
    }
    gateway.api().bearer(Token::of(NOISY_SECRET, 1).sign())
}

/// Clients with a small receive buffer that ask for a page and read none of it; all have been answered.
async fn unread(api: &Api, path: &str, count: usize) -> Vec<(TcpStream, u16)> {
    let (address, credential) = api.raw();
    let request = format!("GET /crm/notification{path} HTTP/1.1\r\nHost: x\r\n{credential}\r\n");
    let mut streams = Vec::new();
    for _ in 0..count {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4_096).expect("a small buffer");
        let mut stream = socket.connect(address.parse().expect("an address")).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("sent");
        streams.push(stream);
    }
    let mut answered = Vec::new();
    for stream in streams {
        let mut start = [0; 12];
        until_async("answered", async || stream.peek(&mut start).await.expect("an answer") == start.len())
            .await;
        let status = String::from_utf8_lossy(&start[9..]).parse().expect("a status");
        answered.push((stream, status));
    }
    answered
}

#[tokio::test]
async fn a_page_is_bounded_in_bytes_and_goes_on() {
    let gateway = Gateway::start(SETTINGS);
    let api = filled(&gateway).await;
    for (path, list) in [("/", "notifications"), ("/sent", "sent")] {
        let api = if path == "/" { &api } else { &gateway.api().key(NOISY_KEY) };
        let (mut shown, mut cursor) = (0, String::new());
        loop {
            let page = api.get(&format!("{path}?limit=200{cursor}")).await.expect(200);
            assert!(page.text.len() < 1_100_000, "{}", page.text.len());
            let page = page.json();
            let items = page[list].as_array().expect("a list").len();
            shown += items;
            match &page["next_cursor"] {
                Value::String(next) => cursor = format!("&cursor={next}"),
                _ => break,
            }
        }
        assert_eq!(shown, 200, "{path}");
    }
    gateway.stop();
}

#[tokio::test]
async fn answers_that_nobody_takes_are_bounded_in_memory() {
    let gateway = Gateway::start(SETTINGS);
    let api = filled(&gateway).await;
    let newest = api.get("/?limit=1").await.ids()[0];
    let before = gateway.anonymous_memory();
    let held = unread(&api, "/?limit=200", 60).await;
    let of = |status| held.iter().filter(|(_, answered)| *answered == status).count();
    // Half of 16 MiB, a mebibyte each.
    assert_eq!((of(200), of(503)), (8, 52));
    let grown = gateway.anonymous_memory().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more than {before}");

    let _rest = unread(&api, "/?limit=10", 1).await;
    // What makes a change is refused before it is made.
    let busy = api.post(&format!("/{newest}/mark-read")).await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, "1"));
    assert_eq!(api.unread().await, 200, "small answers are given, and nothing was marked");
    let quiet = gateway.api().key(QUIET_KEY);
    quiet
        .send(&json!({"user_id": 1, "type": "custom", "title": "t", "message": "x".repeat(9_000)}))
        .await
        .expect(201);

    drop(held);
    until_async("free again", async || api.post(&format!("/{newest}/mark-read")).await.status == 200).await;
    api.get("/?limit=200").await.expect(200);
    until_async("returned to the system", async || gateway.anonymous_memory() < before + (48 << 20)).await;
    gateway.stop();
}
