//! Requests as bytes on a connection, for what no well-behaved client sends.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::timeout,
};

/// Sends a whole request before it reads anything, on a connection that holds little unread, and gives the
/// whole answer.
pub async fn send_then_read(base: &str, request: &[u8]) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address = base["http://".len()..].parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("it listens");
    let mut answer = String::new();
    let exchange = async {
        stream.write_all(request).await.expect("all of it is taken");
        stream.read_to_string(&mut answer).await.expect("an answer");
    };
    timeout(Duration::from_secs(60), exchange).await.expect("an answer in time");
    answer
}

/// Sends a head (lines without their ends, the request line first) and then these bytes, and gives the
/// status, the answer's head in lower case, and its body.
pub fn exchange(base: &str, head: &[&str], body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(&base["http://".len()..]).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut request = head.join("\r\n").into_bytes();
    request.extend_from_slice(b"\r\nHost: test\r\nConnection: close\r\n\r\n");
    request.extend_from_slice(body);
    let mut writer = stream.try_clone().expect("a second handle");
    let writing = thread::spawn(move || {
        // The gateway may answer and close before it has read all.
        let _ = writer.write_all(&request);
    });
    let mut answer = Vec::new();
    // The same holds for the end of its answer.
    let _ = stream.read_to_end(&mut answer);
    let _ = stream.shutdown(Shutdown::Both);
    writing.join().expect("written");
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_ascii_lowercase(), body.to_owned())
}
