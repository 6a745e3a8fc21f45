//! Making credentials: strong API keys, and bearer tokens for development.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value};

use super::{hex, sha256};
use crate::{
    config::{Algorithm, Issuer},
    domain::{Timestamp, UserId},
};

/// A new API key and what the configuration keeps of it.
pub struct NewKey {
    /// The key itself, 64 characters. Shown once, to whoever asked for it.
    pub key: String,
    /// SHA-256 of the key in hexadecimal.
    pub hash_hex: String,
}

impl NewKey {
    /// What stands in the configuration in the key's place: `sha256:<hex>`.
    pub fn configured(&self) -> String {
        format!("sha256:{}", self.hash_hex)
    }
}

/// Makes an API key of 48 random bytes, in base64. Fails when the system has no randomness to give.
pub fn new_key() -> Result<NewKey, String> {
    let mut random = [0; 48];
    getrandom::fill(&mut random).map_err(|e| format!("the system gives no random bytes: {e}"))?;
    let key = STANDARD.encode(random);
    let hash_hex = hex(&sha256(key.as_bytes()));
    Ok(NewKey { key, hash_hex })
}

/// Signs a bearer token as that issuer would. Only HS256 has a secret that also signs; for the other
/// algorithms the error says so.
pub fn sign_token(
    issuer: &Issuer,
    user: UserId,
    roles: &[String],
    ttl: Duration,
    now: Timestamp,
) -> Result<String, String> {
    if issuer.algorithm != Algorithm::Hs256 {
        return Err("only an HS256 issuer's secret can sign; this one has a public key".into());
    }
    let mut claims = Map::new();
    if let Some(iss) = &issuer.issuer {
        claims.insert("iss".into(), iss.as_str().into());
    }
    if let Some(aud) = &issuer.audience {
        claims.insert(issuer.audience_claim.clone(), aud.as_str().into());
    }
    let user_claim = issuer.user_claims.first().map_or("sub", String::as_str);
    // `sub` is a string wherever tokens are read.
    let id = if user_claim == "sub" { Value::from(user.to_string()) } else { Value::from(user.get()) };
    claims.insert(user_claim.into(), id);
    claims.insert(issuer.roles_claim.clone(), roles.into());
    claims.insert("iat".into(), now.unix_seconds().into());
    let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
    claims.insert("exp".into(), now.unix_seconds().saturating_add(ttl).into());
    // The library's default header is HS256.
    encode(&Header::default(), &claims, &EncodingKey::from_secret(&issuer.key.0)).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_keys_are_long_differ_and_match_their_hashes() {
        let (one, two) = (new_key().unwrap(), new_key().unwrap());
        assert_eq!(one.key.len(), 64);
        assert_ne!(one.key, two.key);
        assert_eq!(one.configured(), format!("sha256:{}", hex(&sha256(one.key.as_bytes()))));
    }
}
