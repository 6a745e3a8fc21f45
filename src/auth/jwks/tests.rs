//! What published keys must do, on a clock that only the tests move and with no network.

use std::sync::atomic::Ordering::Relaxed;

use jsonwebtoken::{Algorithm as Jwa, Header};
use serde_json::{Value, json};

use super::{parse::parse, *};

const NOW: Timestamp = Timestamp(1_768_141_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const KEEP: Duration = Duration::from_secs(600);
const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

fn ec(kid: &str) -> Value {
    json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": X, "y": Y })
}

fn ed(kid: &str) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": X })
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

fn keys(keys: &[Value]) -> Result<Vec<parse::PublicKey>, &'static str> {
    parse(json!({ "keys": keys }).to_string().as_bytes())
}

fn set() -> Arc<KeySet> {
    Arc::new(KeySet::new("https://id.example/keys".parse().unwrap(), false))
}

fn later(seconds: i64) -> Timestamp {
    NOW.plus_seconds(seconds)
}

/// A fetch that began and ended at that time.
fn fetched(set: &Arc<KeySet>, at: Timestamp, found: &[Value]) {
    set.began.store(at.0, Relaxed);
    set.end(at, keys(found).ok());
}

/// The names of the keys that a token of that header is tried with, and what it is answered then.
fn tried(set: &Arc<KeySet>, kid: Option<&str>, now: Timestamp) -> (Vec<String>, &'static str) {
    let header = Header { kid: kid.map(Into::into), ..Header::new(Jwa::ES256) };
    let seen = std::cell::RefCell::new(Vec::new());
    let found = set.find(&header, Jwa::ES256, (now, KEEP), |key| {
        seen.borrow_mut().push(key.kid.clone().unwrap_or_default());
        None::<()>
    });
    let why = match found {
        Err(Unfound::Invalid(why)) => why,
        Err(Unfound::Pending(_)) => PENDING,
        Ok(_) => unreachable!("nothing verifies here"),
    };
    (seen.into_inner(), why)
}

const PENDING: &str = "waits for a fetch";
const UNSIGNED: &str = "its signature or form is wrong";
const UNKNOWN: &str = "its issuer has no such key";
const RETIRED: &str = "its issuer no longer publishes its key";

#[test]
fn only_keys_that_could_verify_are_taken() {
    let n = "A".repeat(342);
    let rsa = |n: &str| json!({ "kty": "RSA", "kid": "r", "n": n, "e": "AQAB" });
    let good = [
        (ec("e"), Jwa::ES256),
        (ed("d"), Jwa::EdDSA),
        (rsa(&n), Jwa::RS256),
        (with(ec("e"), "use", json!("sig")), Jwa::ES256),
        (with(ec("e"), "alg", json!("ES256")), Jwa::ES256),
        (with(ec("e"), "key_ops", json!(["verify"])), Jwa::ES256),
        (with(ec("e"), "x5c", json!(["MIIB"])), Jwa::ES256),
    ];
    for (key, algorithm) in good {
        let found = keys(std::slice::from_ref(&key)).unwrap_or_else(|e| panic!("{key}: {e}"));
        assert_eq!(found[0].algorithm, algorithm, "{key}");
    }
    let bad = [
        json!({ "kty": "oct", "kid": "s", "k": X }),
        with(ec("e"), "use", json!("enc")),
        with(ec("e"), "alg", json!("ES384")),
        with(ec("e"), "key_ops", json!(["encrypt"])),
        with(ec("e"), "crv", json!("P-384")),
        with(ec("e"), "x", json!("AAAA")),
        with(ed("d"), "x", json!("AAAA")),
        with(ed("d"), "x", json!("not base64")),
        with(rsa(&n), "alg", json!("RS512")),
        rsa(&"A".repeat(171)),
        rsa(&"A".repeat(3_000)),
        json!({ "kty": "new", "kid": "n" }),
        json!("text"),
        Value::Null,
    ];
    for key in bad {
        assert!(keys(std::slice::from_ref(&key)).is_err(), "{key}");
        assert_eq!(keys(&[key, ec("e")]).unwrap().len(), 1, "it takes no other with it");
    }
    for body in ["", "{}", "[]", r#"{"keys":[]}"#, r#"{"keys":{}}"#, "<html>", "\u{0}"] {
        assert!(parse(body.as_bytes()).is_err(), "{body}");
    }
    assert_eq!(keys(&vec![ec("e"); 1_000]).unwrap().len(), 64);
}

#[test]
fn a_token_is_tried_with_the_keys_it_names_and_with_few_when_it_names_none() {
    let set = set();
    let many: Vec<_> = (0..20).map(|n| ec(&format!("k{n}"))).collect();
    fetched(&set, NOW, &[many, vec![ed("d")]].concat());
    assert_eq!(tried(&set, Some("k7"), NOW), (vec!["k7".into()], UNSIGNED));
    assert_eq!(tried(&set, None, NOW).0.len(), 4);
    for unknown in ["k99", ""] {
        assert_eq!(tried(&set, Some(unknown), NOW), (vec![], UNKNOWN));
    }
    assert_eq!(tried(&set, Some("d"), NOW), (vec![], UNSIGNED), "it is for another algorithm");
}

#[test]
fn an_unknown_key_asks_for_a_fetch_and_many_ask_for_no_more() {
    let set = set();
    assert_eq!(tried(&set, Some("old"), NOW).1, PENDING, "no key yet is no bad token");
    assert!(set.begin(NOW, 15 * MINUTE) && !set.begin(NOW, 15 * MINUTE), "one at a time");
    set.end(NOW, keys(&[ec("old")]).ok());
    assert!(!set.begin(later(60), 15 * MINUTE));
    for _ in 0..100 {
        assert_eq!(tried(&set, Some("new"), later(60)).1, PENDING);
    }
    assert!(set.begin(later(60), 15 * MINUTE));
    set.end(later(61), keys(&[ec("old"), ec("new")]).ok());
    assert_eq!(tried(&set, Some("new"), later(60)).1, UNSIGNED);
    assert_eq!(tried(&set, Some("forged"), later(60)).1, UNKNOWN, "what was fetched since it came decides");
    assert!(!set.begin(later(70), 15 * MINUTE), "nobody asks");
    assert_eq!(tried(&set, Some("forged"), later(62)).1, PENDING);
    assert!(!set.begin(later(65), 15 * MINUTE) && set.begin(later(66), 15 * MINUTE));
    set.end(later(66), keys(&[ec("new")]).ok());
    assert_eq!(tried(&set, Some("old"), later(70)).1, RETIRED, "and asks for nothing");
    assert!(!set.begin(later(66 + 899), 15 * MINUTE) && set.begin(later(66 + 900), 15 * MINUTE));
    set.end(later(66 + 900), keys(&[ec("old")]).ok());
    assert_eq!(tried(&set, Some("old"), later(970)).1, UNSIGNED, "it is published again");
}

#[test]
fn a_dead_endpoint_keeps_the_last_keys_for_a_while_and_is_asked_less_and_less() {
    let set = set();
    assert!(set.is_new() && !set.is_failing());
    fetched(&set, NOW, &[ec("e")]);
    let mut attempts = Vec::new();
    for second in 0..=601 {
        if set.begin(later(second), 2 * MINUTE) {
            attempts.push(second);
            set.end(later(second), None);
        }
    }
    assert_eq!(attempts, [120, 121, 123, 127, 135, 151, 183, 247, 311, 375, 439, 503, 567]);
    assert_eq!((set.failures(), set.age(later(601))), (13, Some(Duration::from_secs(601))));
    assert!(set.is_failing() && !set.is_new());
    assert_eq!(tried(&set, Some("e"), later(600)).1, UNSIGNED);
    assert_eq!(tried(&set, Some("e"), later(601)).1, PENDING);
    fetched(&set, later(602), &[ec("e")]);
    assert_eq!(tried(&set, Some("e"), later(602)).1, UNSIGNED);
    assert!(!set.begin(later(603), 2 * MINUTE), "and then as before");
    assert!(set.begin(NOW, 2 * MINUTE), "a clock that was set back holds nothing up");
}

#[test]
fn what_a_key_signed_ends_with_it_whatever_its_name() {
    let set = set();
    set.end(NOW, keys(&[ec("e")]).ok());
    let header = Header { kid: Some("e".into()), ..Header::new(Jwa::ES256) };
    let (_, signer) = set.find(&header, Jwa::ES256, (NOW, KEEP), |_| Some(())).ok().unwrap();
    assert!(signer.stands(later(600)) && !signer.stands(later(601)));
    set.end(NOW, keys(&[ec("renamed")]).ok());
    assert!(signer.stands(NOW), "the same key under another name");
    set.end(NOW, keys(&[with(ec("e"), "y", json!(X))]).ok());
    assert!(!signer.stands(NOW), "another key under the same name");
}
