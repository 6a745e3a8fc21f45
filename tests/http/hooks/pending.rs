//! Bodies that a signature is still to authenticate: what they hold, and for how long.

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
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{address}:0").parse().expect("an address")).expect("bound");
    let mut stream =
        socket.connect(base["http://".len()..].parse().expect("an address")).await.expect("it listens");
    let head = format!(
        "POST /crm/notification/hooks/{hook} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    // One that is refused may be closed before all of it is written.
    let _ = stream.write_all(body).await;
    stream
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
    let mut first = [0; 12];
    until_async("refused", async || {
        held.iter().filter(|stream| stream.try_io(tokio::io::Interest::READABLE, || Ok(())).is_ok()).count()
            >= 36
    })
    .await;
    let _ = held[39].peek(&mut first).await;
    assert_eq!(&first, b"HTTP/1.1 503");
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
    let answered = tokio::time::timeout(std::time::Duration::from_secs(30), status(&mut held)).await;
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
    let answered = tokio::time::timeout(std::time::Duration::from_secs(60), status(&mut held)).await;
    assert_eq!(answered.expect("long before the largest body"), "400");
    gateway.stop();
}

#[tokio::test]
async fn a_hook_bounds_its_bodies() {
    let user = crate::support::settings::fresh_id();
    let body = |length: usize| json!({"user_id": user, "title": "t", "more": "x".repeat(length)});
    post("tight", &body(1_000)).await.expect(200);
    assert_eq!(post("tight", &body(3_000)).await.status, 413);
}
