//! `bellboard migrate`: the schema, made once and left alone after that.

use super::{KEY, SETTINGS, gateway::Site};

#[test]
fn it_makes_the_schema_and_may_run_again() {
    let site = Site::new(SETTINGS);
    let words = ["migrate", "--store", "sqlite://mine.db"];
    let out = site.good(&words);
    assert!(out.contains("sqlite://mine.db") && out.contains(env!("CARGO_PKG_VERSION")), "{out}");
    let made = site.path("mine.db").metadata().expect("a database").len();
    assert_eq!(site.good(&words), out);
    assert_eq!(site.path("mine.db").metadata().expect("a database").len(), made);
    assert!(!site.path("bellboard.db").exists(), "the option stands above the configuration");

    let mut serve = site.command(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    serve.env("BELLBOARD_STORE", "sqlite://mine.db");
    let gateway = super::gateway::Gateway::start(serve);
    assert_eq!(gateway.hello(KEY).status, 201);
    let err = site.bad(&words);
    assert!(err.contains("mine.db.lock"), "a running gateway has it: {err}");
    gateway.stop();
    site.good(&words);
}

#[test]
fn a_store_that_cannot_be_is_told() {
    let site = Site::new(SETTINGS);
    for (url, told) in [
        ("mysql://localhost/x", "sqlite://PATH"),
        ("sqlite://nowhere/x.db", "nowhere"),
        ("sqlite://:memory:", "memory"),
    ] {
        let err = site.bad(&["migrate", "--store", url]);
        assert!(err.contains(told), "{url}: {err}");
    }
}
