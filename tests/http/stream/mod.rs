//! `GET /crm/notification/stream`.

use serde_json::json;

use crate::support::{settings::*, stream::Stream};

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
