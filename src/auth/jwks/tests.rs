//! What published keys must do, on a clock that only the tests move and with no network.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};

use super::{parse::parse, *};
use crate::config::{Algorithm, Jwks};

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

fn parsed(keys: &[Value]) -> Result<parse::Parsed, String> {
    parse(json!({ "keys": keys }).to_string().as_bytes())
}

fn keys(keys: &[Value]) -> Result<Vec<parse::PublicKey>, String> {
    parsed(keys).map(|parsed| parsed.keys)
}

pub(super) fn set() -> Arc<KeySet> {
    let url = "https://id.example/keys".into();
    let jwks = Jwks { url, refresh: MINUTE, keep: KEEP, allow_private: false, proxy: None };
    Arc::new(KeySet::new(&jwks).unwrap())
}

fn later(seconds: i64) -> Timestamp {
    NOW.plus_seconds(seconds)
}

/// A fetch that began and ended at that time.
fn fetched(set: &Arc<KeySet>, at: Timestamp, found: &[Value]) {
    set.began.store(at.0, Relaxed);
    set.end(at, keys(found).ok());
}

/// The names of the keys that a token is tried with, and what it is answered then.
fn tried(set: &Arc<KeySet>, kid: Option<&str>, now: Timestamp) -> (Vec<String>, &'static str) {
    let seen = std::cell::RefCell::new(Vec::new());
    let found = set.find(kid, Algorithm::Es256, (now, KEEP), |key| {
        seen.borrow_mut().push(key.kid.clone().unwrap_or_default());
        false
    });
    let why = match found {
        Err(Unfound::Invalid(why)) => why,
        Err(Unfound::Pending(pending)) => {
            pending.ask();
            PENDING
        }
        Ok(_) => unreachable!("nothing verifies here"),
    };
    (seen.into_inner(), why)
}

const PENDING: &str = "waits for a fetch";
const UNSIGNED: &str = "its signature or form is wrong";
const UNKNOWN: &str = "its issuer has no such key";
const RETIRED: &str = "its issuer no longer publishes its key";

#[test]
fn only_keys_that_could_verify_are_taken_and_the_log_is_told_why_others_are_not() {
    use Algorithm::{EdDsa, Es256, Es384, Es512, Ps256, Rs256, Rs512};
    let n = format!("{}A", "w".repeat(341));
    let rsa = |n: &str| json!({ "kty": "RSA", "kid": "r", "n": n, "e": "AQAB" });
    let curve = |crv: &str, size: usize| {
        let number = "w".repeat(size);
        json!({ "kty": "EC", "crv": crv, "x": number, "y": number })
    };
    let good: [(Value, &[Algorithm]); 14] = [
        (ec("e"), &[Es256]),
        (ed("d"), &[EdDsa]),
        (rsa(&n), &[Rs256, Rs512, Ps256]),
        (with(rsa(&n), "alg", json!("RS512")), &[Rs512]),
        // A zero in front, and padding behind.
        (rsa(&format!("AAAA{n}")), &[Rs256]),
        (with(rsa(&n), "e", json!("AAEAAQ==")), &[Rs256]),
        (curve("P-384", 64), &[Es384]),
        (curve("P-521", 88), &[Es512]),
        (with(ec("e"), "use", json!("sig")), &[Es256]),
        (with(ec("e"), "alg", json!("ES256")), &[Es256]),
        (with(ed("e"), "alg", json!("Ed25519")), &[EdDsa]),
        (with(ec("e"), "key_ops", json!(["verify"])), &[Es256]),
        (with(ec("e"), "x5c", json!(["MIIB"])), &[Es256]),
        (with(with(ec("e"), "kid", json!(7)), "alg", Value::Null), &[Es256]),
    ];
    for (key, algorithms) in good {
        let found = keys(std::slice::from_ref(&key)).unwrap_or_else(|e| panic!("{key}: {e}"));
        for algorithm in algorithms {
            assert!(found[0].fits(*algorithm), "{key}");
        }
        let all = Algorithm::ALL.iter().filter(|(_, algorithm)| found[0].fits(*algorithm));
        assert!(algorithms.len() != 1 || algorithms[0] == Rs256 || all.count() == 1, "{key}");
    }
    let bad = [
        (json!({ "kty": "oct", "kid": "s", "k": X }), "its kty"),
        (with(ec("e"), "use", json!("enc")), "its use"),
        (with(ec("e"), "alg", json!("ES384")), "its alg is not for"),
        (with(ec("e"), "alg", json!("ECDH-ES")), "its alg is not known"),
        (with(ec("e"), "key_ops", json!(["encrypt"])), "its key_ops"),
        (with(ec("e"), "crv", json!("secp256k1")), "its crv"),
        (with(ec("e"), "crv", json!("P-384")), ""),
        (with(ec("e"), "x", json!("AAAA")), "its x and y"),
        (with(ed("d"), "x", json!("AAAA")), "its x is"),
        (with(ed("d"), "x", json!("not base64")), "its x is"),
        (with(ed("d"), "crv", json!("Ed448")), "its crv"),
        (with(rsa(&n), "alg", json!("RSA-OAEP")), "its alg"),
        (rsa(&"w".repeat(171)), "its n and e"),
        (rsa(&"w".repeat(3_000)), "its n and e"),
        (json!({ "kty": "new", "kid": "n" }), "its kty"),
        (json!("text"), "it is no JSON object"),
        (Value::Null, "it is no JSON object"),
    ];
    for (key, why) in bad {
        if why.is_empty() {
            // Short coordinates of a longer curve are as good as padded ones.
            assert!(keys(&[key]).is_ok());
            continue;
        }
        assert!(keys(std::slice::from_ref(&key)).err().unwrap().contains(why), "{key}");
        let parsed = parsed(&[key.clone(), ec("e")]).unwrap();
        assert_eq!((parsed.keys.len(), parsed.passed_over.len()), (1, 1), "it takes no other with it");
        assert!(parsed.passed_over[0].starts_with("key 1 ") && parsed.passed_over[0].contains(why), "{key}");
    }
    for body in ["", "{}", "[]", r#"{"keys":[]}"#, r#"{"keys":{}}"#, "<html>", "\u{0}"] {
        assert!(parse(body.as_bytes()).is_err(), "{body}");
    }
    let many = parsed(&vec![ec("e"); 1_000]).unwrap();
    assert_eq!(
        (many.keys.len(), many.passed_over.as_slice()),
        (64, &["all keys after the first 64".to_owned()][..])
    );
}

#[test]
fn a_coordinate_without_its_leading_zero_is_the_same_key() {
    let print = |x: &str| keys(&[with(ec("e"), "x", json!(x))]).unwrap()[0].print;
    // In base64url, the numbers 1 with three zeros in front, 1, and 2.
    assert_eq!(print("AAAAAQ"), print("AQ"));
    assert_ne!(print("AQ"), print("Ag"));
}

#[test]
fn a_token_is_tried_with_the_keys_it_names_and_with_all_within_a_bound_when_it_names_none() {
    let set = set();
    let many: Vec<_> = (0..40).map(|n| ec(&format!("k{n}"))).collect();
    fetched(&set, NOW, &[many, vec![ed("d")]].concat());
    assert_eq!(tried(&set, Some("k7"), NOW), (vec!["k7".into()], UNSIGNED));
    assert_eq!(tried(&set, None, NOW).0.len(), 32);
    for unknown in ["k99", ""] {
        assert_eq!(tried(&set, Some(unknown), NOW), (vec![], UNKNOWN));
    }
    assert_eq!(tried(&set, Some("d"), NOW), (vec![], UNSIGNED), "it is for another algorithm");
    let nameless = || with(ec(""), "kid", Value::Null);
    fetched(&set, NOW, &[nameless(), ec("a"), nameless()]);
    assert_eq!(tried(&set, Some("a"), NOW), (vec!["a".into(), String::new(), String::new()], UNSIGNED));
    assert_eq!(tried(&set, Some("b"), NOW), (vec![String::new(); 2], UNKNOWN));
    assert_eq!(tried(&set, None, NOW).0.len(), 3);
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
    let signer = set.find(Some("e"), Algorithm::Es256, (NOW, KEEP), |_| true).unwrap();
    assert!(signer.stands(later(600)) && !signer.stands(later(601)));
    set.end(NOW, keys(&[ec("renamed")]).ok());
    assert!(signer.stands(NOW), "the same key under another name");
    set.end(NOW, keys(&[with(ec("e"), "y", json!(X))]).ok());
    assert!(!signer.stands(NOW), "another key under the same name");
}
