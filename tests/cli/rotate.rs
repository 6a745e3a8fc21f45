//! `bellboard key rotate`: both keys hold while they overlap, and the new one is like the old.

use std::{io::Write, process::Stdio};

use super::{
    KEY, SETTINGS,
    gateway::{Ended, Site},
};

const PLAIN: &str = "a-key-in-plain-that-is-to-be-rotated-1";
const FIRST: &str = "0db11ed37c71";

/// The new key, and the YAML to paste.
fn parts(out: &str) -> (String, String) {
    let key = out.lines().map(str::trim).find(|line| line.len() == 64).expect("a key").to_owned();
    assert_eq!(out.matches(&key).count(), 1, "the key is shown once: {out}");
    let (_, paste) = out.split_once("any more:\n\n").expect("something to paste");
    (key, paste.to_owned())
}

#[test]
fn both_keys_hold_and_the_new_one_is_like_the_old() {
    let old = format!(
        "  {PLAIN}:\n    roles: [admin, sender]\n    description: 'the \"old\" one: #1'\n    types: [\"custom*\"]\n    \
         networks: [127.0.0.0/8]\n    rate_limit: {{per_second: 1, burst: 7}}\n"
    );
    let site = Site::new(&format!("{SETTINGS}{old}"));
    let (key, paste) = parts(&site.good(&["key", "rotate", "the \"old\" one: #1", "--overlap", "1h"]));
    assert!(!paste.contains(PLAIN), "the pasted text holds no key");
    let limit = "rate_limit: {per_second: 1, burst: 7}";
    for line in
        ["roles: [\"admin\", \"sender\"]", "types: [\"custom*\"]", "networks: [\"127.0.0.0/8\"]", limit]
    {
        assert_eq!(paste.matches(line).count(), 2, "{line}: {paste}");
    }
    assert_eq!(paste.matches("expires_at: 2").count(), 1, "only the old one ends: {paste}");
    let named = paste.split_once("replaces: \"").expect("the new one is known as the old").1[..12].to_owned();

    let keys = paste.strip_prefix("api_keys:\n").expect("a list");
    site.write("config/bellboard.yaml", &format!("{SETTINGS}{keys}"));
    assert!(site.good(&["check"]).contains("4 key(s)"));
    let gateway = site.serve();
    assert_eq!((gateway.hello(PLAIN).status, gateway.hello(&key).status), (201, 201));
    // It can be rotated again, by the fingerprint that the failure tells.
    let err = site.bad(&["key", "rotate", "the \"old\" one: #1"]);
    assert!(err.starts_with("several API keys have that description"), "{err}");
    let fingerprint =
        |line| err.lines().nth(line).and_then(|l| l.split_whitespace().next()).expect("a fingerprint");
    assert_eq!(fingerprint(1), named);
    let (_, paste) = parts(&site.good(&["key", "rotate", fingerprint(2)]));
    assert_eq!(paste.matches(&format!("replaces: \"{named}\"")).count(), 2, "one line of keys: {paste}");
}

#[test]
fn a_key_is_found_by_itself_on_the_standard_input() {
    let site = Site::new(SETTINGS);
    let given = |text: &str| {
        let path = site.path("key");
        std::fs::File::create(&path).and_then(|mut f| f.write_all(text.as_bytes())).expect("written");
        let mut command = site.command(&["key", "rotate"]);
        command.stdin(Stdio::from(std::fs::File::open(path).expect("there")));
        Ended::of(command)
    };
    let ended = given(&format!("{KEY}\n"));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains(&format!("It replaces {FIRST} of tenant default")), "{}", ended.out);
    assert!(!ended.out.contains(KEY));
    assert!(given("a-key-that-nobody-has-configured-here").err.contains("does not have that API key"));
    assert!(given(" \n").err.contains("on the standard input"));
}

#[test]
fn what_cannot_be_rotated_is_refused_and_not_repeated() {
    let site = Site::new(&format!("{SETTINGS}  {PLAIN}: {{disabled: true, description: out}}\n"));
    let err = site.bad(&["key", "rotate", PLAIN]);
    assert!(err.contains("no API key has that") && err.contains(FIRST) && !err.contains(PLAIN), "{err}");
    assert!(site.bad(&["key", "rotate", "out"]).contains("is disabled or expired"));
    let ended = site.run(&["key", "rotate", FIRST, "--overlap", "soon"]);
    assert!(ended.code == Some(2) && ended.err.contains("must be a number and a unit"), "{}", ended.err);
}
