//! Connections that say nothing, or never finish saying it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use crate::support::{Gateway, api::ask, gateway::until, raw::exchange};

const KEY: &str = "X-API-KEY: connected-key-00000000000000000000000001";
const SETTINGS: &str = "
server: {idle_timeout: 1s, request_timeout: 3s, max_connections: 4, max_connections_per_client: 4}
api_keys: {connected-key-00000000000000000000000001: {roles: [admin]}}
";
const HALF: &[u8] = b"POST /crm/notification/send HTTP/1.1\r\nHost: x\r\nX-Some";

fn open(base: &str, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(&base["http://".len()..]).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream.write_all(first).expect("sent");
    stream
}

/// Reads until the other side closes: with an end or a reset, not with the test's own timeout.
fn closed(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    if let Err(e) = stream.read_to_end(&mut answer) {
        assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset, "still open");
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn silent_connections_end_and_leave_room_for_others() {
    let gateway = Gateway::start(SETTINGS);
    // More than there is room for, at both listeners; one of them was even answered before.
    let answered = b"GET /crm/notification/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut silent = vec![open(&gateway.public, b""), open(&gateway.public, answered)];
    silent.extend((0..10).map(|_| open(&gateway.public, HALF)));
    // The admin listener does not mind.
    let metrics = ask(gateway.admin_api().request_at(Method::GET, "/metrics")).await.expect(200).text;
    assert!(metrics.contains("bellboard_connections_open{listener=\"public\"} 4"), "{metrics}");
    silent.extend([open(&gateway.admin, b""), open(&gateway.admin, b"GET /metr")]);
    for stream in silent {
        closed(stream);
    }
    let (status, ..) = exchange(&gateway.public, &["GET /crm/notification/types HTTP/1.1", KEY], b"");
    assert_eq!(status, 200);
    let metrics = ask(gateway.admin_api().request_at(Method::GET, "/metrics")).await.expect(200).text;
    let count = |name: &str| -> u64 {
        let name = format!("bellboard_connections_{name}_total{{listener=\"public\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).expect("a count")
    };
    assert_eq!(count("timed_out") + count("refused"), 12, "{metrics}");
    assert!(count("timed_out") >= 4, "{metrics}");
    gateway.stop();
}

#[test]
fn a_head_that_comes_byte_by_byte_ends_too() {
    let gateway = Gateway::start(SETTINGS);
    let mut stream = open(&gateway.public, HALF);
    let start = Instant::now();
    until("closed", || {
        std::thread::sleep(Duration::from_millis(100));
        stream.write_all(b"x").is_err()
    });
    assert!(start.elapsed() >= Duration::from_secs(3), "{:?}", start.elapsed());
    gateway.stop();
}

#[tokio::test]
async fn an_answer_that_is_taken_too_slowly_is_given_up() {
    let gateway = Gateway::start(
        "server: {idle_timeout: 3s, request_timeout: 1s}\nlimits: {message: 100000}\n\
         tenants: {default: {users: open}}\nrate_limits: {per_key: {per_second: 1000000}}\n\
         api_keys: {connected-key-00000000000000000000000001: {roles: [admin]}}\n",
    );
    let api = gateway.api().key(&KEY["X-API-KEY: ".len()..]);
    let message = "x".repeat(100_000);
    for _ in 0..200 {
        api.send(&json!({"user_id": 1, "type": "custom", "title": "t", "message": message}))
            .await
            .expect(201);
    }
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(65_536).expect("a small buffer");
    let address = gateway.public["http://".len()..].parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("it listens");
    let ask = format!("GET /crm/notification/sent?limit=200 HTTP/1.1\r\nHost: x\r\n{KEY}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.expect("sent");
    // It moves all the time, but is far from whole when its time has passed.
    let (start, mut taken, mut some) = (Instant::now(), 0, vec![0; 16_384]);
    while start.elapsed() < Duration::from_secs(6) {
        taken += stream.read(&mut some).await.unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut rest = Vec::new();
    // With an end or a reset.
    let _ = stream.read_to_end(&mut rest).await;
    taken += rest.len();
    assert!((1..20_000_000).contains(&taken), "{taken}");
    gateway.stop();
}

#[test]
fn a_body_that_is_slow_but_moves_is_taken() {
    let gateway =
        Gateway::start(&SETTINGS.replace("idle_timeout: 1s, request_timeout: 3s", "idle_timeout: 4s"));
    let body = "{\"user_id\": 1}\n{\"user_id\": 2}\n{\"user_id\": 3}\n{\"user_id\": 4}\n";
    let head = format!(
        "POST /crm/notification/users/import HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{KEY}\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = open(&gateway.public, head.as_bytes());
    for line in body.split_inclusive('\n') {
        // Longer in all than a connection may be silent.
        std::thread::sleep(Duration::from_millis(1_300));
        stream.write_all(line.as_bytes()).expect("sent");
    }
    let answer = closed(stream);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

const LASTING: &str = "
server: {idle_timeout: 10m, max_connections: 8, max_connections_per_client: 3}
rate_limits: {failed_auth: {per_second: 1, burst: 2}}
api_keys: {connected-key-00000000000000000000000001: {roles: [admin]}}
";

/// A connection from another address of this machine.
async fn from(address: &str, base: &str) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{address}:0").parse().expect("an address")).expect("bound");
    socket.connect(base["http://".len()..].parse().expect("an address")).await.expect("it listens")
}

#[tokio::test]
async fn a_client_has_so_many_connections_and_trusted_proxies_any_number() {
    let gateway = Gateway::start(&LASTING.replace("10m,", "10m, trusted_proxies: [127.0.0.3/32],"));
    let _held: Vec<_> = (0..3).map(|_| open(&gateway.public, HALF)).collect();
    assert_eq!(closed(open(&gateway.public, b"")), "", "one too many");
    let mut other = from("127.0.0.2", &gateway.public).await;
    other
        .write_all(format!("GET /crm/notification/types HTTP/1.1\r\nHost: x\r\n{KEY}\r\n\r\n").as_bytes())
        .await
        .expect("sent");
    let mut answer = [0; 12];
    other.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
    for _ in 0..4 {
        let mut proxy = from("127.0.0.3", &gateway.public).await;
        proxy
            .write_all(b"GET /crm/notification/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .expect("sent");
        proxy.read_exact(&mut answer).await.expect("an answer");
        // It stays open.
        std::mem::forget(proxy);
    }
    gateway.stop();
}

#[test]
fn what_authenticated_nobody_makes_room_for_others() {
    let gateway = Gateway::start(&LASTING.replace(
        "max_connections: 8, max_connections_per_client: 3",
        "max_connections: 3, max_connections_per_client: 8",
    ));
    let ask = |stream: &mut TcpStream, head: &str| {
        write!(stream, "GET /crm/notification/{head}\r\nHost: x\r\n\r\n").expect("sent");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        let mut rest = [0; 1 << 16];
        let mut length = stream.read(&mut rest).expect("the rest");
        while !rest[..length].ends_with(b"}") {
            length = stream.read(&mut rest).expect("the rest");
        }
        String::from_utf8_lossy(&answer[9..]).into_owned()
    };
    let known = format!("types HTTP/1.1\r\n{KEY}");
    let mut first = open(&gateway.public, b"");
    assert_eq!(ask(&mut first, &known), "200");
    let mut anonymous = [open(&gateway.public, b""), open(&gateway.public, HALF)];
    assert_eq!(ask(&mut anonymous[0], "types HTTP/1.1"), "401");
    // All three are open, and each of these takes the place of one that proved nobody.
    let mut second = open(&gateway.public, b"");
    let mut third = open(&gateway.public, b"");
    assert_eq!(ask(&mut second, &known), "200");
    assert_eq!(ask(&mut third, &known), "200");
    assert_eq!(ask(&mut first, &known), "200");
    for stream in anonymous {
        closed(stream);
    }
}

/// Otherwise some connections that ask for ever, and prove nobody, would hold the listener.
#[test]
fn requests_without_a_credential_hold_no_connection() {
    let gateway = Gateway::start(&LASTING.replace(
        "max_connections: 8, max_connections_per_client: 3",
        "max_connections: 3, max_connections_per_client: 8",
    ));
    let mut anonymous: Vec<_> = (0..3).map(|_| open(&gateway.public, b"")).collect();
    let known = format!("GET /crm/notification/types HTTP/1.1\r\nHost: x\r\n{KEY}\r\n\r\n");
    let mut honest = open(&gateway.public, known.as_bytes());
    honest.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    let mut answer = [0; 12];
    until("answered", || {
        for stream in &mut anonymous {
            let _ = stream.write_all(b"GET /crm/notification/types HTTP/1.1\r\nHost: x\r\n\r\n");
        }
        honest.read_exact(&mut answer).is_ok()
    });
    assert_eq!(&answer[9..], b"200");
}

/// What an honest request waits for is not held against it.
#[test]
fn a_request_that_is_authenticated_is_left_alone_however_long_it_takes() {
    let gateway = Gateway::start(&LASTING.replace(
        "max_connections: 8, max_connections_per_client: 3",
        "max_connections: 2, max_connections_per_client: 8",
    ));
    let body = r#"{"user_id": 1, "type": "custom", "title": "t"}"#;
    let length = body.len();
    let head = format!(
        "POST /crm/notification/send HTTP/1.1\r\nHost: x\r\n{KEY}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut slow = [(); 2].map(|()| open(&gateway.public, head.as_bytes()));
    let waits = open(&gateway.public, b"GET /crm/notification/types HTTP/1.1\r\nHost: x\r\n\r\n");
    waits.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    // Longer than any connection is left alone that authenticated nobody.
    assert!((&waits).read_exact(&mut [0; 12]).is_err(), "no connection made room");
    for stream in &mut slow {
        stream.write_all(body.as_bytes()).expect("sent");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer[9..], b"404");
    }
}

#[test]
fn a_head_is_bounded_in_all() {
    let gateway = Gateway::start(LASTING);
    let long = |bytes: usize| {
        let lines: Vec<_> = (0..bytes / 1_000).map(|n| format!("X-Line-{n}: {}", "x".repeat(985))).collect();
        let mut head = vec!["GET /crm/notification/types HTTP/1.1", KEY];
        head.extend(lines.iter().map(String::as_str));
        exchange(&gateway.public, &head, b"").0
    };
    assert_eq!((long(14_000), long(17_000)), (200, 431));
}

#[tokio::test]
async fn a_missing_credential_counts_as_a_failed_one() {
    let gateway = Gateway::start(LASTING);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(gateway.api().get("/types").await.status);
    }
    assert_eq!((statuses[0], statuses[1]), (401, 401));
    assert!(statuses[2..].contains(&429), "{statuses:?}");
    gateway.api().key(&KEY["X-API-KEY: ".len()..]).get("/types").await.expect(200);
    gateway.stop();
}
