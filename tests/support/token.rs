//! Bearer tokens as an identity provider would sign them, with any claims.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value, json};

/// The claims of a token, and the secret that signs them.
#[derive(Clone)]
pub struct Token {
    secret: &'static str,
    claims: Map<String, Value>,
}

impl Token {
    /// A good token of a user, without roles, that holds for an hour.
    pub fn of(secret: &'static str, user: i64) -> Self {
        let mut claims = Map::new();
        claims.insert("user_id".into(), user.into());
        claims.insert("exp".into(), (now() + 3600).into());
        Self { secret, claims }
    }

    /// With a claim set; null takes it out.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => self.claims.shift_remove(name),
            value => self.claims.insert(name.into(), value),
        };
        self
    }

    /// With these roles.
    pub fn roles(self, roles: &[&str]) -> Self {
        self.claim("roles", json!(roles))
    }

    /// One that ended an hour ago.
    pub fn expired(self) -> Self {
        self.claim("exp", now() - 3600)
    }

    /// The token as it is presented.
    pub fn sign(&self) -> String {
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        encode(&Header::default(), &self.claims, &key).expect("claims are JSON")
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set");
    i64::try_from(since.as_secs()).expect("this century")
}
