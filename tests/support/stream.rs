//! A reader of live streams, as strict as the format allows.
//!
//! On a connection of its own, which is closed with this value: a client of HTTP may notice only with the next byte that
//! nobody reads an answer any more.

use std::time::Duration;

use reqwest::{Method, Response, header::HeaderMap};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{Answer, Api, api::PREFIX};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open stream.
pub struct Stream {
    source: TcpStream,
    /// What came of the body: in chunks, then as text.
    chunks: Vec<u8>,
    text: Vec<u8>,
    /// The id of the last event.
    pub last: Option<String>,
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: String,
    pub data: Value,
}

impl Event {
    /// The unread count that it tells.
    pub fn unread(&self) -> i64 {
        self.data["unread_count"].as_i64().expect("a count")
    }

    /// The id of the notification that it is about.
    pub fn about(&self) -> i64 {
        let own = [&self.data["notification_id"], &self.data["up_to"]];
        let own = own.into_iter().find_map(Value::as_i64);
        own.or(self.data["notification"]["notification_id"].as_i64()).expect("a notification")
    }

    /// The event of a frame, unless it is a comment or no event.
    pub fn read(frame: &str) -> Option<Self> {
        let mut lines = frame.strip_prefix("event: ")?.lines();
        let name = lines.next()?.to_owned();
        let id = lines.next()?.strip_prefix("id: ")?.to_owned();
        let data = lines.next()?.strip_prefix("data: ")?.parse().ok()?;
        assert_eq!(lines.next(), None, "{frame:?}");
        Some(Self { name, id, data })
    }
}

impl Stream {
    /// Opens one, behind an event.
    pub async fn open(api: &Api, last: Option<&str>) -> Self {
        let (address, credential) = api.raw();
        let last_line = last.map(|last| format!("Last-Event-ID: {last}\r\n")).unwrap_or_default();
        let head = format!("GET {PREFIX}/stream HTTP/1.1\r\nHost: test\r\n{credential}{last_line}\r\n");
        let mut source = TcpStream::connect(address).await.expect("it listens");
        source.write_all(head.as_bytes()).await.expect("sent");
        let mut stream = Self { source, chunks: Vec::new(), text: Vec::new(), last: last.map(str::to_owned) };
        let end = loop {
            if let Some(end) = position(&stream.chunks, b"\r\n\r\n") {
                break end + 4;
            }
            assert!(stream.more().await, "the head has an end");
        };
        let head = String::from_utf8(stream.chunks.drain(..end).collect()).expect("text").to_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        for line in [
            "content-type: text/event-stream",
            "cache-control: no-store, no-transform",
            "x-accel-buffering: no",
        ] {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "no {line} in {head}");
        }
        assert_eq!(stream.frame().await.as_deref(), Some("retry: 2000"));
        stream
    }

    /// Asks for one, whatever the answer.
    pub async fn ask(api: &Api, last: Option<&str>) -> Response {
        let mut request = api.request(Method::GET, "/stream");
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        request.send().await.expect("an answer")
    }

    /// The first event of a stream, as an answer of JSON.
    pub async fn first(status: u16, headers: HeaderMap, mut response: Response) -> Answer {
        let mut text = String::new();
        loop {
            if let Some(Event { name, id, data }) = text.split("\n\n").find_map(Event::read) {
                let text = serde_json::json!({"event": name, "id": id, "data": data}).to_string();
                return Answer { status, headers, text };
            }
            let chunk = response.chunk().await.expect("it goes on").expect("an event");
            text.push_str(std::str::from_utf8(&chunk).expect("whole characters"));
        }
    }

    /// The next event; `None` at the stream's end.
    pub async fn next(&mut self) -> Option<Event> {
        let end = Instant::now() + PATIENCE;
        loop {
            let frame = timeout_at(end, self.frame()).await.expect("in time")?;
            if !frame.starts_with(':') {
                let event = Event::read(&frame).unwrap_or_else(|| panic!("no event: {frame:?}"));
                self.last = Some(event.id.clone());
                return Some(event);
            }
        }
    }

    /// The next event, of which there must be one.
    pub async fn expect(&mut self, name: &str) -> Event {
        let event = self.next().await.expect("the stream goes on");
        assert_eq!(event.name, name, "{event:?}");
        event
    }

    /// The lines of the next frame; `None` at the end, which is clean or a cut.
    pub async fn frame(&mut self) -> Option<String> {
        loop {
            if let Some(end) = position(&self.text, b"\n\n") {
                let frame: Vec<u8> = self.text.drain(..end + 2).collect();
                return Some(String::from_utf8(frame[..end].to_vec()).expect("text"));
            }
            // A chunk: its length, and so many bytes between two line ends.
            let line = position(&self.chunks, b"\r\n").map(|line| {
                let size = std::str::from_utf8(&self.chunks[..line]).expect("a length");
                (line, usize::from_str_radix(size, 16).expect("a length"))
            });
            match line {
                Some((_, 0)) => return None,
                Some((line, size)) if self.chunks.len() >= line + 2 + size + 2 => {
                    self.text.extend_from_slice(&self.chunks[line + 2..line + 2 + size]);
                    self.chunks.drain(..line + 2 + size + 2);
                }
                _ if !self.more().await => return None,
                _ => {}
            }
        }
    }

    /// Reads what comes next; says whether it was anything.
    async fn more(&mut self) -> bool {
        self.source.read_buf(&mut self.chunks).await.is_ok_and(|read| read > 0)
    }
}

fn position(text: &[u8], sought: &[u8]) -> Option<usize> {
    text.windows(sought.len()).position(|window| window == sought)
}
