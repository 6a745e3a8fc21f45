//! Bodies that do not come: nobody holds a connection's request open for ever.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::json;

use crate::support::{Gateway, gateway::until, raw::exchange};

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let gateway = Gateway::start(
        "server: {request_timeout: 1s}\napi_keys: {slow-key-0000000000000000000000000000001: {roles: [admin]}}\n",
    );
    let key = "X-API-KEY: slow-key-0000000000000000000000000000001";
    let head =
        ["POST /crm/notification/send HTTP/1.1", key, "Content-Type: application/json", "Content-Length: 50"];
    let (status, _, body) = exchange(&gateway.public, &head, b"{\"user_id\":1,");
    assert_eq!(
        (status, body.as_str()),
        (400, r#"{"result":"Failed","reason":"The body took too long to come"}"#)
    );

    let head = [
        "POST /crm/notification/users/import HTTP/1.1",
        key,
        "Content-Type: application/x-ndjson",
        "Content-Length: 50",
    ];
    let (status, _, body) = exchange(&gateway.public, &head, b"{\"user_id\":1}\n{\"user_");
    assert_eq!(status, 200);
    assert!(body.contains(r#"{"line":1,"result":"Success","user_id":1,"created":true}"#), "{body}");
    assert!(
        body.contains(
            r#"{"line":2,"result":"Failed","reason":"The line took too long to come; the import ends here"}"#
        ),
        "{body}"
    );
    gateway.stop();
}

const ROOM: &str = r#"
server: {request_timeout: 60s, max_body_memory: 16777216}
limits: {body_bytes: 8388608}
tenants: {default: {users: open}, quiet: {users: open}}
api_keys:
  noisy-key-00000000000000000000000000001: {roles: [admin]}
  quiet-key-00000000000000000000000000001: {roles: [admin], tenant: quiet}
"#;

#[tokio::test]
async fn bodies_that_are_held_open_leave_room_for_other_tenants() {
    let gateway = Gateway::start(ROOM);
    let head = "POST /crm/notification/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                X-API-KEY: noisy-key-00000000000000000000000000001\r\nContent-Length: 8000000\r\n\r\n";
    let part = vec![b' '; 5_000_000];
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(&gateway.public["http://".len()..]).expect("it listens");
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(&part).expect("sent");
        held.push(stream);
    }
    // Half of the room is 8 MiB, so one of the two is refused, at the latest when all of it has come.
    let mut first = [0; 16];
    until("refused", || {
        held.iter().any(|stream| {
            stream.set_nonblocking(true).expect("set");
            stream.peek(&mut first).is_ok_and(|read| read == first.len())
        })
    });
    assert_eq!(&first[..12], b"HTTP/1.1 503");
    let large =
        |user: i64| json!({"user_id": user, "type": "custom", "title": "t", "more": "x".repeat(6_000_000)});
    let noisy = gateway.api().key("noisy-key-00000000000000000000000000001");
    let busy = noisy.send(&large(1)).await.failed(503, "The service is busy; try again");
    assert_eq!(busy.header("retry-after"), "1");
    noisy.notify(1, "small ones are taken").await;
    let quiet = gateway.api().key("quiet-key-00000000000000000000000000001");
    quiet.send(&large(1)).await.expect(201);
    drop(held);
    let mut status = 503;
    while status == 503 {
        status = noisy.send(&large(1)).await.status;
    }
    assert_eq!(status, 201, "room again");
    gateway.stop();
}

#[tokio::test]
async fn imports_that_are_held_open_leave_room_for_other_tenants() {
    let gateway = Gateway::start(ROOM);
    let import = |key: &str| {
        let mut stream = TcpStream::connect(&gateway.public["http://".len()..]).expect("it listens");
        let head = format!(
            "POST /crm/notification/users/import HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n\
             X-API-KEY: {key}-key-00000000000000000000000000001\r\nContent-Length: 1000000\r\n\r\n{{\"user_id\":1}}\n"
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer, though not all has come");
        (stream, String::from_utf8_lossy(&answer).into_owned())
    };
    let (first, answer) = import("noisy");
    assert_eq!(answer, "HTTP/1.1 200");
    assert_eq!(import("noisy").1, "HTTP/1.1 503");
    assert_eq!(import("quiet").1, "HTTP/1.1 200");
    drop(first);
    until("free again", || import("noisy").1 == "HTTP/1.1 200");
    gateway.stop();
}
