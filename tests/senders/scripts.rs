//! The daily script with SQL, and a line of shell.

use std::process::Command;

use super::{KEY, SETTINGS, example, inbox, run, titles};
use crate::support::Gateway;

const DATA: &str = "
INSERT INTO services VALUES (1, 'Fibre 500', 10, '2026-01-18', 0), (2, 'Voice', 10, '2026-01-12', 0),
    (3, 'Old line', 10, '2026-01-10', 0), (4, 'Later', 10, '2026-01-19', 0), (5, 'Gone', 10, '2026-01-12', 1),
    (6, 'Unowned', 11, '2026-01-12', 0);
INSERT INTO contacts VALUES (10, 41), (10, 42);
";

#[tokio::test]
async fn expiring_services_are_told_once_a_day() {
    let gateway = Gateway::start(SETTINGS);
    let database = gateway.path("crm.db");
    let schema = super::text("service-expiry/schema.sql");
    run(Command::new("sqlite3").arg(&database).arg(format!("\n{schema}{DATA}")));
    let daily = |key: &str, today: &str| {
        let mut command = Command::new("python3");
        command.arg(example("service-expiry/notify.py")).arg(&database).arg(today);
        command.env("BELLBOARD_URL", &gateway.public).env("BELLBOARD_API_KEY", key);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
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
