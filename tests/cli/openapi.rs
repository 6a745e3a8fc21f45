//! `bellboard openapi`: the document, the same as is served.

use serde_json::Value;

use super::{SETTINGS, gateway::Site};

#[test]
fn the_document_is_the_one_that_is_served() {
    let site = Site::new(&format!("limits: {{title: 99}}\n{SETTINGS}"));
    let printed = site.good(&["openapi"]);
    let document: Value = serde_json::from_str(&printed).expect("JSON");
    assert!(document["openapi"].as_str().is_some_and(|v| v.starts_with("3.")), "{}", document["openapi"]);
    assert!(document["paths"]["/crm/notification/send"]["post"].is_object());
    assert!(printed.contains("\"maxLength\": 99"), "the configured limits stand in it");
    let served = site.serve().ask("GET", "/openapi.json", &[], "");
    assert_eq!((served.status, served.body), (200, printed));
    // Without a configuration it has the limits that hold by default.
    let default = Site::empty().good(&["openapi"]);
    assert!(default.contains("\"maxLength\": 255"));
}

#[test]
fn a_reader_may_stop_reading() {
    let site = Site::empty();
    let mut command = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_bellboard");
    command.args(["-c", r#"{ "$0" openapi; echo "code $?" >&2; } | head -n 1"#, program]);
    let ended = command.current_dir(site.path("")).output().expect("sh");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "code 0\n");
}
