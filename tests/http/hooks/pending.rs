//! Bodies that a signature is still to authenticate: what they hold, and for how long.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::{sign, *};
use crate::support::gateway::until_async;

const SHARES: &str = r#"
server: {request_timeout: 10m, idle_timeout: 10m, max_body_memory: 16777216}
tenants:
  default:
    users: open
    hooks:
      one: {mapping: generic, authentication: github, secrets: [{secret: TOKEN}], fallback: 1}
      other: {mapping: generic, authentication: github, secrets: [{secret: TOKEN}], fallback: 1}
"#;

/// Sends a head and part of the body that it announces, from an address of this machine.
async fn part(
    base: &str,
    address: &str,
    hook: &str,
    signature: &str,
    length: usize,
    body: &[u8],
) -> TcpStream {
    part_with(base, address, hook, &format!("X-Hub-Signature-256: sha256={signature}\r\n"), length, body)
        .await
}

/// The same with these headers, each with its end of line.
async fn part_with(
    base: &str,
    address: &str,
    hook: &str,
    headers: &str,
    length: usize,
    body: &[u8],
) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{address}:0").parse().expect("an address")).expect("bound");
    let mut stream =
        socket.connect(base["http://".len()..].parse().expect("an address")).await.expect("it listens");
    let head = format!(
        "POST /crm/notification/hooks/{hook} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         {headers}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    // One that is refused may be closed before all of it is written.
    let _ = stream.write_all(body).await;
    stream
}

/// Whether something of the answer is there.
fn is_answered(stream: &TcpStream) -> bool {
    stream.try_io(tokio::io::Interest::READABLE, || Ok(())).is_ok()
}

async fn status(stream: &mut TcpStream) -> String {
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.expect("an answer");
    String::from_utf8_lossy(&start[9..]).into_owned()
}

#[tokio::test]
async fn one_client_shuts_no_hook_for_others() {
    let gateway = Gateway::start(&SHARES.replace("TOKEN", TOKEN));
    let unsigned = "0".repeat(64);
    let large = vec![b' '; 250_000];
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(part(&gateway.public, "127.0.0.1", "one", &unsigned, 250_001, &large).await);
    }
    // A sixteenth of the memory is four such bodies; each of the others is refused.
    until_async("refused", async || held.iter().filter(|stream| is_answered(stream)).count() >= 36).await;
    let refused = held.iter_mut().find(|stream| is_answered(stream)).expect("one is answered");
    assert_eq!(status(refused).await, "503");
    let body = format!(r#"{{"title": "signed", "more": "{}"}}"#, "x".repeat(200_000));
    for hook in ["other", "one"] {
        let signature = sign(TOKEN, &body);
        let mut honest =
            part(&gateway.public, "127.0.0.2", hook, &signature, body.len(), body.as_bytes()).await;
        assert_eq!(status(&mut honest).await, "200", "{hook}");
    }
    gateway.stop();
}

#[tokio::test]
async fn a_body_that_is_held_back_ends_soon() {
    let gateway = Gateway::start(&SHARES.replace("TOKEN", TOKEN));
    let mut held = part(&gateway.public, "127.0.0.1", "one", &"0".repeat(64), 10, b"{").await;
    let answered = tokio::time::timeout(Duration::from_secs(30), status(&mut held)).await;
    assert_eq!(answered.expect("long before the ten minutes of a request"), "400");
    gateway.stop();
}

#[tokio::test]
async fn a_body_of_unknown_length_that_is_held_back_ends_as_soon() {
    // The largest body would have two minutes.
    let gateway =
        Gateway::start(&format!("limits: {{body_bytes: 8388608}}\n{}", SHARES.replace("TOKEN", TOKEN)));
    let mut held = TcpStream::connect(&gateway.public["http://".len()..]).await.expect("it listens");
    let head = format!(
        "POST /crm/notification/hooks/one HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         X-Hub-Signature-256: sha256={}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n",
        "0".repeat(64)
    );
    held.write_all(head.as_bytes()).await.expect("sent");
    let answered = tokio::time::timeout(Duration::from_secs(60), status(&mut held)).await;
    assert_eq!(answered.expect("long before the largest body"), "400");
    gateway.stop();
}

#[tokio::test]
async fn a_body_that_is_too_long_and_held_back_ends_soon() {
    let gateway = Gateway::start(&SHARES.replace("TOKEN", TOKEN));
    let long = vec![b' '; 262_145];
    let mut held = part(&gateway.public, "127.0.0.1", "one", &"0".repeat(64), 400_000, &long).await;
    let answered = tokio::time::timeout(Duration::from_secs(30), status(&mut held)).await;
    assert_eq!(answered.expect("long before the ten minutes of a request"), "413");
    gateway.stop();
}

#[tokio::test]
async fn closing_a_connection_before_its_body_is_whole_counts_as_a_failed_authentication() {
    let limits = "rate_limits: {failed_auth: {per_second: 1, burst: 20}}\n";
    let gateway = Gateway::start(&format!("{limits}{}", SHARES.replace("TOKEN", TOKEN)));
    let unsigned = "0".repeat(64);
    let mut answers = Vec::new();
    // Each look counts a failure itself: far too few to reach the limit.
    for _ in 0..5 {
        for _ in 0..30 {
            drop(part(&gateway.public, "127.0.0.1", "one", &unsigned, 10, b"{").await);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut look = part(&gateway.public, "127.0.0.1", "one", &unsigned, 2, b"{}").await;
        answers.push(status(&mut look).await);
        if answers.ends_with(&["429".to_owned()]) {
            break;
        }
    }
    assert_eq!(answers.last().map(String::as_str), Some("429"), "{answers:?}");
    gateway.stop();
}

#[tokio::test]
async fn all_addresses_of_an_ipv6_host_have_one_share() {
    let settings =
        SHARES.replace("TOKEN", TOKEN).replace("server: {", "server: {trusted_proxies: [127.0.0.1], ");
    let gateway = Gateway::start(&settings);
    let large = vec![b' '; 250_000];
    let from = async |address: &str| {
        let headers =
            format!("X-Hub-Signature-256: sha256={}\r\nX-Forwarded-For: {address}\r\n", "0".repeat(64));
        part_with(&gateway.public, "127.0.0.1", "one", &headers, 250_001, &large).await
    };
    let mut held = Vec::new();
    for host in 1..=5 {
        held.push(from(&format!("2001:db8::{host}")).await);
    }
    until_async("refused", async || held.iter().any(is_answered)).await;
    let refused = held.iter_mut().find(|stream| is_answered(stream)).expect("one is answered");
    assert_eq!(status(refused).await, "503", "a sixteenth of the memory is four such bodies");
    // The body of another host is whole, so its signature is checked.
    let mut other = from("2001:db8:0:1::1").await;
    other.write_all(b" ").await.expect("sent");
    assert_eq!(status(&mut other).await, "401");
    gateway.stop();
}

#[tokio::test]
async fn deliveries_that_wait_for_the_store_leave_the_shares_of_pending_ones() {
    let gateway = Gateway::start(&SHARES.replace("TOKEN", TOKEN));
    let mut tool = gateway.tool().await;
    tool.hold().await;
    // A sixteenth of the memory is five such bodies. Each is signed, so none of them counts towards it for long.
    let mut waiting = Vec::new();
    for number in 0..8 {
        let body = format!(r#"{{"title": "signed {number}", "more": "{}"}}"#, "x".repeat(200_000));
        let signature = sign(TOKEN, &body);
        waiting
            .push(part(&gateway.public, "127.0.0.1", "one", &signature, body.len(), body.as_bytes()).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tool.let_go().await;
    for stream in &mut waiting {
        assert_eq!(status(stream).await, "200");
    }
    gateway.stop();
}

#[tokio::test]
async fn a_hook_bounds_its_bodies() {
    let user = crate::support::settings::fresh_id();
    let body = |length: usize| json!({"user_id": user, "title": "t", "more": "x".repeat(length)});
    post("tight", &body(1_000)).await.expect(200);
    assert_eq!(post("tight", &body(3_000)).await.status, 413);
}
