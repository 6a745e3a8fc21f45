//! From a fetched body to the public keys in it that can verify anything here.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    auth::{key::VerifyingKey, sha256},
    config::Algorithm,
};

/// A set with more keys than this is cut: no issuer has so many at once.
const MOST_KEYS: usize = 64;
/// How much of a key's name the log shows.
const SHOWN: usize = 64;

/// A key that verifies signatures.
pub struct PublicKey {
    /// How tokens name it.
    pub kid: Option<String>,
    /// The key.
    pub(in crate::auth) key: VerifyingKey,
    /// The one algorithm that it is for, where its issuer says so.
    only: Option<Algorithm>,
    /// Tells it from every other key, whatever they are named.
    pub print: [u8; 32],
}

impl PublicKey {
    /// Whether it may have signed by that algorithm.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.only.is_none_or(|only| only == algorithm) && self.key.fits(algorithm)
    }
}

/// What a set holds: the keys that are of use here, and why each of the others is passed over.
pub struct Parsed {
    pub keys: Vec<PublicKey>,
    pub passed_over: Vec<String>,
}

#[derive(Deserialize)]
struct Body {
    keys: Vec<Value>,
}

/// Reads a key set. Keys that are of no use here (other kinds, other uses, weak ones) are passed over, as sets hold keys
/// for many readers; that none is left is an error, so that an endpoint that lies never takes away the keys before.
pub fn parse(body: &[u8]) -> Result<Parsed, String> {
    let body: Body = serde_json::from_slice(body).map_err(|_| "the answer is no JSON Web Key Set")?;
    let mut parsed = Parsed { keys: Vec::new(), passed_over: Vec::new() };
    for (n, value) in body.keys.iter().take(MOST_KEYS).enumerate() {
        match value.as_object().ok_or("it is no JSON object").and_then(public_key) {
            Ok(key) => parsed.keys.push(key),
            Err(why) => {
                let kid: String = kid(value).unwrap_or_default().chars().take(SHOWN).collect();
                parsed.passed_over.push(format!("key {} {kid:?}: {why}", n + 1));
            }
        }
    }
    if body.keys.len() > MOST_KEYS {
        parsed.passed_over.push(format!("all keys after the first {MOST_KEYS}"));
    }
    match parsed.passed_over.first() {
        _ if !parsed.keys.is_empty() => Ok(parsed),
        None => Err("the set has no key".into()),
        Some(first) => Err(format!("the set has no key that verifies a signature here; {first}")),
    }
}

fn kid(value: &Value) -> Option<&str> {
    value.get("kid").and_then(Value::as_str)
}

fn public_key(jwk: &Map<String, Value>) -> Result<PublicKey, &'static str> {
    let given = |name: &str| jwk.get(name).filter(|value| !value.is_null());
    if given("use").is_some_and(|of| of != "sig") {
        return Err("its use is not sig");
    }
    let verifies = |all: &Value| all.as_array().is_some_and(|all| all.iter().any(|op| op == "verify"));
    if given("key_ops").is_some_and(|all| !verifies(all)) {
        return Err("its key_ops do not hold verify");
    }
    let key = VerifyingKey::published(jwk)?;
    let only = match given("alg") {
        None => None,
        // RFC 9864 has a name of its own for the one curve that EdDSA has here.
        Some(alg) if alg == "Ed25519" => Some(Algorithm::EdDsa),
        Some(alg) => Some(alg.as_str().and_then(Algorithm::of_name).ok_or("its alg is not known here")?),
    };
    if only.is_some_and(|only| !key.fits(only)) {
        return Err("its alg is not for its kty and crv");
    }
    let print = sha256(&[key.print().as_slice(), format!("{only:?}").as_bytes()].concat());
    Ok(PublicKey { kid: given("kid").and_then(Value::as_str).map(Into::into), key, only, print })
}
