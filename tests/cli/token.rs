//! `bellboard token`: a bearer token for development.

use super::{SETTINGS, gateway::Site};

#[test]
fn a_token_reads_the_inbox_of_its_user() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    assert_eq!(gateway.hello(super::KEY).status, 201);
    let token = |words: &[&str]| site.good(&[&["token"], words].concat()).trim().to_owned();
    assert_eq!(gateway.inbox(&token(&["--user", "1"]))[0]["title"], "Hello");
    assert!(gateway.inbox(&token(&["--user", "2"])).is_empty());

    let send = |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let body = r#"{"user_id": 2, "type": "custom", "title": "From a user"}"#;
        gateway.ask("POST", "/send", &headers, body).status
    };
    assert_eq!(send(&token(&["--user", "1"])), 403);
    assert_eq!(send(&token(&["--user", "1", "--role", "admin"])), 201);
}

#[test]
fn what_cannot_be_signed_is_told() {
    let site = Site::new(SETTINGS);
    for (words, told) in [
        (["--user", "1", "--tenant", "nobody"].as_slice(), "no tenant nobody"),
        (&["--user", "1", "--tenant", "acme"], "tenant acme has no HS256 issuer"),
        (&["--user", "0"], "--user"),
    ] {
        let err = site.bad(&[&["token"], words].concat());
        assert!(err.contains(told), "{words:?}: {err}");
    }
}
