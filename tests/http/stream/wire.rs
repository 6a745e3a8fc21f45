//! How a stream's answer stands on its connection.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use serde_json::json;

use super::bounds::{KEY, gateway, metric, own, slow};
use crate::support::{Gateway, api::PREFIX, gateway::until_async, raw::exchange};

/// Opens a connection and writes requests, each with a line of HTTP and the user's credential.
async fn write(gateway: &Gateway, requests: &[&str]) -> TcpStream {
    let api = own(gateway, 1);
    let (address, credential) = api.raw();
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let text: String = requests
        .iter()
        .map(|line| {
            let (method, rest) = line.split_once(' ').expect("a method");
            format!("{method} {PREFIX}{rest}\r\nHost: test\r\n{credential}\r\n")
        })
        .collect();
    stream.write_all(text.as_bytes()).await.expect("sent");
    stream
}

/// Reads until a text has come.
async fn read_to(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&text).contains(end) {
            assert!(stream.read_buf(&mut text).await.expect("an answer") > 0, "it ended");
        }
    };
    timeout(Duration::from_secs(20), read).await.expect("it comes");
    String::from_utf8(text).expect("text")
}

async fn none_is_open(gateway: &Gateway) {
    until_async("free", async || metric(gateway, "bellboard_streams_open ").await == 0.0).await;
}

#[tokio::test]
async fn who_asks_for_the_head_gets_that_alone() {
    let gateway = gateway("{}");
    let credential = own(&gateway, 1).raw().1;
    let head = [&format!("HEAD {PREFIX}/stream HTTP/1.1"), credential.trim_end()];
    let (status, head, body) = exchange(&gateway.public, &head, b"");
    assert_eq!((status, body.as_str()), (200, ""));
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    none_is_open(&gateway).await;
    gateway.stop();
}

#[tokio::test]
async fn it_follows_the_answers_before_it_and_ends_its_connection() {
    let gateway = gateway("{}");
    let requests = ["GET /unread-count HTTP/1.1", "GET /stream HTTP/1.1", "GET /unread-count HTTP/1.1"];
    let mut stream = write(&gateway, &requests).await;
    let text = read_to(&mut stream, "event: ready").await;
    let (first, second) = text
        .split_once("HTTP/1.1 200 OK\r\n")
        .expect("two")
        .1
        .split_once("HTTP/1.1 200 OK\r\n")
        .expect("two");
    assert!(first.contains("unread_count"), "{text}");
    assert!(second.contains("transfer-encoding: chunked") && second.contains("connection: close"), "{text}");
    drop(stream);
    none_is_open(&gateway).await;
    gateway.stop();
}

#[tokio::test]
async fn a_reader_that_knows_no_chunks_gets_none() {
    let gateway = gateway("{}");
    let mut stream = write(&gateway, &["GET /stream HTTP/1.0"]).await;
    let text = read_to(&mut stream, "\n\n").await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert!(body.starts_with("retry: 2000\n\n"), "{body:?}");
    gateway.signal("TERM");
    let mut rest = String::new();
    timeout(Duration::from_secs(20), stream.read_to_string(&mut rest)).await.expect("it ends").expect("text");
    assert!(!rest.contains("\r\n"), "{rest:?}");
}

#[tokio::test]
async fn who_talks_on_is_not_listened_to_for_ever() {
    let gateway = gateway("{}");
    let mut stream = write(&gateway, &["GET /stream HTTP/1.1"]).await;
    read_to(&mut stream, "event: ready").await;
    stream.write_all(&[b'x'; 8_192]).await.expect("sent");
    none_is_open(&gateway).await;
    gateway.stop();
}

#[tokio::test]
async fn an_answer_that_breaks_off_at_a_stop_does_not_look_whole() {
    let gateway = gateway("{}");
    let mut slow = slow(&gateway).await;
    // More than the system keeps for who reads nothing: the last of it waits to be written.
    let (key, message) = (gateway.api().key(KEY), "x".repeat(100_000));
    for _ in 0..80 {
        let one = json!({"user_id": 1, "type": "custom", "title": "t", "message": message});
        key.send(&one).await.expect(201);
    }
    // Nothing is read before the stop, or the piece that waits would still be written to its end.
    gateway.stop();
    let mut rest = Vec::new();
    // It ends, or is cut off.
    let _ = timeout(Duration::from_secs(20), slow.read_to_end(&mut rest)).await.expect("it ends");
    assert!(rest.len() < 80 * message.len(), "all was written before");
    let tail = String::from_utf8_lossy(&rest[rest.len() - 20..]).into_owned();
    assert!(!tail.ends_with("0\r\n\r\n"), "{tail:?}");
}
