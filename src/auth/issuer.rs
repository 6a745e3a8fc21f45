//! One issuer: whether it signed a token, and what the token's claims say.

use std::{num::NonZeroU32, sync::Arc};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use indexmap::IndexMap;
use jsonwebtoken::{
    Algorithm as Jwa, AlgorithmFamily, DecodingKey, Header, TokenData, Validation,
    crypto::aws_lc::DEFAULT_PROVIDER, decode,
};
use serde_json::Value;

use super::{
    claims::{self, Claims, seconds, text},
    jwks::{Signer, Source, Unfound},
    tokens::{BadToken, Verified},
};
use crate::{
    config::{Algorithm, Issuer},
    domain::{Permissions, Principal, PrincipalKind, TenantId, Timestamp, UserId},
};

/// What checks the tokens of one issuer.
pub(super) struct IssuerVerifier {
    settings: Issuer,
    key: Key,
    validation: Validation,
    tenant: usize,
    tenant_id: TenantId,
    roles: Arc<IndexMap<String, Permissions>>,
    /// Bounds what the log says of its tokens to a line a minute: anyone who has a token can present it.
    reports: DefaultDirectRateLimiter,
}

/// What verifies its tokens.
enum Key {
    /// One key, of the configuration.
    Given(Box<DecodingKey>),
    /// The keys that it publishes.
    Published(Source),
}

/// Why an issuer refuses what it has not signed.
pub(super) const UNSIGNED: &str = "its signature or form is wrong";

impl IssuerVerifier {
    /// Reads the issuer's key, or takes the source of those it publishes. The error says what is wrong with it, and shows nothing of it.
    pub(super) fn build(
        settings: &Issuer,
        tenant: usize,
        tenant_id: &TenantId,
        roles: &Arc<IndexMap<String, Permissions>>,
        source: Option<Source>,
    ) -> Result<Self, &'static str> {
        let key = match source {
            Some(source) => Key::Published(source),
            None => Key::Given(Box::new(decoding_key(settings)?)),
        };
        let mut validation = Validation::new(jwa(settings.algorithm));
        // The library checks algorithm and signature. The claims are checked here: it would read the
        // system's clock, and let a token pass that lacks the claim to be compared.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        let (settings, tenant_id, roles) = (settings.clone(), tenant_id.clone(), Arc::clone(roles));
        let reports = RateLimiter::direct(Quota::per_minute(NonZeroU32::MIN));
        Ok(Self { settings, key, validation, tenant, tenant_id, roles, reports })
    }

    /// What `iss` must say.
    pub(super) fn name(&self) -> Option<&str> {
        self.settings.issuer.as_deref()
    }

    /// The algorithm that its tokens must name.
    pub(super) fn algorithm(&self) -> Jwa {
        jwa(self.settings.algorithm)
    }

    /// The keys it publishes, if it does.
    pub(super) fn source(&self) -> Option<&Source> {
        match &self.key {
            Key::Given(_) => None,
            Key::Published(source) => Some(source),
        }
    }

    /// Whom the token proves, whether or not it has expired. The error is for the log. `header` is the
    /// token's, read unverified: only to find the key by the name it gives.
    pub(super) fn verify(&self, token: &str, header: &Header, now: Timestamp) -> Result<Verified, BadToken> {
        let (data, signer) = self.signature(token, header, now)?;
        if data.header.crit.is_some() {
            return Err("it names critical extensions".into());
        }
        let claims = data.claims;
        self.check_addressing(&claims)?;
        let expires = self.check_times(&claims, now)?;
        let user = self.user(&claims).ok_or("it names no user")?;
        let name: Arc<str> = format!("user:{user}").into();
        let principal = Principal {
            tenant: self.tenant_id.clone(),
            kind: PrincipalKind::User(user),
            permissions: self.permissions(&claims),
            origin: Arc::clone(&name),
            name,
        };
        Ok(Verified {
            principal: Arc::new(principal),
            user,
            tenant: self.tenant,
            development: self.settings.development,
            expires,
            jti: claims.get("jti").and_then(text),
            issued_at: claims.get("iat").and_then(seconds),
            signer,
        })
    }

    fn signature(
        &self,
        token: &str,
        header: &Header,
        now: Timestamp,
    ) -> Result<(TokenData<Claims>, Option<Signer>), BadToken> {
        let with = |key: &DecodingKey| decode::<Claims>(token, key, &self.validation).ok();
        match &self.key {
            Key::Given(key) => Ok((with(key).ok_or(UNSIGNED)?, None)),
            Key::Published(source) => {
                let keys =
                    source.set.find(header, self.algorithm(), (now, source.keep), |key| with(&key.key));
                let (data, signer) = keys.map_err(|unfound| match unfound {
                    Unfound::Invalid(why) => BadToken::Invalid(why),
                    Unfound::Pending(pending) => BadToken::Pending(pending),
                })?;
                Ok((data, Some(signer)))
            }
        }
    }

    fn check_addressing(&self, claims: &Claims) -> Result<(), &'static str> {
        if let Some(issuer) = self.name()
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err("its iss is another");
        }
        const OTHER: &str = "its aud does not hold the configured audience";
        let addressed = match (claims.get("aud"), self.settings.audience.as_deref()) {
            (None | Some(Value::Null), expected) => expected.is_none(),
            // RFC 7519 4.1.3: a token that names its readers is not for one who has no name.
            (Some(_), None) => return Err("it has an aud, but its issuer here has no audience"),
            (Some(Value::String(aud)), Some(expected)) => aud == expected,
            (Some(Value::Array(auds)), Some(expected)) => auds.iter().any(|aud| aud == expected),
            (Some(_), Some(_)) => false,
        };
        if addressed { Ok(()) } else { Err(OTHER) }
    }

    /// When the token ends, with the leeway; fails when that is missing, or it has not begun.
    fn check_times(&self, claims: &Claims, now: Timestamp) -> Result<Timestamp, &'static str> {
        let leeway = i64::try_from(self.settings.leeway.as_secs()).unwrap_or(i64::MAX);
        if let Some(nbf) = claims.get("nbf") {
            let nbf = seconds(nbf).ok_or("its nbf is not a time")?;
            if now.unix_seconds() < nbf.saturating_sub(leeway) {
                return Err("its nbf is to come");
            }
        }
        let exp = claims.get("exp").and_then(seconds).ok_or("it has no exp")?;
        Ok(Timestamp(0).plus_seconds(exp.saturating_add(leeway)))
    }

    /// The first of the configured claims that is there decides.
    fn user(&self, claims: &Claims) -> Option<UserId> {
        let claim = self.settings.user_claims.iter().find_map(|name| claims::find(claims, name))?;
        let id = match claim {
            Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
            other => other.as_i64()?,
        };
        UserId::new(id).ok()
    }

    /// The union of the roles that the tenant knows and the issuer may give; other names mean nothing here.
    fn permissions(&self, claims: &Claims) -> Permissions {
        let named = match claims::find(claims, &self.settings.roles_claim) {
            Some(Value::Array(roles)) => roles.as_slice(),
            Some(role) => std::slice::from_ref(role),
            None => &[],
        };
        let listed =
            |name: &str| self.settings.roles.as_ref().is_none_or(|all| all.iter().any(|r| r == name));
        let known =
            named.iter().filter_map(Value::as_str).filter_map(|name| Some((name, *self.roles.get(name)?)));
        let (claimed, ignored): (Vec<_>, Vec<_>) = known.partition(|(name, _)| listed(name));
        if !ignored.is_empty() && self.reports.check().is_ok() {
            let ignored: Vec<_> = ignored.iter().map(|(name, _)| *name).collect();
            let (tenant, issuer) = (&self.tenant_id, self.name().unwrap_or("without a name"));
            tracing::warn!(
                %tenant, issuer, ?ignored, "a bearer token claims roles that its issuer's `roles` do not list"
            );
        }
        claimed.into_iter().fold(Permissions::default(), |all, (_, role)| all.union(role))
    }
}

fn jwa(algorithm: Algorithm) -> Jwa {
    match algorithm {
        Algorithm::Hs256 => Jwa::HS256,
        Algorithm::Rs256 => Jwa::RS256,
        Algorithm::Es256 => Jwa::ES256,
        Algorithm::EdDsa => Jwa::EdDSA,
    }
}

/// Reads a key so strictly that one which could never verify a token is found now, not at the first
/// token.
fn decoding_key(issuer: &Issuer) -> Result<DecodingKey, &'static str> {
    let bytes = &issuer.key.0;
    let (key, expected) = match issuer.algorithm {
        Algorithm::Hs256 => (Ok(DecodingKey::from_secret(bytes)), "an HS256 secret has at least 32 bytes"),
        Algorithm::Rs256 => {
            (DecodingKey::from_rsa_pem(bytes), "RS256 needs an RSA public key of 2048 to 8192 bits in PEM")
        }
        Algorithm::Es256 => (DecodingKey::from_ec_pem(bytes), "ES256 needs a P-256 public key in PEM"),
        Algorithm::EdDsa => (DecodingKey::from_ed_pem(bytes), "EdDSA needs an Ed25519 public key in PEM"),
    };
    key.ok().filter(usable).ok_or(expected)
}

fn usable(key: &DecodingKey) -> bool {
    let Ok(bytes) = key.try_get_as_bytes() else { return false };
    match key.family() {
        AlgorithmFamily::Hmac => bytes.len() >= 32,
        AlgorithmFamily::Rsa => (DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key)(bytes)
            .is_ok_and(|(n, _)| (256..=1024).contains(&n.len())),
        // An uncompressed point of P-256.
        AlgorithmFamily::Ec => bytes.len() == 65 && bytes[0] == 4,
        AlgorithmFamily::Ed => bytes.len() == 32,
    }
}
