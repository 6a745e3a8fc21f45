//! A bearer token taken apart (RFC 7515, compact form).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::claims::Claims;

/// A token of which nothing is verified.
pub(super) struct Jws<'t> {
    pub head: Head,
    pub claims: Claims,
    /// What the signature is over.
    pub signed: &'t [u8],
    pub signature: Vec<u8>,
}

/// What says how it is signed. It only helps to find the key: the algorithm is the configuration's.
#[derive(Deserialize)]
pub(super) struct Head {
    pub alg: String,
    pub kid: Option<String>,
    /// Extensions that a reader must know; none is known here.
    pub crit: Option<Value>,
}

impl<'t> Jws<'t> {
    /// Takes a token apart, if it is one.
    pub fn parse(token: &'t str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (head, claims) = signed.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Self { head: json(head)?, claims: json(claims)?, signed: signed.as_bytes(), signature })
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
