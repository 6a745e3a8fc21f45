//! A reader of live streams, as strict as the format allows.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use super::Api;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream.
pub struct Stream {
    response: Response,
    text: String,
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
}

impl Stream {
    /// Opens one, behind an event.
    pub async fn open(api: &Api, last: Option<&str>) -> Self {
        let response = Self::ask(api, last).await;
        assert_eq!(response.status(), 200);
        let header = |name| response.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!((header("cache-control"), header("x-accel-buffering")), ("no-store".into(), "no".into()));
        Self { last: last.map(str::to_owned), ..Self::of(response).await }
    }

    /// What was answered, which begins as every stream does.
    pub async fn of(response: Response) -> Self {
        let mut stream = Self { response, text: String::new(), last: None };
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

    /// The next event; `None` at the stream's end.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let frame = timeout(PATIENCE, self.frame()).await.expect("in time")?;
            if frame.starts_with(':') {
                continue;
            }
            let mut lines = frame.lines();
            let mut field = |name: &str| {
                let line = lines.next().and_then(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("no {name} in {frame:?}")).to_owned()
            };
            let (name, id, data) = (field("event: "), field("id: "), field("data: "));
            assert_eq!(lines.next(), None, "{frame:?}");
            self.last = Some(id.clone());
            return Some(Event { name, id, data: data.parse().expect("JSON") });
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
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let frame = frame.to_owned();
                self.text = rest.to_owned();
                return Some(frame);
            }
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("whole characters"));
        }
    }
}
