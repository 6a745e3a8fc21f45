//! An answer of the gateway, and the shapes that every failure has.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::stream::Stream;

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// Reads a response to its end, and a stream up to its first event, as JSON.
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if headers.get("content-type").is_some_and(|kind| kind == "text/event-stream") {
            return Stream::first(status, headers, response).await;
        }
        let text = response.text().await.expect("a whole answer");
        Self { status, headers, text }
    }

    /// A header's text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("printable"))
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("not JSON ({e}): {self:?}"))
    }

    /// The same answer, which must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// A failure of any kind but a 401, to the letter.
    #[track_caller]
    pub fn failed(self, status: u16, reason: &str) -> Self {
        self.body(status, &json!({"result": "Failed", "reason": reason}))
    }

    /// A 401, to the letter.
    #[track_caller]
    pub fn unauthorized(self, message: &str) -> Self {
        let answer = self.body(401, &json!({ "message": message }));
        assert!(!answer.header("www-authenticate").is_empty(), "a 401 says how to authenticate: {answer:?}");
        answer
    }

    /// This status and exactly the bytes of this JSON, keys in their order.
    #[track_caller]
    pub fn body(self, status: u16, body: &Value) -> Self {
        assert_eq!((self.status, self.text.as_str()), (status, body.to_string().as_str()));
        assert_eq!(self.header("content-type"), "application/json");
        assert!(!self.header("x-request-id").is_empty(), "every answer has its request's id");
        self
    }

    /// The ids of a list's notifications, in its order.
    #[track_caller]
    pub fn ids(&self) -> Vec<i64> {
        let body = self.json();
        let list = body["notifications"].as_array().unwrap_or_else(|| panic!("no list: {body}"));
        list.iter().map(|n| n["notification_id"].as_i64().expect("an id")).collect()
    }

    /// The id of the one notification.
    #[track_caller]
    pub fn id(&self) -> i64 {
        self.json()["notification"]["notification_id"].as_i64().unwrap_or_else(|| panic!("no id: {self:?}"))
    }
}
