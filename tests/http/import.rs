//! `POST /crm/notification/users/import`.

use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::support::{Answer, Api, Gateway, api::ask, raw::send_then_read, settings::*};

async fn import(api: &Api, lines: impl Into<Body>) -> Answer {
    let request = api.request(Method::POST, "/users/import").header("Content-Type", "application/x-ndjson");
    ask(request.body(lines)).await
}

fn results(answer: &Answer) -> Vec<Value> {
    answer.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn each_line_has_its_result_in_order() {
    let (a, b, known) = (fresh_id(), fresh_id(), fresh_user().await);
    let lines = format!(
        "{{\"user_id\":{a},\"display_name\":\"A\",\"locale\":null}}\n\n{{\"user_id\":{b}}}\r\n{{\"user_id\":{known},\"locale\":\"fr\"}}\n\
         {{\"display_name\":\"nobody\"}}\nnot json\n{{\"user_id\":{b},\"locale\":\"de_CH\"}}\n{{\"user_id\":0}}\n{{\"user_id\":{b}}}"
    );
    let answer = import(&with_key(ADMIN), lines).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let results = results(&answer);
    let reason = |n: usize| results[n]["reason"].as_str().expect("text").to_owned();
    let success = |line: i64, user: i64, created: bool| json!({"line": line, "result": "Success", "user_id": user, "created": created});
    assert_eq!(answer.text.lines().next(), Some(success(1, a, true).to_string().as_str()), "keys in order");
    assert_eq!(results[1], success(3, b, true));
    assert_eq!(results[2], success(4, known, false));
    assert_eq!(results[3], json!({"line": 5, "result": "Failed", "reason": "user_id is required"}));
    assert!(reason(4).starts_with("Malformed JSON: "), "{}", reason(4));
    assert_eq!((&results[5]["line"], &results[5]["user_id"]), (&json!(7), &json!(b)));
    assert!(reason(5).starts_with("locale must"), "{}", reason(5));
    assert_eq!(reason(6), "user_id must be between 1 and 9007199254740991");
    assert_eq!(results[7], success(9, b, false), "the last line needs no end");
    assert_eq!(results.len(), 8);
    let user = with_key(READER).get(&format!("/users/{a}")).await.expect(200).json();
    assert_eq!(user["user"]["display_name"], "A");
}

#[tokio::test]
async fn results_stream_while_the_body_is_still_being_sent() {
    let (mut writer, reader) = tokio::io::duplex(1024);
    let body = Body::wrap_stream(reader_stream(reader));
    let api = with_key(ADMIN);
    writer.write_all(format!("{{\"user_id\":{}}}\n", fresh_id()).as_bytes()).await.expect("taken");
    let request = api.request(Method::POST, "/users/import").header("Content-Type", "application/x-ndjson");
    let patience = std::time::Duration::from_secs(60);
    let mut response =
        timeout(patience, request.body(body).send()).await.expect("in time").expect("an answer");
    let first =
        timeout(patience, response.chunk()).await.expect("in time").expect("sound").expect("a result");
    assert!(first.starts_with(b"{\"line\":1,\"result\":\"Success\""));
    writer.write_all(format!("{{\"user_id\":{}}}\n", fresh_id()).as_bytes()).await.expect("taken");
    drop(writer);
    let rest = response.text().await.expect("the rest");
    assert!(rest.starts_with("{\"line\":2,\"result\":\"Success\""), "{rest}");
}

fn reader_stream(
    reader: tokio::io::DuplexStream,
) -> impl futures_util::Stream<Item = std::io::Result<Vec<u8>>> + Send {
    use tokio::io::AsyncReadExt;
    futures_util::stream::unfold(reader, |mut reader| async move {
        let mut some = vec![0; 1024];
        let read = reader.read(&mut some).await.expect("in memory");
        some.truncate(read);
        (read > 0).then_some((Ok(some), reader))
    })
}

#[tokio::test]
async fn many_lines_are_all_imported() {
    // More than a body of any other operation may have.
    let ids: Vec<i64> = (0..3_000).map(|_| fresh_id()).collect();
    let pad = "x".repeat(100);
    let lines: String =
        ids.iter().map(|id| format!("{{\"user_id\":{id},\"display_name\":\"{pad}\"}}\n")).collect();
    assert!(lines.len() > 300_000);
    let answer = import(&with_key(ADMIN), lines).await.expect(200);
    let results = results(&answer);
    assert_eq!(results.len(), ids.len());
    for (n, (result, id)) in results.iter().zip(&ids).enumerate() {
        assert_eq!(*result, json!({"line": n + 1, "result": "Success", "user_id": id, "created": true}));
    }
}

#[tokio::test]
async fn an_endless_line_ends_the_import() {
    let (first, last) = (fresh_id(), fresh_id());
    let lines = format!("{{\"user_id\":{first}}}\n{}\n{{\"user_id\":{last}}}\n", "x".repeat(20_000));
    let results = results(&import(&with_key(ADMIN), lines).await.expect(200));
    assert_eq!(results[0]["result"], "Success");
    assert_eq!(results[1]["reason"], "The line is too long; the import ends here");
    assert_eq!(results.len(), 2);
}

#[tokio::test]
async fn who_may_not_or_sends_something_else_is_refused() {
    let line = "{\"user_id\":1}\n";
    import(&with_key(SENDER), line).await.failed(403, "Permission user.manage is required");
    import(&shared(), line).await.unauthorized("Authentication required");
    let json = with_key(ADMIN).post_text("/users/import", line).await;
    let answer = json.expect(415);
    let reason = answer.json()["reason"].as_str().expect("text").to_owned();
    assert_eq!(reason, "Content-Type must be application/x-ndjson");
}

#[tokio::test]
async fn a_client_may_send_all_before_it_reads() {
    // Some 10 MB of results, more than sockets hold, while nothing is read. Lines that fail cost no commit.
    let key = "k".repeat(60);
    let lines = format!("{{\"{key}\":1,\"{key}\":2}}\n").repeat(60_000);
    let request = format!(
        "POST /crm/notification/users/import HTTP/1.1\r\nHost: x\r\nX-API-KEY: {ADMIN}\r\n\
         Content-Type: application/x-ndjson\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{lines}",
        lines.len()
    );
    let answer = send_then_read(&SHARED.public, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{}", answer.lines().next().unwrap_or_default());
    assert_eq!(answer.matches("stands twice").count(), 60_000);
}

#[tokio::test]
async fn each_line_costs_one_request_of_the_rate_limit() {
    let gateway = Gateway::start(
        "api_keys: {import-key-000000000000000000000000001: {roles: [admin], rate_limit: {per_second: 1, burst: 60}}}",
    );
    let api = gateway.api().key("import-key-000000000000000000000000001");
    let lines = |count: i64| (1..=count).map(|id| format!("{{\"user_id\":{id}}}\n")).collect::<String>();
    let start = std::time::Instant::now();
    let imported = import(&api, lines(63)).await.expect(200);
    assert_eq!(results(&imported).len(), 63);
    assert!(start.elapsed().as_secs() >= 1, "what is beyond the burst waits");
    gateway.stop();
}

#[tokio::test]
async fn an_import_that_the_rate_limit_slows_down_leaves_memory_to_its_tenant() {
    use tokio::{io::AsyncReadExt, net::TcpStream};
    let gateway = Gateway::start(
        "{server: {request_timeout: 60s, max_body_memory: 16777216}, tenants: {default: {users: open}}, api_keys: {\
         import-key-000000000000000000000000000001: {roles: [admin], rate_limit: {per_second: 1, burst: 1}}, \
         sender-key-000000000000000000000000000001: {roles: [admin]}}}",
    );
    let mut import = TcpStream::connect(&gateway.public["http://".len()..]).await.expect("it listens");
    let lines =
        (1..=10_000).map(|id| format!("{{\"user_id\":{id},\"display_name\":\"{}\"}}\n", "x".repeat(60)));
    let lines: String = lines.collect();
    let head = format!(
        "POST /crm/notification/users/import HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n\
         X-API-KEY: import-key-000000000000000000000000000001\r\nContent-Length: {}\r\n\r\n",
        lines.len()
    );
    import.write_all(head.as_bytes()).await.expect("sent");
    import.write_all(&lines.as_bytes()[..100_000]).await.expect("sent");
    let mut start = [0; 12];
    timeout(std::time::Duration::from_secs(60), import.read_exact(&mut start))
        .await
        .expect("in time")
        .expect("read");
    assert_eq!(&start, b"HTTP/1.1 200");
    // Half of the 16 MiB is what the results of an import may come to.
    let large = json!({"user_id": 1, "type": "custom", "title": "t", "message": "x".repeat(9_000)});
    gateway.api().key("sender-key-000000000000000000000000000001").send(&large).await.expect(201);
    drop(import);
    gateway.stop();
}
