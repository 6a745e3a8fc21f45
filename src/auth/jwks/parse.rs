//! From a fetched body to the public keys in it that can verify anything here.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm as Jwa, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use crate::auth::sha256;

/// A set with more keys than this is cut: no issuer has so many at once.
const MOST_KEYS: usize = 64;

/// A key that verifies signatures of one algorithm.
pub struct PublicKey {
    /// How tokens name it.
    pub kid: Option<String>,
    /// The one algorithm it is for.
    pub algorithm: Jwa,
    /// The key.
    pub key: DecodingKey,
    /// Tells it from every other key, whatever they are named.
    pub print: [u8; 32],
}

#[derive(Deserialize)]
struct Body {
    keys: Vec<Value>,
}

/// Reads a key set. Keys that are of no use here (other kinds, other uses, weak ones) are
/// passed over, as sets hold keys for many readers; that none is left is an error, so that an endpoint that
/// lies never takes away the keys before.
pub fn parse(body: &[u8]) -> Result<Vec<PublicKey>, &'static str> {
    let body: Body = serde_json::from_slice(body).map_err(|_| "the answer is no JSON Web Key Set")?;
    let keys: Vec<_> = body.keys.into_iter().take(MOST_KEYS).filter_map(public_key).collect();
    if keys.is_empty() { Err("the set has no key that verifies RS256, ES256 or EdDSA") } else { Ok(keys) }
}

fn public_key(value: Value) -> Option<PublicKey> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let common = &jwk.common;
    let signs = common.public_key_use.as_ref().is_none_or(|u| *u == PublicKeyUse::Signature);
    let verifies = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    let (algorithm, material) = material(&jwk.algorithm)?;
    let fits = common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
    if !(signs && verifies && fits) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let print = sha256(format!("{algorithm:?} {material}").as_bytes());
    Some(PublicKey { kid: jwk.common.key_id, algorithm, key, print })
}

/// What a key is for, and what it is made of. As strict as with keys that stand in the configuration.
fn material(parameters: &AlgorithmParameters) -> Option<(Jwa, String)> {
    let bytes = |text: &str| Some(URL_SAFE_NO_PAD.decode(text).ok()?.len());
    match parameters {
        AlgorithmParameters::RSA(rsa) => {
            let long = (256..=1024).contains(&bytes(&rsa.n)?) && (1..=8).contains(&bytes(&rsa.e)?);
            long.then(|| (Jwa::RS256, format!("{} {}", rsa.n, rsa.e)))
        }
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
            let whole = bytes(&ec.x)? == 32 && bytes(&ec.y)? == 32;
            whole.then(|| (Jwa::ES256, format!("{} {}", ec.x, ec.y)))
        }
        AlgorithmParameters::OctetKeyPair(ed) if ed.curve == EllipticCurve::Ed25519 => {
            (bytes(&ed.x)? == 32).then(|| (Jwa::EdDSA, ed.x.clone()))
        }
        _ => None,
    }
}
