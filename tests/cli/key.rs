//! `bellboard key new`: what it prints works when it is pasted.

use sha2::{Digest, Sha256};

use super::{SETTINGS, gateway::Site};

/// The key, and the YAML to paste.
fn new_key(site: &Site, words: &[&str]) -> (String, String) {
    let out = site.good(&[&["key", "new"], words].concat());
    let mut lines = out.lines().map(str::trim);
    let key = lines.find(|line| line.len() == 64).expect("a key").to_owned();
    let hash: String = Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(out.matches(&format!("sha256:{hash}")).count(), 2, "the hash is that of the key: {out}");
    assert_eq!(out.matches(&key).count(), 1, "the key is shown once: {out}");
    let (_, paste) = out.split_once("stands already:\n\n").expect("something to paste");
    (key, paste.to_owned())
}

#[test]
fn the_printed_yaml_makes_the_key_work() {
    let site = Site::new(SETTINGS);
    let description = r#"billing: the "new" one # 1"#;
    let (key, paste) = new_key(&site, &["--description", description]);
    let (acme, more) = new_key(&site, &["--tenant", "acme", "--role", "sender", "--role", "admin"]);
    let settings = SETTINGS.split("api_keys:").next().expect("the rest");
    let keys = more.strip_prefix("api_keys:\n").expect("a list");
    site.write("config/bellboard.yaml", &format!("{settings}{paste}{keys}"));
    assert!(site.good(&["check"]).contains("2 key(s)"));

    let gateway = site.serve();
    assert_eq!(gateway.hello(&key).status, 201);
    assert_eq!(gateway.hello(&acme).status, 201);
    let put = |key: &str| gateway.ask("PUT", "/users/9", &json_as(key), "{}").status;
    assert_eq!((put(&key), put(&acme)), (403, 201), "each has the roles that were asked for");
    let hash = paste.split('"').nth(1).expect("the hash");
    assert_eq!(gateway.hello(hash).status, 401, "what the configuration holds opens nothing");
}

fn json_as(key: &str) -> [(&str, &str); 2] {
    [("X-API-KEY", key), ("Content-Type", "application/json")]
}

#[test]
fn what_the_configuration_does_not_know_is_refused() {
    let site = Site::new(SETTINGS);
    let err = site.bad(&["key", "new", "--role", "postman"]);
    assert!(err.contains("unknown role postman; known are admin, sender"), "{err}");
    let err = site.bad(&["key", "new", "--tenant", "nobody"]);
    assert!(err.contains("no tenant nobody"), "{err}");
    let err = site.bad(&["key", "new", "--tenant", "No Body"]);
    assert!(err.contains("--tenant"), "{err}");
}
