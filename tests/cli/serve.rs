//! `bellboard serve`: what it prints, and where its settings come from.

use std::process::Command;

use super::{
    KEY, SETTINGS,
    gateway::{DEVELOPMENT_KEY, Gateway, Site, until},
};

#[test]
fn what_it_prints_to_paste_works() {
    let site = Site::default_settings();
    let gateway = site.serve();
    let out = until("the hints are whole", || {
        let out = gateway.out();
        (out.matches("curl ").count() == 2 && out.ends_with("\n\n")).then_some(out)
    });
    let outputs: Vec<String> = out
        .split("\n\n")
        .filter(|paragraph| paragraph.trim_start().starts_with("curl "))
        .map(|line| {
            let ran = Command::new("sh").args(["-c", line]).output().expect("sh");
            String::from_utf8(ran.stdout).expect("text")
        })
        .collect();
    assert!(outputs[0].starts_with(r#"{"result":"Success""#), "{outputs:?}");
    assert!(outputs[1].contains(r#""title":"Hello""#), "{outputs:?}");
    let docs = out.lines().find_map(|line| line.trim().strip_prefix("docs ")).expect("a line");
    let page = Command::new("curl").args(["-sf", docs.trim()]).output().expect("curl");
    assert!(String::from_utf8_lossy(&page.stdout).contains("Bellboard"));
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(gateway.admin(path).status, 200, "{path}");
    }
}

#[test]
fn outside_development_it_prints_no_credential() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    assert_eq!(gateway.hello(KEY).status, 201);
    let ended = gateway.stop();
    assert!(!ended.out.contains("curl") && !ended.out.contains("Bearer"), "{}", ended.out);
    assert!(!ended.err.contains('\u{1b}'), "a log in a file has no colours: {}", ended.err);
}

#[test]
fn variables_stand_for_options_with_the_word_and_without() {
    let site = Site::empty();
    site.write("other.yaml", SETTINGS);
    for words in [["serve"].as_slice(), &[]] {
        let mut command = site.command(words);
        command
            .env("BELLBOARD_CONFIG", "other.yaml")
            .env("BELLBOARD_LISTEN", "127.0.0.1:0")
            .env("BELLBOARD_ADMIN_LISTEN", "[::1]:0")
            .env("BELLBOARD_STORE", "sqlite://env.db");
        let gateway = Gateway::start(command);
        assert_eq!(gateway.hello(KEY).status, 201);
        assert_eq!(gateway.admin("/readyz").status, 200);
        assert!(gateway.admin.starts_with("[::1]:"), "{}", gateway.admin);
        assert!(site.path("env.db").exists());
    }
    // What is said on the line stands above what is in the environment.
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.args(["--config", "other.yaml", "--store", "sqlite://line.db"]);
    command.env("BELLBOARD_LISTEN", "127.0.0.1:1").env("BELLBOARD_CONFIG", "nowhere.yaml");
    assert_eq!(Gateway::start(command).hello(KEY).status, 201);
    assert!(site.path("line.db").exists());
}

#[test]
fn the_configuration_may_be_named_in_any_place() {
    let site = Site::empty();
    site.write("here.yaml", SETTINGS);
    let ports = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let config = ["--config", "here.yaml"];
    for words in [
        [config.as_slice(), &["serve"], &ports].concat(),
        [["serve"].as_slice(), &config, &ports].concat(),
        [ports.as_slice(), &config].concat(),
    ] {
        assert_eq!(Gateway::start(site.command(&words)).hello(KEY).status, 201, "{words:?}");
    }
}

#[test]
fn other_machines_are_served_where_nothing_is_published() {
    let site = Site::new(SETTINGS);
    let command = site.command(&["serve", "--listen", "0.0.0.0:0", "--admin-listen", "127.0.0.1:0"]);
    let mut gateway = Gateway::start(command);
    gateway.public = gateway.public.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(gateway.hello(KEY).status, 201);
    assert_eq!(gateway.hello(DEVELOPMENT_KEY).status, 401);
}
