//! What the load generator shows the gateway: made for one run and one tenant.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::{Result, fill::FIRST_USER};

/// A tenant's credentials.
#[derive(Default)]
pub struct Credentials {
    pub tenant: &'static str,
    /// The key that sends.
    pub api_key: String,
    /// What signs the readers' tokens with HS256.
    pub secret: String,
    /// The public half, in PEM, of what signs them with EdDSA.
    pub public_key: String,
    /// A token for each reader, by place, signed with HS256.
    pub tokens: Vec<String>,
    /// The same signed with EdDSA.
    pub eddsa_tokens: Vec<String>,
}

#[derive(Serialize)]
struct Claims {
    user_id: u64,
    iat: u64,
    exp: u64,
}

impl Credentials {
    /// Credentials of this run alone.
    pub fn new(tenant: &'static str, readers: u64) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let run = format!("{tenant}-{}-{}", now.as_nanos(), std::process::id());
        let secret = format!("bench-secret-that-lives-for-one-run-{run}");
        let pair = Ed25519KeyPair::generate()?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
        let sign = |algorithm, key: &EncodingKey| -> Result<Vec<String>> {
            let iat = now.as_secs();
            let token = |place| {
                let claims = Claims { user_id: FIRST_USER + place, iat, exp: iat + 24 * 3_600 };
                jsonwebtoken::encode(&Header::new(algorithm), &claims, key)
            };
            Ok((0..readers).map(token).collect::<Result<_, _>>()?)
        };
        Ok(Self {
            tenant,
            api_key: format!("bench-key-that-lives-for-one-run-{run}"),
            tokens: sign(Algorithm::HS256, &EncodingKey::from_secret(secret.as_bytes()))?,
            eddsa_tokens: sign(Algorithm::EdDSA, &EncodingKey::from_ed_der(pair.to_pkcs8()?.as_ref()))?,
            public_key: pem(public.as_ref()),
            secret,
        })
    }
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};

    use super::*;

    #[test]
    fn each_key_verifies_the_tokens_of_its_algorithm() {
        let credentials = Credentials::new("default", 3).expect("credentials");
        let public = DecodingKey::from_ed_pem(credentials.public_key.as_bytes()).expect("a public key");
        let secret = DecodingKey::from_secret(credentials.secret.as_bytes());
        for (tokens, key, algorithm) in [
            (&credentials.tokens, secret, Algorithm::HS256),
            (&credentials.eddsa_tokens, public, Algorithm::EdDSA),
        ] {
            assert_eq!(tokens.len(), 3);
            for (place, token) in (0..).zip(tokens) {
                let token = decode::<serde_json::Value>(token, &key, &Validation::new(algorithm));
                assert_eq!(token.expect("a good token").claims["user_id"], FIRST_USER + place);
            }
        }
    }
}
