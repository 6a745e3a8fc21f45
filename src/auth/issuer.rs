//! One issuer: whether it signed a token, and what the token's claims say.

use std::{num::NonZeroU32, sync::Arc};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use indexmap::IndexMap;
use serde_json::Value;

use super::{
    claims::{self, Claims, seconds, text},
    jwks::{Signer, Source, Unfound},
    jws::Jws,
    key::VerifyingKey,
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
    tenant: usize,
    tenant_id: TenantId,
    roles: Arc<IndexMap<String, Permissions>>,
    /// Bounds what the log says of its tokens to a line a minute: anyone who has a token can present it.
    reports: DefaultDirectRateLimiter,
}

/// What verifies its tokens.
enum Key {
    /// One key, of the configuration.
    Given(VerifyingKey),
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
            None => Key::Given(VerifyingKey::configured(settings.algorithm, &settings.key.0)?),
        };
        let (settings, tenant_id, roles) = (settings.clone(), tenant_id.clone(), Arc::clone(roles));
        let reports = RateLimiter::direct(Quota::per_minute(NonZeroU32::MIN));
        Ok(Self { settings, key, tenant, tenant_id, roles, reports })
    }

    /// What `iss` must say.
    pub(super) fn name(&self) -> Option<&str> {
        self.settings.issuer.as_deref()
    }

    /// The algorithm that its tokens must name.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.settings.algorithm
    }

    /// The keys it publishes, if it does.
    pub(super) fn source(&self) -> Option<&Source> {
        match &self.key {
            Key::Given(_) => None,
            Key::Published(source) => Some(source),
        }
    }

    /// Whom the token proves, whether or not it has expired. The error is for the log.
    pub(super) fn verify(&self, token: &Jws<'_>, now: Timestamp) -> Result<Verified, BadToken> {
        let signer = self.signature(token, now)?;
        if token.head.crit.is_some() {
            return Err("it names critical extensions".into());
        }
        let claims = &token.claims;
        self.check_addressing(claims)?;
        let expires = self.check_times(claims, now)?;
        let user = self.user(claims).ok_or("it names no user")?;
        let name: Arc<str> = format!("user:{user}").into();
        let principal = Principal {
            tenant: self.tenant_id.clone(),
            kind: PrincipalKind::User(user),
            permissions: self.permissions(claims),
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

    /// Checks the signature. Returns the key that made it, where keys are published.
    fn signature(&self, token: &Jws<'_>, now: Timestamp) -> Result<Option<Signer>, BadToken> {
        let algorithm = self.algorithm();
        let made = |key: &VerifyingKey| key.verifies(algorithm, token.signed, &token.signature);
        let source = match &self.key {
            Key::Given(key) => return if made(key) { Ok(None) } else { Err(UNSIGNED.into()) },
            Key::Published(source) => source,
        };
        let kid = token.head.kid.as_deref();
        match source.set.find(kid, algorithm, (now, source.keep), |key| made(&key.key)) {
            Ok(signer) => Ok(Some(signer)),
            Err(Unfound::Invalid(why)) => Err(why.into()),
            Err(Unfound::Pending(pending)) => {
                // No key makes these good.
                self.check_addressing(&token.claims)?;
                if self.check_times(&token.claims, now)? <= now {
                    return Err("it has expired, and its issuer has no such key".into());
                }
                Err(BadToken::Pending(pending.ask()))
            }
        }
    }

    fn check_addressing(&self, claims: &Claims) -> Result<(), &'static str> {
        if let Some(issuer) = self.name()
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err("its iss is another");
        }
        const OTHER: &str = "its aud, or audience_claim, does not hold the configured audience";
        let aud = claims::find(claims, &self.settings.audience_claim);
        let addressed = match (aud, self.settings.audience.as_deref()) {
            (None, expected) => expected.is_none(),
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
