//! `deploy/systemd/bellboard.service`: what it starts and how it stops.

use super::{Gateway, LAST_COMMIT, SHUTDOWN, Site, duration, read};
use crate::cli::SETTINGS;

/// The values of a setting of the unit.
fn values<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

#[test]
fn what_the_unit_runs_is_what_the_program_knows() {
    let unit = read("deploy/systemd/bellboard.service");
    let site = Site::new("");
    site.write("etc/bellboard/bellboard.yaml", SETTINGS);
    site.write("var/lib/bellboard/.keep", "");
    let here = site.path("").display().to_string();
    // The same words, in this test's folder.
    let words = |line: &str| -> Vec<String> {
        let line = line.strip_prefix("/usr/local/bin/bellboard ").expect("the program");
        line.split(' ')
            .map(|word| if word.starts_with('/') { format!("{here}{word}") } else { word.into() })
            .collect()
    };
    fn borrowed(words: &[String]) -> Vec<&str> {
        words.iter().map(String::as_str).collect()
    }

    let start = words(values(&unit, "ExecStart")[0]);
    let mut command = site.command(&borrowed(&start));
    command.env("BELLBOARD_LISTEN", "127.0.0.1:0").env("BELLBOARD_ADMIN_LISTEN", "127.0.0.1:0");
    assert_eq!(values(&unit, "WorkingDirectory"), ["/var/lib/bellboard"]);
    let gateway = Gateway::start({
        command.current_dir(site.path("var/lib/bellboard"));
        command
    });
    assert!(site.path("var/lib/bellboard/bellboard.db").exists(), "its state is in the state's folder");

    let reload = values(&unit, "ExecReload");
    site.good(&borrowed(&words(reload[0])));
    assert_eq!(reload[1], "/bin/kill -HUP $MAINPID");
    gateway.signal("HUP");
    assert_eq!(gateway.admin("/readyz").status, 200);
    assert_eq!(gateway.stop().code, Some(0));
    assert!(duration(values(&unit, "TimeoutStopSec")[0]) > SHUTDOWN + LAST_COMMIT);
}
