//! Bearer tokens: which issuer signed one, and a memory of those that were verified.

use std::{collections::HashMap, sync::Arc, time::Duration};

use indexmap::IndexMap;
use moka::sync::Cache;

use super::{
    issuer::{IssuerVerifier, UNSIGNED},
    jwks::{KeySet, Pending, Signer, Source},
    jws::Jws,
    key::VerifyingKey,
    sha256,
};
use crate::{
    config::{Algorithm, Config, Issuer, Jwks, Revoked},
    domain::{Permissions, Principal, TenantId, Timestamp, UserId},
};

/// A longer token is refused unread.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How many signatures a single token can make the gateway compute.
const MAX_CANDIDATES: usize = 32;

/// How many verified tokens are remembered, and for how long.
const REMEMBERED: u64 = 50_000;
const REMEMBERED_FOR: Duration = Duration::from_secs(15 * 60);

/// The issuers of all tenants, and the tokens that this very set of issuers has verified.
pub struct Tokens {
    set: Vec<TenantIssuers>,
    issuers: Vec<IssuerVerifier>,
    /// Those with an `iss` of their own, by it.
    named: HashMap<String, Vec<usize>>,
    /// Those without, tried in the order of the configuration.
    unnamed: Vec<usize>,
    verified: Cache<[u8; 32], Arc<Verified>>,
}

/// Everything of one tenant that decides what a token proves: where it differs, no memory is kept.
#[derive(PartialEq)]
struct TenantIssuers {
    tenant: TenantId,
    issuers: Vec<Issuer>,
    roles: Arc<IndexMap<String, Permissions>>,
}

/// What a bearer token proves.
#[derive(Debug)]
pub struct Verified {
    /// Who it proves.
    pub principal: Arc<Principal>,
    /// The user of it.
    pub user: UserId,
    /// The place of the user's tenant among the configured tenants.
    pub tenant: usize,
    /// The issuer's key stands in the published documentation, so anyone can sign such a token.
    pub development: bool,
    /// When it ends, leeway included.
    pub expires: Timestamp,
    /// Its id.
    pub(super) jti: Option<Box<str>>,
    /// When it was issued, in seconds since 1970.
    pub(super) issued_at: Option<i64>,
    /// The published key that signed it, where its issuer publishes keys.
    pub(super) signer: Option<Signer>,
}

impl Verified {
    /// Whether a list refuses the token. One that does not say when it was issued counts as old.
    pub fn is_revoked(&self, list: &Revoked) -> bool {
        let by_user = list.users.get(&self.user).is_some_and(|not_before| {
            self.issued_at.is_none_or(|at| Timestamp(0).plus_seconds(at) < *not_before)
        });
        by_user || self.jti.as_deref().is_some_and(|jti| list.jtis.contains(jti))
    }
}

/// Why a bearer token proves nobody.
#[derive(Debug, Clone)]
pub enum BadToken {
    /// It is good but for its time.
    Expired,
    /// It cannot be judged before its issuer's keys have been fetched.
    Pending(Pending),
    /// Everything else, in words for the log that show nothing of the token.
    Invalid(&'static str),
}

impl From<&'static str> for BadToken {
    fn from(why: &'static str) -> Self {
        Self::Invalid(why)
    }
}

impl Tokens {
    /// Reads the issuers' keys, or takes over the previous verifier with its memory where neither the
    /// issuers nor the roles changed. The error says which issuer's key is unusable and why.
    pub fn build(config: &Config, previous: Option<&Arc<Self>>) -> Result<Arc<Self>, String> {
        let set: Vec<_> = config
            .tenants
            .iter()
            .map(|(id, tenant)| TenantIssuers {
                tenant: id.clone(),
                issuers: tenant.issuers.clone(),
                roles: Arc::new(tenant.roles.clone()),
            })
            .collect();
        if let Some(previous) = previous.filter(|p| p.set == set) {
            return Ok(Arc::clone(previous));
        }
        refuse_twins(&set)?;
        let mut published: Vec<Arc<KeySet>> =
            previous.map(|p| p.sources().map(|source| Arc::clone(&source.set)).collect()).unwrap_or_default();
        let mut issuers = Vec::new();
        for (place, tenant) in set.iter().enumerate() {
            for (nth, issuer) in tenant.issuers.iter().enumerate() {
                let told = |e: &str| format!("tenant {}, {}: {e}", tenant.tenant, describe(nth, issuer));
                let source = match &issuer.jwks {
                    Some(jwks) => Some(Source {
                        tenant: tenant.tenant.clone(),
                        issuer: issuer.issuer.clone().unwrap_or_else(|| format!("{}", nth + 1)),
                        refresh: jwks.refresh,
                        keep: jwks.keep,
                        set: key_set(jwks, &mut published).map_err(told)?,
                    }),
                    None => None,
                };
                let verifier = IssuerVerifier::build(issuer, place, &tenant.tenant, &tenant.roles, source);
                issuers.push(verifier.map_err(told)?);
            }
        }
        let mut named: HashMap<String, Vec<usize>> = HashMap::new();
        let mut unnamed = Vec::new();
        for (index, issuer) in issuers.iter().enumerate() {
            match issuer.name() {
                Some(name) => named.entry(name.to_owned()).or_default().push(index),
                None => unnamed.push(index),
            }
        }
        if unnamed.len() + named.values().map(Vec::len).max().unwrap_or(0) > MAX_CANDIDATES {
            return Err(format!(
                "more than {MAX_CANDIDATES} token issuers name no `issuer`, or the same one: \
                 each token would be tried with all of them"
            ));
        }
        let verified = Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build();
        Ok(Arc::new(Self { set, issuers, named, unnamed, verified }))
    }

    /// The issuers that publish their keys.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.issuers.iter().filter_map(IssuerVerifier::source)
    }

    /// Whom a token proves at that time.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Verified>, BadToken> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(BadToken::Invalid("it is too long"));
        }
        let hash = sha256(token.as_bytes());
        // A key that its issuer no longer publishes takes with it what it signed.
        let stands = |v: &Arc<Verified>| v.signer.as_ref().is_none_or(|signer| signer.stands(now));
        let remembered = self.verified.get(&hash).filter(stands);
        let known = remembered.is_some();
        let verified = match remembered {
            Some(verified) => verified,
            None => Arc::new(self.first_issuer_of(token, now)?),
        };
        if now >= verified.expires {
            return Err(BadToken::Expired);
        }
        if !known {
            self.verified.insert(hash, Arc::clone(&verified));
        }
        Ok(verified)
    }

    fn first_issuer_of(&self, token: &str, now: Timestamp) -> Result<Verified, BadToken> {
        // Read unverified, only to choose whom to ask; each issuer then checks all of it.
        let token = Jws::parse(token).ok_or(BadToken::Invalid("it is no token"))?;
        let algorithm = Algorithm::of_name(&token.head.alg);
        let iss = token.claims.get("iss").and_then(|iss| iss.as_str());
        let named = iss.and_then(|iss| self.named.get(iss)).map_or(&[][..], Vec::as_slice);
        let mut has_reason = false;
        let mut why = BadToken::Invalid("no issuer has its iss and algorithm");
        for issuer in named.iter().chain(&self.unnamed).filter_map(|index| self.issuers.get(*index)) {
            if Some(issuer.algorithm()) != algorithm {
                continue;
            }
            match issuer.verify(&token, now) {
                Ok(verified) => return Ok(verified),
                // Whatever the others say, the keys of this one may verify it.
                Err(_) if matches!(why, BadToken::Pending(_)) => {}
                // What the issuer says that signed it tells more than the others.
                Err(BadToken::Invalid(UNSIGNED)) if has_reason => {}
                Err(fault) => (why, has_reason) = (fault, true),
            }
        }
        Err(why)
    }
}

/// What tells the tokens of an issuer from those of others, besides their `iss`.
#[derive(PartialEq, Eq, Hash)]
struct Accepts<'s> {
    algorithm: Algorithm,
    audience: Option<&'s str>,
    key: Result<VerifyingKey, &'s str>,
}

/// Two tenants' issuers that accept the very same tokens would let the order of the configuration decide whose user a
/// token proves. Keys are compared as they are, however they are written; an issuer without `issuer` takes any `iss`.
fn refuse_twins(set: &[TenantIssuers]) -> Result<(), String> {
    let mut seen: HashMap<Accepts<'_>, Vec<(&TenantId, Option<&str>)>> = HashMap::new();
    for tenant in set {
        for (nth, issuer) in tenant.issuers.iter().enumerate() {
            let key = match &issuer.jwks {
                Some(jwks) => Err(jwks.url.as_str()),
                // One that cannot be read is told where it is built.
                None => VerifyingKey::configured(issuer.algorithm, &issuer.key.0),
            };
            let audience = issuer.audience.as_deref();
            let others = seen.entry(Accepts { algorithm: issuer.algorithm, audience, key }).or_default();
            let iss = issuer.issuer.as_deref();
            let is_twin = |(other, its): &&(&TenantId, Option<&str>)| {
                **other != tenant.tenant && (*its == iss || its.is_none() || iss.is_none())
            };
            if let Some((other, _)) = others.iter().find(is_twin) {
                return Err(format!(
                    "tenant {}, {}: tenant {other} has an issuer with the same key that accepts the same tokens: \
                     give each an `issuer` or an `audience` of its own",
                    tenant.tenant,
                    describe(nth, issuer)
                ));
            }
            others.push((&tenant.tenant, iss));
        }
    }
    Ok(())
}

/// The key set of that URL, with what it holds where there is one already.
fn key_set(jwks: &Jwks, sets: &mut Vec<Arc<KeySet>>) -> Result<Arc<KeySet>, &'static str> {
    let set = KeySet::new(jwks)?;
    // What was found in a private network, or by a proxy, counts only while that is allowed.
    if let Some(set) = sets.iter().find(|known| known.is_of_same_place(&set)) {
        return Ok(Arc::clone(set));
    }
    let set = Arc::new(set);
    sets.push(Arc::clone(&set));
    Ok(set)
}

fn describe(nth: usize, issuer: &Issuer) -> String {
    match &issuer.issuer {
        Some(name) => format!("issuer {} ({name})", nth + 1),
        None => format!("issuer {}", nth + 1),
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
