//! Prometheus sees a disk fill up, and Alertmanager brings it to a hook.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{SIGNING, inbox, text, titles};
use crate::support::{Gateway, prometheus::Prometheus};

const TOKEN: &str = "a-token-that-alertmanager-shows-the-gateway";

/// Something with a disk, which is full or not.
fn database(is_full: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4_096]);
            let ratio = if is_full.load(Ordering::SeqCst) { 0.98 } else { 0.5 };
            let body = format!("disk_used_ratio {ratio}\n");
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n";
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

/// The example with shorter waits, as nobody wants to wait for a test.
fn hasty(text: &str, waits: &[(&str, &str)]) -> String {
    waits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} in\n{text}");
        text.replace(from, to)
    })
}

#[tokio::test]
async fn an_alert_that_fires_and_resolves_is_one_notification() {
    let gateway = Gateway::start_in(&text("alertmanager/bellboard.yaml"), |folder| {
        fs::write(folder.join("signing-secret"), SIGNING).expect("a secret");
        fs::write(folder.join("alertmanager-token"), format!("{TOKEN}\n")).expect("a token");
    });
    let is_full = Arc::new(AtomicBool::new(true));
    let database = database(Arc::clone(&is_full));

    let waits = [("group_wait: 10s", "group_wait: 0s"), ("group_interval: 1m", "group_interval: 100ms")];
    let settings = hasty(&text("alertmanager/alertmanager.yml"), &waits);
    let settings = hasty(&settings, &[("http://127.0.0.1:8080", &gateway.public)]);
    let alertmanager =
        Prometheus::alertmanager(&[("alertmanager.yml", &settings), ("alertmanager-token", TOKEN)]);
    let settings = hasty(
        &text("alertmanager/prometheus.yml"),
        &[
            ("scrape_interval: 15s", "scrape_interval: 200ms"),
            ("evaluation_interval: 15s", "evaluation_interval: 200ms"),
            ("127.0.0.1:9093", &alertmanager.address),
            ("127.0.0.1:9187", &database),
        ],
    );
    let rules = text("alertmanager/rules.yml");
    let _prometheus = Prometheus::start(&[("prometheus.yml", &settings), ("rules.yml", &rules)]);

    let title = format!("The disk of {database} is almost full");
    let fired = arrives(&gateway, &title).await;
    assert_eq!((&fired["type"], &fired["severity"]), (&"system_alert".into(), &"critical".into()));
    assert_eq!(fired["message"], "98% are in use.");
    assert_eq!(fired["metadata"]["labels"]["team"], "db");
    is_full.store(false, Ordering::SeqCst);
    let resolved = arrives(&gateway, &format!("Resolved: {title}")).await;
    assert_eq!(resolved["severity"], "success");
    for user in [2, 3] {
        assert_eq!(titles(&inbox(&gateway, user).await), [format!("Resolved: {title}")], "of {user}");
    }
    assert!(inbox(&gateway, 1).await.is_empty(), "nobody had to stand in");
}

/// Waits until the newest notification of user 2 has this title.
async fn arrives(gateway: &Gateway, title: &str) -> serde_json::Value {
    let start = Instant::now();
    loop {
        let inbox = inbox(gateway, 2).await;
        match inbox.first() {
            Some(newest) if newest["title"] == title => return newest.clone(),
            _ if start.elapsed() < Duration::from_secs(60) => {}
            _ => panic!("{title} did not come: {inbox:?}\n{}", gateway.log()),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
