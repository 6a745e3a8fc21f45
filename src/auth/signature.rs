//! How the sender of a hook proves that it knows the hook's secret: by showing it, or by signing the body with it.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::sha256;
use crate::{
    config::{Scheme, Secret},
    domain::{AuthFailure, Timestamp},
};

/// Signatures that one header may hold: a sender that changes its secret signs with both.
const MOST_SIGNATURES: usize = 8;

/// What proves a sender.
pub struct SenderProof {
    scheme: Scheme,
    secrets: Vec<Secret>,
    /// Of what is shown as it is, only hashes are compared.
    hashes: Vec<[u8; 32]>,
    window: Duration,
}

/// What a request's head shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown<'a> {
    /// `X-API-KEY`.
    pub api_key: Option<&'a [u8]>,
    /// `Authorization`.
    pub authorization: Option<&'a str>,
    /// `Stripe-Signature`.
    pub stripe: Option<&'a str>,
    /// `X-Hub-Signature-256`.
    pub github: Option<&'a str>,
}

/// What a head claims.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// It holds already.
    Proven,
    /// It holds where one of these signs this prefix and the body.
    Signed(Vec<u8>, Vec<[u8; 32]>),
}

impl SenderProof {
    /// By one of these secrets. A signature that tells its time may be `window` old.
    pub fn new(scheme: Scheme, secrets: &[Secret], window: Duration) -> Self {
        let hashes = secrets.iter().map(|secret| sha256(&secret.0)).collect();
        Self { scheme, secrets: secrets.to_vec(), hashes, window }
    }

    /// Reads a head, before any of the body.
    ///
    /// # Errors
    /// Why it cannot prove anything, whatever the body is.
    pub fn claim(&self, shown: Shown<'_>, now: Timestamp) -> Result<Claim, AuthFailure> {
        match self.scheme {
            Scheme::Token => self.token(shown),
            Scheme::Stripe => self.stripe(shown.stripe.ok_or(AuthFailure::Missing)?, now),
            Scheme::Github => {
                let header = shown.github.ok_or(AuthFailure::Missing)?;
                let tag = header.trim().strip_prefix("sha256=").and_then(tag);
                Ok(Claim::Signed(Vec::new(), vec![tag.ok_or(AuthFailure::InvalidSignature)?]))
            }
        }
    }

    /// Holds a claim against the body. It takes as long whatever is wrong.
    ///
    /// # Errors
    /// That none of the secrets made any of the signatures.
    pub fn verify(&self, claim: &Claim, body: &[u8]) -> Result<(), AuthFailure> {
        let Claim::Signed(prefix, tags) = claim else { return Ok(()) };
        let mut holds = false;
        for secret in &self.secrets {
            // A key of any length is taken.
            let mac = Hmac::<Sha256>::new_from_slice(&secret.0).map_err(|_| AuthFailure::InvalidSignature)?;
            let mac = mac.chain_update(prefix).chain_update(body);
            for tag in tags {
                holds |= mac.clone().verify_slice(tag).is_ok();
            }
        }
        if holds { Ok(()) } else { Err(AuthFailure::InvalidSignature) }
    }

    fn token(&self, shown: Shown<'_>) -> Result<Claim, AuthFailure> {
        let in_header = shown.authorization.and_then(shown_token);
        let (token, failure) = match (shown.api_key, &in_header) {
            (Some(key), _) => (key, AuthFailure::InvalidKey),
            (None, Some(token)) => (token.as_slice(), AuthFailure::InvalidToken),
            (None, None) => return Err(AuthFailure::Missing),
        };
        let hash = sha256(token);
        let holds = self.hashes.iter().fold(false, |holds, known| holds | bool::from(known.ct_eq(&hash)));
        if holds { Ok(Claim::Proven) } else { Err(failure) }
    }

    /// `t=SECONDS,v1=HEX,…`: what is signed is the time, a point and the body.
    fn stripe(&self, header: &str, now: Timestamp) -> Result<Claim, AuthFailure> {
        let (mut time, mut tags) = (None, Vec::new());
        for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
            match name {
                "t" if time.is_none() => time = Some(value),
                // Twice, it could be read in two ways.
                "t" => return Err(AuthFailure::InvalidSignature),
                "v1" if tags.len() < MOST_SIGNATURES => tags.extend(tag(value)),
                // Other versions are weaker.
                _ => {}
            }
        }
        let time = time.filter(|_| !tags.is_empty()).ok_or(AuthFailure::InvalidSignature)?;
        let seconds: i64 = time.parse().map_err(|_| AuthFailure::InvalidSignature)?;
        let window = i64::try_from(self.window.as_secs()).unwrap_or(i64::MAX);
        if seconds.abs_diff(now.0.div_euclid(1_000_000)) > window.unsigned_abs() {
            return Err(AuthFailure::StaleSignature);
        }
        Ok(Claim::Signed(format!("{time}.").into_bytes(), tags))
    }
}

/// A signature in hexadecimal.
fn tag(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut tag = [0; 32];
    for (byte, pair) in tag.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(tag)
}

/// The secret in an `Authorization` header: behind `Bearer` or `ApiKey`, or the password of `Basic`.
fn shown_token(authorization: &str) -> Option<Vec<u8>> {
    let (scheme, value) = authorization.split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("apikey") {
        return Some(value.as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(value).ok()?;
    let colon = memchr::memchr(b':', &pair)?;
    Some(pair[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "whsec_the-old-secret-of-thirty-two-bytes";
    const NEW: &str = "whsec_the-new-secret-of-thirty-two-bytes";
    const NOW: Timestamp = Timestamp(1_768_141_800_000_000);

    fn proof(scheme: Scheme) -> SenderProof {
        let secrets = [OLD, NEW].map(|secret| Secret(secret.into()));
        SenderProof::new(scheme, &secrets, Duration::from_secs(300))
    }

    fn sign(secret: &str, text: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(text);
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn stripe(header: &str, body: &str) -> Result<(), AuthFailure> {
        let proof = proof(Scheme::Stripe);
        let claim = proof.claim(Shown { stripe: Some(header), ..Shown::default() }, NOW)?;
        proof.verify(&claim, body.as_bytes())
    }

    #[test]
    fn a_signature_holds_for_its_body_its_time_and_either_secret() {
        let seconds = NOW.0 / 1_000_000;
        let signed = |secret: &str, at: i64| sign(secret, &format!("{at}.{{}}"));
        for secret in [OLD, NEW] {
            assert_eq!(stripe(&format!("t={seconds},v1={}", signed(secret, seconds)), "{}"), Ok(()));
        }
        let good = signed(OLD, seconds);
        assert_eq!(stripe(&format!("t={seconds}, v1={},v1={good},v0=x", "0".repeat(64)), "{}"), Ok(()));
        let bad = Err(AuthFailure::InvalidSignature);
        assert_eq!(stripe(&format!("t={seconds},v1={good}"), "{ }"), bad);
        assert_eq!(stripe(&format!("t={},v1={good}", seconds + 1), "{}"), bad);
        assert_eq!(stripe(&format!("t={seconds},v0={good}"), "{}"), bad);
        assert_eq!(stripe(&format!("t={seconds},t={seconds},v1={good}"), "{}"), bad);
        assert_eq!(stripe(&format!("t={seconds},v1={}", signed("another", seconds)), "{}"), bad);
        for header in ["", "t=1", "v1=", "t=x,v1=00", &format!("t=,v1={good}"), &good] {
            assert_eq!(stripe(header, "{}"), bad, "{header}");
        }
        for late in [seconds - 301, seconds + 301, i64::MIN, i64::MAX] {
            let header = format!("t={late},v1={}", signed(OLD, late));
            assert_eq!(stripe(&header, "{}"), Err(AuthFailure::StaleSignature), "{late}");
        }
        assert_eq!(stripe(&format!("t={},v1={}", seconds - 300, signed(OLD, seconds - 300)), "{}"), Ok(()));
    }

    #[test]
    fn a_published_example_of_github_holds() {
        // From GitHub's documentation of webhooks.
        let secret = Secret(b"It's a Secret to Everybody".to_vec());
        let proof = SenderProof::new(Scheme::Github, &[secret], Duration::ZERO);
        let header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let claim = proof.claim(Shown { github: Some(header), ..Shown::default() }, NOW).unwrap();
        assert_eq!(proof.verify(&claim, b"Hello, World!"), Ok(()));
        assert_eq!(proof.verify(&claim, b"Hello, World?"), Err(AuthFailure::InvalidSignature));
        let sha1 =
            Shown { github: Some("sha1=7d38cdd689735b008b3c702edd92eea23791c5f6"), ..Shown::default() };
        assert_eq!(proof.claim(sha1, NOW), Err(AuthFailure::InvalidSignature));
        assert_eq!(proof.claim(Shown::default(), NOW), Err(AuthFailure::Missing));
    }

    #[test]
    fn a_token_is_shown_in_one_of_several_ways() {
        let claim = |authorization: Option<&str>, api_key: Option<&str>| {
            let api_key = api_key.map(str::as_bytes);
            proof(Scheme::Token).claim(Shown { authorization, api_key, ..Shown::default() }, NOW)
        };
        let basic = format!("Basic {}", STANDARD.encode(format!("anyone:{NEW}")));
        for good in [format!("Bearer {OLD}"), format!("bearer {NEW}"), format!("ApiKey {OLD}"), basic] {
            assert_eq!(claim(Some(&good), None), Ok(Claim::Proven), "{good}");
        }
        assert_eq!(claim(None, Some(OLD)), Ok(Claim::Proven));
        // A key alone decides where one is shown.
        assert_eq!(claim(Some(&format!("Bearer {OLD}")), Some("x")), Err(AuthFailure::InvalidKey));
        for bad in [format!("Bearer {OLD}x"), "Bearer ".to_owned()] {
            assert_eq!(claim(Some(&bad), None), Err(AuthFailure::InvalidToken), "{bad}");
        }
        for none in [None, Some("Digest x"), Some(OLD), Some("Basic !")] {
            assert_eq!(claim(none, None), Err(AuthFailure::Missing), "{none:?}");
        }
    }
}
