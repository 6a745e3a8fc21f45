//! `POST /crm/notification/send-batch`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Api, Gateway, api::ask, settings::*};

fn note(user: i64) -> Value {
    json!({"user_id": user, "type": "custom", "title": "t"})
}

async fn batch(api: &Api, items: &[Value]) -> Answer {
    api.post_json("/send-batch", &json!({ "items": items })).await
}

fn unknown_user() -> Value {
    json!({"status": 404, "reason": "User 999 not found", "code": "user_not_found"})
}

fn withheld() -> Value {
    json!({"status": 424, "reason": "Not stored, as another item cannot be", "code": "withheld"})
}

fn no_title() -> Value {
    let problem = json!({"code": "required", "field": "/title", "detail": "title is required"});
    json!({"status": 400, "reason": "title is required", "code": "invalid_fields", "problems": [problem]})
}

/// Each item's status.
fn statuses(answer: &Answer) -> Vec<i64> {
    let body = answer.json();
    let results = body["results"].as_array().unwrap_or_else(|| panic!("no results: {body}"));
    results.iter().map(|result| result["status"].as_i64().expect("a status")).collect()
}

#[tokio::test]
async fn each_item_is_answered_as_a_send_of_it_alone() {
    let (one, two) = (fresh_user().await, fresh_user().await);
    let api = with_key(SENDER);
    let ticket = json!({"user_id": one, "type": "ticket_mention", "title": "Look", "related_ticket_id": 42,
        "related_user_id": 5, "metadata": {"z": 1.5, "a": [1]}, "message": "m"});
    let items = [ticket.clone(), note(two), note(999), note(one)];
    let answer = batch(&api, &items).await.expect(200);
    assert_eq!(statuses(&answer), [201, 201, 404, 201]);
    let told = answer.json();
    assert_eq!((&told["result"], &told["sent"], &told["failed"]), (&"Success".into(), &3.into(), &1.into()));
    assert_eq!(told["results"][2], unknown_user());

    let single = api.send(&ticket).await.expect(201).json()["notification"].clone();
    let mut item = told["results"][0]["notification"].clone();
    item["notification_id"] = single["notification_id"].clone();
    item["created_at"] = single["created_at"].clone();
    assert_eq!(item.to_string(), single.to_string());
    let id =
        |place: usize| told["results"][place]["notification"]["notification_id"].as_i64().expect("an id");
    assert_eq!(as_user(two).get("/").await.ids(), [id(1)]);
    assert_eq!(as_user(one).get("/").await.ids()[1..], [id(3), id(0)]);
    assert_eq!(as_user(one).unread().await, 3);
}

#[tokio::test]
async fn one_notification_goes_to_many_users() {
    let users = [fresh_user().await, fresh_user().await, fresh_user().await];
    let sent = json!({"user_ids": users, "type": "custom", "title": "Down tonight", "metadata": {"a": 1}});
    let answer = with_key(SENDER).post_json("/send-batch", &sent).await.expect(200);
    assert_eq!(statuses(&answer), [201, 201, 201]);
    for (place, user) in users.into_iter().enumerate() {
        let told = &answer.json()["results"][place]["notification"];
        assert_eq!((&told["user_id"], &told["metadata"]), (&user.into(), &json!({"a": 1})));
        let list = as_user(user).get("/").await;
        assert_eq!(list.ids(), [told["notification_id"].as_i64().expect("an id")]);
        assert_eq!(list.json()["notifications"][0]["title"], "Down tonight");
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_item_is_told_of_it_alone() {
    let user = fresh_user().await;
    let long = json!({"user_id": user, "type": "custom", "title": "x".repeat(256)});
    let link = json!({"user_id": user, "type": "custom", "title": "t", "link": "javascript:alert(1)"});
    let items = [
        json!({"user_id": user, "type": "custom"}),
        json!(7),
        long,
        link,
        json!({"user_id": user, "type": "nope", "title": "t"}),
        json!({"user_id": "x", "type": "custom", "title": "t"}),
        note(user),
    ];
    let answer = batch(&with_key(SENDER), &items).await.expect(200);
    assert_eq!(statuses(&answer), [400, 400, 400, 400, 400, 400, 201]);
    let told = answer.json();
    let reason = |place: usize| told["results"][place]["reason"].as_str().expect("a reason").to_owned();
    assert_eq!(reason(0), "title is required");
    assert_eq!(reason(1), "An item must be an object");
    assert_eq!(reason(2), "title must be at most 255 characters");
    assert!(reason(3).starts_with("link ") && reason(4).starts_with("type must be one of: "));
    assert_eq!(reason(5), "user_id must be an integer");
    assert_eq!(as_user(user).get("/").await.ids().len(), 1);

    let billing = json!({"user_id": user, "type": "billing_invoice", "title": "t"});
    let answer = batch(&with_key(BILLING), &[billing, note(user)]).await.expect(200);
    assert_eq!(statuses(&answer), [201, 403]);
    let told = answer.json();
    assert_eq!(told["results"][1]["reason"], "This API key may not send the type custom");
}

#[tokio::test]
async fn all_or_nothing_says_which_are_at_fault() {
    let user = fresh_user().await;
    let (api, inbox) = (with_key(SENDER), as_user(user));
    let whole = |items: &[Value]| json!({"items": items, "atomic": true});
    for (bad, result) in
        [(note(999), unknown_user()), (json!({"user_id": user, "type": "custom"}), no_title())]
    {
        let sent = whole(&[note(user), bad, note(user)]);
        let why = format!(
            "Nothing was stored, as 1 of 3 items cannot be; item 1: {}",
            result["reason"].as_str().expect("text")
        );
        let told = json!({"result": "Failed", "reason": why, "results": [withheld(), result, withheld()]});
        api.post_json("/send-batch", &sent).await.body(400, &told);
        assert_eq!((inbox.unread().await, inbox.get("/").await.ids()), (0, vec![]));
    }
    let answer = api.post_json("/send-batch", &whole(&[note(user), note(user)])).await.expect(200);
    assert_eq!(statuses(&answer), [201, 201]);
    assert_eq!(inbox.unread().await, 2);
}

#[tokio::test]
async fn all_or_nothing_tells_every_fault_at_once() {
    let (user, stranger) = (fresh_user().await, fresh_id());
    let nameless = json!({"user_id": user, "type": "custom"});
    let sent = |items: &[&Value]| json!({"items": items, "atomic": true});
    let told = |count: usize, why: &str, results: &[Value]| {
        let reason = format!("Nothing was stored, as {count} of {} items cannot be; {why}", results.len());
        json!({"result": "Failed", "reason": reason, "results": results})
    };
    let items = sent(&[&note(user), &note(999), &nameless, &note(999)]);
    let wanted =
        told(3, "item 1: User 999 not found", &[withheld(), unknown_user(), no_title(), unknown_user()]);
    with_key(SENDER).post_json("/send-batch", &items).await.body(400, &wanted);
    assert_eq!(as_user(user).unread().await, 0);
    // An open directory would have made them.
    let wanted = told(1, "item 1: title is required", &[withheld(), no_title()]);
    let items = sent(&[&note(stranger), &nameless]);
    with_key(OPEN).post_json("/send-batch", &items).await.body(400, &wanted);
}

#[tokio::test]
async fn a_batch_takes_no_idempotency_key() {
    let user = fresh_user().await;
    let request = with_key(SENDER).request(Method::POST, "/send-batch").header("Idempotency-Key", "k");
    let answer = ask(request.json(&json!({"items": [note(user)]}))).await;
    answer.failed(400, "A batch takes no Idempotency-Key: after a lost answer, look before you send again");
    assert_eq!(as_user(user).unread().await, 0);
}

#[tokio::test]
async fn a_body_that_is_no_batch_is_refused() {
    let user = fresh_user().await;
    let api = with_key(SENDER);
    let many = |count: usize| json!({"items": vec![note(user); count]});
    let large = "x".repeat(9_000);
    for (body, reason) in [
        (json!({}), "Give either items or user_ids"),
        (json!({"items": [note(user)], "user_ids": [user]}), "Give either items or user_ids"),
        (json!({"items": [note(user)], "title": "t"}), "type, title and so on stand in each of items"),
        (json!({"items": []}), "items must hold 1 to 1000 sends"),
        (json!({"items": note(user)}), "items must be a list of sends"),
        (many(1_001), "items must hold 1 to 1000 sends"),
        (json!({"items": [note(user)], "atomic": 1}), "atomic must be true or false"),
        (json!({"user_ids": [user], "type": "custom"}), "title is required"),
        (json!({"user_ids": [user], "title": "t"}), "type is required"),
        (json!({"user_ids": [user], "type": "nosuch", "message": 7}), "title is required"),
        (json!({"user_ids": [user, null], "type": "custom", "title": "t"}), "user_ids must be an integer"),
        (
            json!({"user_ids": [0], "type": "custom", "title": "t"}),
            "user_ids must be between 1 and 9007199254740991",
        ),
        (
            json!({"user_ids": vec![user; 1_000], "type": "custom", "title": "t", "message": large}),
            "user_ids must be fewer: the rest of the body counts for each, and may come to 4194304 bytes",
        ),
    ] {
        api.post_json("/send-batch", &body).await.failed(400, reason);
    }
    let twice = format!(r#"{{"items":[{{"user_id":{user},"user_id":{user},"type":"custom","title":"t"}}]}}"#);
    let answer = api.post_text("/send-batch", twice).await.expect(400);
    assert!(answer.text.contains("stands twice in one object"), "{}", answer.text);
    // Nobody means to send what they only try out.
    api.post_json("/send-batch?dry_run=true", &many(1)).await.failed(404, "No such path");
    assert_eq!(as_user(user).unread().await, 0);
    assert_eq!(statuses(&api.post_json("/send-batch", &many(1_000)).await.expect(200)), vec![201; 1_000]);
    assert_eq!(as_user(user).unread().await, 1_000);
}

#[tokio::test]
async fn a_batch_may_be_larger_than_a_send() {
    let user = fresh_user().await;
    let text = "x".repeat(9_000);
    let note = json!({"user_id": user, "type": "custom", "title": "t", "message": text});
    let answer = batch(&with_key(SENDER), &vec![note.clone(); 400]).await.expect(200);
    assert_eq!(answer.json()["sent"], 400);
    batch(&with_key(SENDER), &vec![note; 500]).await.failed(413, "The body is too large");
}

#[tokio::test]
async fn an_open_directory_makes_the_users() {
    let users = [fresh_id(), fresh_id()];
    let sent = json!({"user_ids": users, "type": "custom", "title": "t", "atomic": true});
    let answer = with_key(OPEN).post_json("/send-batch", &sent).await.expect(200);
    assert_eq!(statuses(&answer), [201, 201]);
}

const TINY: &str = "tiny-key-0000000000000000000000000000001";
const ROOM: &str = "room-key-0000000000000000000000000000001";
const LIMITED: &str = r#"
limits: {batch_items: 7}
tenants:
  default: {seed: [1, 2]}
  room: {seed: [1, 2], rate_limits: {tenant: {per_second: 1, burst: 5}}}
api_keys:
  tiny-key-0000000000000000000000000000001: {rate_limit: {per_second: 1, burst: 6}}
  room-key-0000000000000000000000000000001: {tenant: room, rate_limit: {per_second: 1, burst: 6}}
"#;

fn left(answer: &Answer) -> String {
    answer.header("ratelimit").split(';').take(2).collect::<Vec<_>>().join(";")
}

#[tokio::test]
async fn each_item_costs_a_request_of_the_rate_limit() {
    let gateway = Gateway::start(LIMITED);
    let (tiny, room) = (gateway.api().key(TINY), gateway.api().key(ROOM));
    let items = |count: usize| vec![note(1); count];
    batch(&tiny, &items(8)).await.failed(400, "items must hold 1 to 7 sends");
    let too_many = "a batch may have at most 6 items: no more pass the rate limit at once";
    batch(&tiny, &items(7)).await.failed(400, too_many);
    let too_many = "a batch may have at most 5 items: no more pass the rate limit at once";
    batch(&room, &items(6)).await.failed(400, too_many);

    // What was refused has cost one, so each key may send as many as are left, but for what came anew meanwhile.
    let gateway = Gateway::start(LIMITED);
    let (tiny, room) = (gateway.api().key(TINY), gateway.api().key(ROOM));
    let sent = batch(&tiny, &items(4)).await.expect(200);
    assert_eq!(left(&sent), r#""key";r=2"#);
    let denied = batch(&tiny, &items(6)).await.expect(429);
    assert!(denied.text.contains("Rate limit exceeded; retry in "), "{}", denied.text);
    assert!(!denied.header("retry-after").is_empty());
    // One was spent before the body was read, and the rest neither spent nor stored.
    assert!([r#""key";r=1"#, r#""key";r=2"#].contains(&&*left(&denied)), "{}", left(&denied));
    let answer = batch(&tiny, &items(1)).await.expect(200);
    assert_eq!(answer.json()["sent"], 1);

    // What the tenant's ceiling denies is not lost to the key either.
    assert_eq!(left(&batch(&room, &items(2)).await.expect(200)), r#""tenant";r=3"#);
    batch(&room, &items(5)).await.expect(429);
    let after = room.get("/types").await.expect(200);
    assert!(after.header("ratelimit").starts_with(r#""tenant""#), "{}", after.header("ratelimit"));
}

fn with_least_memory(key: &str, burst: u32) -> Gateway {
    Gateway::start(&format!(
        "server: {{max_body_memory: 16777216}}\ntenants: {{default: {{seed: [1]}}}}\n\
         api_keys: {{{key}: {{rate_limit: {{per_second: 1, burst: {burst}}}}}}}"
    ))
}

#[tokio::test]
async fn the_largest_batch_fits_the_least_memory() {
    const KEY: &str = "whole-key-000000000000000000000000000001";
    let gateway = with_least_memory(KEY, 3_000);
    let key = gateway.api().key(KEY);
    // Nearly the 4 MiB that a batch may have, and with all items a batch may have.
    let long = json!({"user_id": 1, "type": "custom", "title": "t", "message": "x".repeat(4_120)});
    let items = vec![long; 1_000];
    let length = json!({"items": items}).to_string().len();
    assert!((4_150_000..=4_194_304).contains(&length), "{length}");
    assert_eq!(batch(&key, &items).await.expect(200).json()["sent"], 1_000);
    let many =
        json!({"user_ids": vec![1; 1_000], "type": "custom", "title": "t", "message": "x".repeat(4_100)});
    assert_eq!(key.post_json("/send-batch", &many).await.expect(200).json()["sent"], 1_000);
    gateway.stop();
}

#[tokio::test]
async fn a_batch_that_finds_no_memory_costs_one_request() {
    use tokio::io::AsyncWriteExt;
    const KEY: &str = "costs-key-000000000000000000000000000001";
    let gateway = with_least_memory(KEY, 2_000);
    // A body that is held back leaves memory for another batch's body, but not for its answer.
    let mut held =
        tokio::net::TcpStream::connect(&gateway.public["http://".len()..]).await.expect("it listens");
    let head = format!(
        "POST /crm/notification/send-batch HTTP/1.1\r\nHost: x\r\nX-API-KEY: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: 4000000\r\n\r\n"
    );
    held.write_all(head.as_bytes()).await.expect("sent");
    held.write_all(&vec![b' '; 3_900_000]).await.expect("sent");
    // Until all of it is read.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let long = json!({"user_id": 1, "type": "custom", "title": "t", "message": "x".repeat(4_000)});
    let busy = batch(&gateway.api().key(KEY), &vec![long; 800]).await;
    assert_eq!(busy.status, 503, "{}", busy.text);
    // Two requests were made.
    let left: u32 = left(&busy).rsplit("r=").next().and_then(|left| left.parse().ok()).expect("a number");
    assert!(left >= 1_990, "{left}");
    drop(held);
    gateway.stop();
}
