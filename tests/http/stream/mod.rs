//! `GET /crm/notification/stream`.

mod bounds;
mod ends;
mod expiry;
mod reset;
mod wire;

use bellboard::domain::Timestamp;
use serde_json::json;

use crate::support::{Token, settings::*, stream::Stream, token::now};

#[tokio::test]
async fn it_tells_every_change_with_the_count_after_it() {
    let user = fresh_user().await;
    let (api, sender) = (as_user(user), with_key(SENDER));
    let mut stream = Stream::open(&api, None).await;
    assert_eq!(stream.expect("ready").await.data, json!({"unread_count": 0}));

    let sent = sender.notify(user, "Hello").await;
    let arrived = stream.expect("notification").await;
    let listed = api.get("/").await.expect(200);
    assert_eq!(arrived.data, json!({"unread_count": 1, "notification": listed.json()["notifications"][0]}));
    assert_eq!(listed.header("x-event-id"), arrived.id);
    assert_eq!(api.get("/unread-count").await.header("x-event-id"), arrived.id);

    let marked = api.post(&format!("/{sent}/mark-read")).await.expect(200).json();
    let read = stream.expect("read").await;
    let at = &marked["notification"]["read_at"];
    assert_eq!(read.data, json!({"unread_count": 0, "notification_id": sent, "read_at": at}));

    let (two, three) = (sender.notify(user, "2").await, sender.notify(user, "3").await);
    assert_eq!(stream.expect("notification").await.about(), two);
    assert_eq!(stream.expect("notification").await.unread(), 2);
    api.post_json("/mark-all-read", &json!({"up_to": two})).await.expect(200);
    let all = stream.expect("read_all").await;
    assert_eq!((all.unread(), all.about(), all.data["read_at"].is_string()), (1, two, true));

    api.delete(&format!("/{three}")).await.expect(200);
    assert_eq!(stream.expect("deleted").await.data, json!({"unread_count": 0, "notification_id": three}));
}

#[tokio::test]
async fn it_goes_on_behind_a_list_and_behind_any_event() {
    let user = fresh_user().await;
    let (api, sender) = (as_user(user), with_key(SENDER));
    sender.notify(user, "1").await;
    let list = api.get("/").await.expect(200).header("x-event-id").to_owned();
    let two = sender.notify(user, "2").await;
    let mut stream = Stream::open(&api, Some(&list)).await;
    let second = stream.expect("notification").await;
    assert_eq!(second.about(), two);
    drop(stream);
    api.post("/mark-all-read").await.expect(200);
    sender.notify(user, "3").await;
    let mut stream = Stream::open(&api, Some(&second.id)).await;
    let told = [stream.expect("read_all").await, stream.expect("notification").await];
    let mut again = Stream::open(&api, Some(&told[0].id)).await;
    assert_eq!(again.expect("notification").await, told[1]);
    let four = sender.notify(user, "4").await;
    for stream in [&mut stream, &mut again] {
        assert_eq!(stream.expect("notification").await.about(), four);
    }
}

#[tokio::test]
async fn it_tells_what_leaves_by_itself_or_is_withdrawn() {
    let user = fresh_id();
    let (api, sender) = (as_acme_user(user), with_key(ACME));
    sender.put_json(&format!("/users/{user}"), &json!({})).await.expect(201);
    let mut stream = Stream::open(&api, None).await;
    stream.expect("ready").await;
    let parcel = async |number: i64, seconds: i64| {
        let until = Timestamp((now() + seconds) * 1_000_000).to_string();
        let metadata = json!({"parcel": number, "until": until});
        let body = json!({"user_id": user, "type": "parcel", "title": "t", "metadata": metadata});
        sender.send(&body).await.expect(201).id()
    };
    // Nobody asks for the inbox meanwhile: the stream alone knows when it is time.
    let brief = parcel(1, 2).await;
    assert_eq!(stream.expect("notification").await.about(), brief);
    let expired = stream.expect("expired").await;
    assert_eq!((expired.about(), expired.unread()), (brief, 0));

    let first = parcel(2, 3600).await;
    assert_eq!(stream.expect("notification").await.about(), first);
    let second = parcel(2, 3600).await;
    let told = [stream.expect("deleted").await, stream.expect("notification").await];
    let told = told.map(|event| (event.about(), event.unread()));
    assert_eq!(told, [(first, 0), (second, 1)], "the second replaced the first");
    sender.post_json("/withdraw", &json!({"ids": [second]})).await.expect(200);
    assert_eq!(stream.expect("deleted").await.data, json!({"unread_count": 0, "notification_id": second}));
}

#[tokio::test]
async fn metadata_of_many_lines_is_one() {
    let user = fresh_user().await;
    let api = as_user(user);
    let mut stream = Stream::open(&api, None).await;
    stream.expect("ready").await;
    let metadata = "{\r\n  \"a\": [1,\n 2],\r \"b\": \"x\\ny\"\n}";
    let body = format!(r#"{{"user_id": {user}, "type": "custom", "title": "t", "metadata": {metadata}}}"#);
    with_key(SENDER).post_text("/send", body).await.expect(201);
    let told = &stream.expect("notification").await.data["notification"]["metadata"];
    assert_eq!(*told, json!({"a": [1, 2], "b": "x\ny"}));
}

#[tokio::test]
async fn a_user_whom_nobody_has_written_to_yet_can_wait_for_the_first() {
    let user = fresh_id();
    let api = shared().bearer(Token::of(OPEN_SECRET, user).sign());
    let list = api.get("/").await.expect(200).header("x-event-id").to_owned();
    let mut streams = [Stream::open(&api, None).await, Stream::open(&api, Some(&list)).await];
    assert_eq!(streams[0].expect("ready").await.id, list);
    let sent = with_key(OPEN).notify(user, "Hello").await;
    for stream in &mut streams {
        let arrived = stream.expect("notification").await;
        assert_eq!((arrived.about(), arrived.unread()), (sent, 1));
    }
}
