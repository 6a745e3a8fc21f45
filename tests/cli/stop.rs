//! Stopping: at once where nothing runs, and never with an accepted request unanswered.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::{
    KEY, SETTINGS, client,
    gateway::{Ended, Gateway, Site, until},
};

fn well(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("stopped; everything accepted was answered"), "{}", ended.err);
}

#[test]
fn idle_connections_do_not_hold_it_up() {
    // Far longer than the test waits for the end.
    let site = Site::new(&format!("server: {{shutdown_timeout: 10m}}\n{SETTINGS}"));
    for signal in ["TERM", "INT"] {
        let gateway = site.serve();
        let silent = client::connect(&gateway.public).expect("a connection");
        let mut kept = client::connect(&gateway.public).expect("a connection");
        kept.write_all(b"GET /crm/notification/unread-count HTTP/1.1\r\nHost: x\r\n\r\n").expect("asked");
        kept.read_exact(&mut [0; 12]).expect("an answer");
        let admin = client::connect(&gateway.admin).expect("a connection");
        gateway.signal(signal);
        well(&gateway.ended());
        drop((silent, kept, admin));
    }
}

#[test]
fn a_request_on_its_way_is_answered() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let headers = [("X-API-KEY", KEY), ("Content-Type", "application/json")];
    let body = r#"{"user_id": 1, "type": "custom", "title": "Just in time"}"#;
    let request = client::request("POST", "/crm/notification/send", &headers, body);
    let (first, rest) = request.split_at(request.len() - 10);
    let mut stream = client::connect(&gateway.public).expect("a connection");
    stream.write_all(first.as_bytes()).expect("sent");
    // The next connection was taken after that one.
    assert_eq!(gateway.ask("GET", "/openapi.json", &[], "").status, 200);
    gateway.signal("TERM");
    until("no more connections", || client::connect(&gateway.public).is_err().then_some(()));
    stream.write_all(rest.as_bytes()).expect("sent");
    assert_eq!(client::answer(&mut stream).expect("an answer").status, 201);
    well(&gateway.ended());
}

#[test]
fn a_request_that_never_ends_is_given_up_in_time() {
    let site = Site::new(&format!("server: {{shutdown_timeout: 1s}}\n{SETTINGS}"));
    let gateway = site.serve();
    let mut stuck = client::connect(&gateway.public).expect("a connection");
    stuck.write_all(b"POST /crm/notification/send HTTP/1.1\r\nContent-Le").expect("sent");
    assert_eq!(gateway.ask("GET", "/openapi.json", &[], "").status, 200);
    let ended = gateway.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("stopped; what was still open"), "{}", ended.err);
}

#[test]
fn what_was_answered_is_there_after_a_stop_under_load() {
    let site = Site::new(&format!("rate_limits: {{per_key: {{per_second: 100000}}}}\n{SETTINGS}"));
    let gateway = site.serve();
    let answered = AtomicUsize::new(0);
    let send = |gateway: &Gateway| -> Option<i64> {
        let headers = [("X-API-KEY", KEY), ("Content-Type", "application/json")];
        let body = r#"{"user_id": 1, "type": "custom", "title": "Under load"}"#;
        let reply = client::try_ask(&gateway.public, "POST", "/crm/notification/send", &headers, body)?;
        assert_eq!(reply.status, 201, "{}", reply.body);
        answered.fetch_add(1, Ordering::Relaxed);
        reply.json()["notification"]["notification_id"].as_i64()
    };
    // Each sends until there is nobody to send to.
    let ids: BTreeSet<i64> = thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| std::iter::from_fn(|| send(&gateway)).collect::<Vec<_>>()))
            .collect();
        until("some were sent", || (answered.load(Ordering::Relaxed) > 40).then_some(()));
        gateway.signal("TERM");
        senders.into_iter().flat_map(|sender| sender.join().expect("no panic")).collect()
    });
    well(&gateway.ended());

    let gateway = site.serve();
    let token = site.good(&["token", "--user", "1"]);
    let (mut stored, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let bearer = format!("Bearer {}", token.trim());
        let page =
            gateway.ask("GET", &format!("/?limit=100{cursor}"), &[("Authorization", &bearer)], "").json();
        let list = page["notifications"].as_array().expect("a list");
        stored.extend(list.iter().filter_map(|n| n["notification_id"].as_i64()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let lost: Vec<_> = ids.difference(&stored).collect();
    assert!(lost.is_empty(), "answered but gone: {lost:?} of {}", ids.len());
}
