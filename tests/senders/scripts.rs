//! The daily script with SQL, and a line of shell.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::Command,
    thread,
};

use super::{KEY, SETTINGS, example, inbox, run, titles};
use crate::support::{Gateway, installed};

const DATA: &str = "
INSERT INTO services VALUES (1, 'Fibre 500', 10, '2026-01-18', 0), (2, 'Voice', 10, '2026-01-12', 0),
    (3, 'Old line', 10, '2026-01-10', 0), (4, 'Later', 10, '2026-01-19', 0), (5, 'Gone', 10, '2026-01-12', 1),
    (6, 'Unowned', 11, '2026-01-12', 0);
INSERT INTO contacts VALUES (10, 41), (10, 42);
";

/// A database of services.
fn services(database: &Path) {
    let schema = super::text("service-expiry/schema.sql");
    run(Command::new("sqlite3").arg(database).arg(format!("\n{schema}{DATA}")));
}

/// The daily script on a day.
fn daily(database: &Path, url: &str, key: &str, today: &str) -> Command {
    let mut command = Command::new(installed("python/bin/python"));
    command.arg(example("service-expiry/notify.py")).arg(database).arg(today);
    command.env("BELLBOARD_URL", url).env("BELLBOARD_API_KEY", key);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

#[tokio::test]
async fn expiring_services_are_told_once_a_day() {
    let gateway = Gateway::start(SETTINGS);
    let database = gateway.path("crm.db");
    services(&database);
    let daily = |key: &str, today: &str| daily(&database, &gateway.public, key, today);
    assert_eq!(run(&mut daily(KEY, "2026-01-11")), "4 sent, 0 sent before, 0 failed\n");
    assert_eq!(run(&mut daily(KEY, "2026-01-11")), "0 sent, 4 sent before, 0 failed\n");
    for user in [41, 42] {
        let stored = inbox(&gateway, user).await;
        assert_eq!(titles(&stored), ["Fibre 500 ends in 7 days", "Voice ends tomorrow"]);
        assert_eq!(
            (&stored[0]["type"], &stored[0]["link"]),
            (&"service_expiring".into(), &"/services/1".into())
        );
        assert_eq!(stored[1]["metadata"]["days_remaining"], 1);
    }
    assert_eq!(run(&mut daily(KEY, "2026-01-12")), "6 sent, 0 sent before, 0 failed\n");
    let refused = daily("a-key-that-nobody-has-configured-at-all", "2026-01-12").output().expect("runs");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Invalid API key"));
}

/// Something between that answers once that the gateway is away, until a date, and then for it.
pub fn between() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    thread::spawn(move || {
        let away = "503 Service Unavailable\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT";
        for (n, mut stream) in listener.incoming().map_while(Result::ok).enumerate() {
            // All of it, as what is left unread would reset the connection: a body ends with a brace.
            let (mut part, mut last) = ([0; 8_192], b'?');
            while last != b'}' {
                let length = stream.read(&mut part).expect("a request");
                last = part[length.checked_sub(1).expect("a body")];
            }
            let head = if n == 0 { away } else { "201 Created" };
            let _ = write!(stream, "HTTP/1.1 {head}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
        }
    });
    url
}

#[test]
fn a_date_to_try_again_at_stops_no_script() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("crm.db");
    services(&database);
    let told = run(&mut daily(&database, &between(), KEY, "2026-01-11"));
    assert_eq!(told, "4 sent, 0 sent before, 0 failed\n");
}

#[tokio::test]
async fn a_line_of_shell_sends_whatever_the_title_holds() {
    let gateway = Gateway::start(SETTINGS);
    let send = |words: &[&str]| {
        let mut command = Command::new(example("shell/notify.sh"));
        command.args(words).env("BELLBOARD_URL", &gateway.public).env("BELLBOARD_API_KEY", KEY);
        command.output().expect("a shell").status.success()
    };
    assert!(send(&["42", "Backup \"done\" \\ $HOME", "It took\n4 minutes."]));
    assert!(!send(&["nobody", "x"]) && !send(&["42", ""]));
    let stored = inbox(&gateway, 42).await;
    assert_eq!(titles(&stored), ["Backup \"done\" \\ $HOME"]);
    assert_eq!(stored[0]["message"], "It took\n4 minutes.");
}
