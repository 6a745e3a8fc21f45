//! Clients that hang up once their request is written: it is done or not, but nothing stale is left.

use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{Page, Person};
use crate::support::Dice;

const ROUNDS: i64 = 60;

/// Writes a request and closes the connection, at once or a little later.
async fn hang_up(base: &str, request: reqwest::RequestBuilder, dice: &mut Dice) {
    let request = request.build().expect("a request");
    let mut bytes = format!("{} {} HTTP/1.1\r\nHost: test\r\n", request.method(), request.url().path());
    let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default();
    for (name, value) in request.headers() {
        bytes += &format!("{name}: {}\r\n", value.to_str().expect("text"));
    }
    bytes += &format!("Content-Length: {}\r\n\r\n{}", body.len(), String::from_utf8_lossy(body));
    let mut stream = TcpStream::connect(&base["http://".len()..]).await.expect("it listens");
    stream.write_all(bytes.as_bytes()).await.expect("written");
    for _ in 0..dice.roll(4) {
        tokio::time::sleep(std::time::Duration::from_micros(300)).await;
    }
}

/// What was sent may come at any time, so that counts only grow: each lies between its neighbours.
pub async fn sending(person: Person, base: String) {
    let mut dice = Dice::new(person.id.cast_unsigned());
    for _ in 0..ROUNDS {
        let body = json!({"user_id": person.id, "type": "note", "title": "t"});
        let request = person.key.request(reqwest::Method::POST, "/send").json(&body);
        hang_up(&base, request, &mut dice).await;
        let before = person.own.unread().await;
        let listed = Page::of(&person, "").await.unread;
        let after = person.own.unread().await;
        assert!(before <= listed && listed <= after, "{before}, {listed}, {after}");
    }
    assert!(person.own.unread().await > 0, "some were taken");
}

/// The same downwards.
pub async fn reading(person: Person, base: String) {
    let mut dice = Dice::new(person.id.cast_unsigned());
    let mut ids = Vec::new();
    for _ in 0..ROUNDS {
        ids.push(person.send(json!({})).await);
    }
    for id in ids {
        let request = match dice.roll(2) {
            0 => person.own.request(reqwest::Method::POST, &format!("/{id}/mark-read")),
            _ => person.own.request(reqwest::Method::DELETE, &format!("/{id}")),
        };
        hang_up(&base, request, &mut dice).await;
        let before = person.own.unread().await;
        let listed = Page::of(&person, "").await.unread;
        let after = person.own.unread().await;
        assert!(before >= listed && listed >= after, "{before}, {listed}, {after}");
    }
    assert!(person.own.unread().await < ROUNDS, "some were taken");
}
