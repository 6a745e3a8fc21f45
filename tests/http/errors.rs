//! Failures that every operation shares: JSON, sizes, paths, methods, and which of two answers first.

use reqwest::{Body, Method};
use serde_json::json;

use crate::support::{api::ask, raw::exchange, settings::*};

const TOO_LARGE: &str = r#"{"result":"Failed","reason":"The body is too large"}"#;

#[tokio::test]
async fn malformed_json_is_told_with_its_place() {
    let api = with_key(SENDER);
    let metadata =
        |text: &str| format!("{{\"user_id\":1,\"type\":\"custom\",\"title\":\"t\",\n\"metadata\":{text}}}");
    for (body, reason) in [
        (String::new(), "EOF while parsing a value at line 1 column 0"),
        ("{\"user_id\":1,}".into(), "trailing comma at line 1 column 14"),
        ("{\"user_id\":1}\n x".into(), "trailing characters at line 2 column 2"),
        ("{\"user_id\": 01}".into(), "invalid number at line 1 column 14"),
        ("{'user_id': 1}".into(), "key must be a string at line 1 column 2"),
        (
            "{\"user_id\":1,\"user_id\":1}".into(),
            "the key \"user_id\" stands twice in one object at line 1 column 22",
        ),
        // A key is the same key however it is written.
        (
            metadata(r#"{"a":{"b":1,"\u0062":2}}"#),
            "the key \"b\" stands twice in one object at line 2 column 31",
        ),
        (metadata(r#"{"a":"\u0000"}"#), "the character U+0000 is not allowed at line 2 column 24"),
        (metadata(r#"{"\u0000":1}"#), "the character U+0000 is not allowed at line 2 column 20"),
        (metadata(r#"{"a":1e999}"#), "number out of range at line 2 column 21"),
        (
            metadata(r#"{"a":{"$serde_json::private::RawValue":"{}"}}"#),
            "the key \"$serde_json::private::\" is reserved at line 2 column 49",
        ),
        ("{\"title\":\"\\u0000\"}".into(), "the character U+0000 is not allowed at line 1 column 17"),
        ("{\"un\\u0000known\":1}".into(), "the character U+0000 is not allowed at line 1 column 16"),
    ] {
        let answer = api.post_text("/send", body.clone()).await.expect(400);
        assert_eq!(answer.json()["reason"], format!("Malformed JSON: {reason}"), "{body}");
    }
    for body in ["[]", "\"x\"", "7", "null", "true"] {
        api.post_text("/send", body).await.failed(400, "The body must be a JSON object");
    }
    let not_text = b"{\"user_id\":1,\n\"title\":\"\xff\"}".to_vec();
    api.post_text("/send", not_text).await.failed(400, "Malformed JSON: not UTF-8 at line 2 column 10");
    let lone = r#"{"user_id":1,"type":"custom","title":"\ud800"}"#;
    assert!(api.post_text("/send", lone).await.expect(400).text.contains("Malformed JSON: "));
}

#[tokio::test]
async fn deep_nesting_is_refused_wherever_it_stands() {
    let api = with_key(SENDER);
    for place in ["metadata", "unknown"] {
        let body = format!(
            r#"{{"user_id":1,"type":"custom","title":"t","{place}":{}{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let answer = api.post_text("/send", body).await.expect(400);
        assert!(
            answer.json()["reason"]
                .as_str()
                .is_some_and(|r| r.starts_with("Malformed JSON: recursion limit")),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn another_content_type_is_refused() {
    let api = with_key(SENDER);
    let body = json!({"user_id": 999, "type": "custom", "title": "t"}).to_string();
    for sent in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonx"),
        Some("json"),
    ] {
        let request = api.request(Method::POST, "/send").body(body.clone());
        let request = sent.into_iter().fold(request, |request, sent| request.header("Content-Type", sent));
        ask(request).await.failed(415, "Content-Type must be application/json");
    }
    for sent in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.crm+json",
    ] {
        let request = api.request(Method::POST, "/send").header("Content-Type", sent).body(body.clone());
        ask(request).await.failed(404, "User 999 not found");
    }
}

#[tokio::test]
async fn a_body_of_the_limit_passes_and_one_more_byte_does_not() {
    let padded = |bytes: usize| {
        let body = r#"{"user_id":999,"type":"custom","title":"t","pad":""}"#;
        body.replace(r#""pad":"""#, &format!(r#""pad":"{}""#, "x".repeat(bytes - body.len())))
    };
    with_key(SENDER).post_text("/send", padded(262_144)).await.failed(404, "User 999 not found");
    let key = format!("X-API-KEY: {SENDER}");
    let head = ["POST /crm/notification/send HTTP/1.1", &key, "Content-Type: application/json"];
    let body = padded(262_145);
    let told = exchange(&SHARED.public, &[&head[..], &["Content-Length: 262145"]].concat(), body.as_bytes());
    assert_eq!((told.0, told.2.as_str()), (413, TOO_LARGE));
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let told =
        exchange(&SHARED.public, &[&head[..], &["Transfer-Encoding: chunked"]].concat(), chunked.as_bytes());
    assert_eq!(told.0, 413, "{}", told.2);
    assert!(told.2.contains(TOO_LARGE));
}

/// With only its head sent, what is refused before the body is read is answered all the same.
#[test]
fn credential_permission_and_content_type_answer_before_the_body_is_read() {
    let post = "POST /crm/notification/send HTTP/1.1";
    let (length, json, text) =
        ("Content-Length: 200000", "Content-Type: application/json", "Content-Type: text/plain");
    let key = |key: &str| format!("X-API-KEY: {key}");
    for (head, status, body) in [
        ([post, length, text, ""], 401, r#"{"message":"Authentication required"}"#),
        ([post, length, text, &key(UNKNOWN)], 401, r#"{"message":"Invalid API key"}"#),
        (
            [post, length, text, &key(READER)],
            403,
            r#"{"result":"Failed","reason":"Permission notification.send is required"}"#,
        ),
        (
            [post, length, json, &key(READER)],
            403,
            r#"{"result":"Failed","reason":"Permission notification.send is required"}"#,
        ),
        (
            [post, length, text, &key(SENDER)],
            415,
            r#"{"result":"Failed","reason":"Content-Type must be application/json"}"#,
        ),
    ] {
        let head: Vec<_> = head.into_iter().filter(|line| !line.is_empty()).collect();
        let told = exchange(&SHARED.public, &head, b"");
        assert_eq!((told.0, told.2.as_str()), (status, body), "{head:?}");
    }
}

#[tokio::test]
async fn the_body_as_a_whole_comes_before_its_fields() {
    let api = with_key(SENDER);
    // Too large and malformed.
    let key = format!("X-API-KEY: {SENDER}");
    let head = [
        "POST /crm/notification/send HTTP/1.1",
        &key,
        "Content-Type: application/json",
        "Content-Length: 262145",
    ];
    assert_eq!(exchange(&SHARED.public, &head, &[b'x'; 262_145]).0, 413);
    // Malformed and without its required fields.
    let answer = api.post_text("/send", "{\"title\":1,}").await.expect(400);
    assert!(answer.json()["reason"].as_str().is_some_and(|r| r.starts_with("Malformed JSON: ")));
}

#[tokio::test]
async fn what_is_nowhere_is_not_found() {
    let api = with_key(ADMIN);
    for path in [
        "/",
        "/crm",
        "/crm/notification/a/b",
        "/crm/notification/users/1/inbox",
        "/crm/notifications",
        "/metrics",
        "/healthz",
        "/readyz",
        "/CRM/notification/send",
        "/crm/notification/types/custom",
    ] {
        ask(api.request_at(Method::GET, path)).await.failed(404, "No such path");
    }
    let reason = "The id in the path must be between 1 and 9007199254740991";
    ask(as_user(1).request(Method::DELETE, "/%FF")).await.failed(400, reason);
    ask(shared().request_at(Method::POST, "/nowhere").body("x")).await.failed(404, "No such path");
}

#[tokio::test]
async fn another_method_is_told_those_that_are_allowed() {
    for (method, path, allow) in [
        (Method::GET, "/send", "POST"),
        (Method::DELETE, "/send", "POST"),
        (Method::POST, "", "GET, HEAD"),
        (Method::POST, "/unread-count", "GET, HEAD"),
        (Method::GET, "/mark-all-read", "POST"),
        (Method::PUT, "/7/mark-read", "POST"),
        (Method::GET, "/7", "DELETE"),
        (Method::PATCH, "/users/7", "PUT, GET, DELETE, HEAD"),
        (Method::POST, "/users", "GET, HEAD"),
        (Method::OPTIONS, "/types", "GET, HEAD"),
        (Method::POST, "/openapi.json", "GET, HEAD"),
        (Method::POST, "/docs", "GET, HEAD"),
    ] {
        let answer = ask(with_key(ADMIN).request(method.clone(), path)).await;
        let answer = answer.failed(405, &format!("Method not allowed; use {allow}"));
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let user = fresh_user().await;
    for path in ["/", "/unread-count", "/types", "/openapi.json", "/docs/"] {
        let answer = ask(as_user(user).request(Method::HEAD, path)).await.expect(200);
        assert_eq!(answer.text, "");
        assert!(!answer.header("x-request-id").is_empty());
    }
    ask(shared().request(Method::HEAD, "/")).await.expect(401);
}

#[tokio::test]
async fn every_answer_has_its_requests_id() {
    let with_id = |id: &'static str| shared().request(Method::GET, "/types").header("X-Request-Id", id);
    for id in ["a", "req-1_2.3", "0123456789012345678901234567890123456789012345678901234567890123"] {
        assert_eq!(ask(with_id(id)).await.expect(401).header("x-request-id"), id);
    }
    let long = "01234567890123456789012345678901234567890123456789012345678901234";
    for id in ["", "with space", "<script>", "ü", long] {
        let given = ask(with_id(id)).await.header("x-request-id").to_owned();
        assert!(given.len() == 24 && given.bytes().all(|b| b.is_ascii_hexdigit()), "{id}: {given}");
    }
    let (one, two) = (with_key(SENDER).get("/types").await, with_key(SENDER).get("/types").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_send() {
    let user = fresh_user().await;
    let part = format!(r#"{{"user_id":{user},"type":"custom","title":"t"}}"#);
    let broken = futures_util::stream::iter([Ok(part), Err(std::io::Error::other("gone"))]);
    let request = with_key(SENDER).request(Method::POST, "/send").header("Content-Type", "application/json");
    assert!(request.body(Body::wrap_stream(broken)).send().await.is_err());
    assert_eq!(as_user(user).unread().await, 0);
}

#[test]
fn a_body_that_is_announced_too_long_need_not_come() {
    let key = format!("X-API-KEY: {SENDER}");
    let head = ["POST /crm/notification/send HTTP/1.1", &key, "Content-Type: application/json"];
    let head = [&head[..], &["Content-Length: 99999999999"]].concat();
    let (status, _, body) = exchange(&SHARED.public, &head, b"");
    assert_eq!((status, body.as_str()), (413, TOO_LARGE));
}

#[tokio::test]
async fn an_unknown_name_in_place_of_an_id_is_an_unknown_path() {
    with_key(SENDER).get("/nothing").await.failed(404, "No such path");
    with_key(SENDER).get("/users/nobody/at-all").await.failed(404, "No such path");
}
