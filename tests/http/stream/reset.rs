//! Where a stream cannot go on, it says so, and goes on from now.

use serde_json::json;

use crate::support::{Api, settings::*, stream::Stream};

/// It begins anew: at the head, and with what comes then.
async fn begins_anew(api: &Api, sender: &Api, user: i64, last: &str) {
    let mut stream = Stream::open(api, Some(last)).await;
    let reset = stream.expect("reset").await;
    let list = api.get("/?limit=1").await.expect(200);
    assert_eq!(reset.data, json!({"unread_count": list.json()["unread_count"]}), "behind {last}");
    assert_eq!(reset.id, list.header("x-event-id"));
    let next = sender.notify(user, "next").await;
    assert_eq!(stream.expect("notification").await.about(), next);
}

#[tokio::test]
async fn it_begins_anew_behind_what_it_does_not_know() {
    let user = fresh_user().await;
    let (api, sender) = (as_user(user), with_key(SENDER));
    for _ in 0..3 {
        sender.notify(user, "t").await;
    }
    let here = api.get("/").await.expect(200).header("x-event-id").to_owned();
    let (epoch, rev) = here.split_once('.').expect("two parts");
    let rev: i64 = rev.parse().expect("a number");
    let flipped = format!("{:x}", i64::from_str_radix(&epoch[epoch.len() - 1..], 16).expect("a digit") ^ 1);
    let other = format!("{}{flipped}.{rev}", &epoch[..epoch.len() - 1]);
    let long = "x".repeat(300);
    let ahead = format!("{epoch}.{}", rev + 100);
    let far = format!("{epoch}.{}", i64::MAX);
    for last in ["7", "nonsense", "..", &other, &ahead, &far, &long] {
        begins_anew(&api, &sender, user, last).await;
    }
    // Not given is something else.
    let mut stream = Stream::open(&api, Some("")).await;
    stream.expect("ready").await;
}

#[tokio::test]
async fn it_begins_anew_behind_what_is_too_long_ago() {
    let user = fresh_user().await;
    let (api, sender) = (as_user(user), with_key(SENDER));
    let old = api.get("/").await.expect(200).header("x-event-id").to_owned();
    let mut sends = Vec::new();
    for n in 0..510 {
        let sender = sender.clone();
        sends.push(tokio::spawn(async move { sender.notify(user, &n.to_string()).await }));
    }
    let mut ids = Vec::new();
    for send in sends {
        ids.push(send.await.expect("sent"));
    }
    begins_anew(&api, &sender, user, &old).await;

    // What is less is told, and no more at a time than the way takes.
    let list = api.get("/").await.expect(200).header("x-event-id").to_owned();
    let (epoch, rev) = list.split_once('.').expect("two parts");
    let from: i64 = rev.parse::<i64>().expect("a number") - 500;
    let mut stream = Stream::open(&api, Some(&format!("{epoch}.{from}"))).await;
    for n in 1..=500 {
        let event = stream.expect("notification").await;
        assert_eq!(
            (event.id, event.data["unread_count"].as_i64()),
            (format!("{epoch}.{}", from + n), Some(from + n))
        );
    }
}
