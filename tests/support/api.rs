//! A client of the public API, with a credential or without.

use reqwest::{Body, Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::Answer;

/// Everything public stands under it.
pub const PREFIX: &str = "/crm/notification";

/// Asks the gateway at one address, as one principal. Each test makes its own: connections belong to
/// the test's runtime.
#[derive(Clone)]
pub struct Api {
    base: String,
    client: Client,
    credential: Option<(&'static str, String)>,
}

impl Api {
    /// Without a credential.
    pub fn new(base: String) -> Self {
        let client = Client::builder().no_proxy().build().expect("a client");
        Self { base, client, credential: None }
    }

    /// With an API key.
    pub fn key(&self, key: &str) -> Self {
        Self { credential: Some(("X-API-KEY", key.into())), ..self.clone() }
    }

    /// With a bearer token.
    pub fn bearer(&self, token: impl AsRef<str>) -> Self {
        let value = format!("Bearer {}", token.as_ref());
        Self { credential: Some(("Authorization", value)), ..self.clone() }
    }

    /// The gateway's address, and the line of the head that is the credential.
    pub fn raw(&self) -> (&str, String) {
        let credential = self.credential.as_ref();
        let address = self.base.strip_prefix("http://").unwrap_or(&self.base);
        (address, credential.map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default())
    }

    /// A request to a path behind the prefix, to be finished.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_at(method, &format!("{PREFIX}{path}"))
    }

    /// A request to a whole path, to be finished.
    pub fn request_at(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.credential {
            Some((name, value)) => request.header(*name, value),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        ask(self.request(Method::GET, path)).await
    }

    /// A whole path.
    pub async fn get_at(&self, path: &str) -> Answer {
        ask(self.request_at(Method::GET, path)).await
    }

    /// Without a body.
    pub async fn post(&self, path: &str) -> Answer {
        ask(self.request(Method::POST, path)).await
    }

    pub async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, body.to_string()).await
    }

    /// A body that is sent as it stands, as JSON.
    pub async fn post_text(&self, path: &str, body: impl Into<Body>) -> Answer {
        ask(self.request(Method::POST, path).header("Content-Type", "application/json").body(body)).await
    }

    pub async fn put_json(&self, path: &str, body: &Value) -> Answer {
        ask(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        ask(self.request(Method::DELETE, path)).await
    }

    /// Sends this body.
    pub async fn send(&self, body: &Value) -> Answer {
        self.post_json("/send", body).await
    }

    /// Sends a notification of that type and gives its id.
    pub async fn notify_of(&self, kind: &str, user: i64, title: &str) -> i64 {
        self.send(&json!({"user_id": user, "type": kind, "title": title})).await.expect(201).id()
    }

    /// Sends a notification and gives its id.
    pub async fn notify(&self, user: i64, title: &str) -> i64 {
        self.notify_of("custom", user, title).await
    }

    /// The unread count, as the count's own operation tells it.
    pub async fn unread(&self) -> i64 {
        let answer = self.get("/unread-count").await.expect(200);
        answer.json()["unread_count"].as_i64().expect("a count")
    }
}

/// Sends a request that is finished.
pub async fn ask(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.expect("an answer")).await
}
