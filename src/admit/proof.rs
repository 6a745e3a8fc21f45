//! From what a request presents to the principal that it proves, or to why it proves none.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{Presented, Refusal, client_address};
use crate::{
    auth::{BadToken, KeyEntry, KeyRefusal, Pending, Usage},
    domain::{AuthFailure, Error, Principal, Timestamp},
    limit::Spender,
    snapshot::Snapshot,
};

/// When to try again where an issuer's keys cannot be had: no sooner are they asked for again.
const KEYS_RETRY: Duration = Duration::from_secs(5);

/// A credential that holds.
pub(super) struct Proof {
    pub(super) principal: Arc<Principal>,
    /// The place of its tenant in the snapshot.
    pub(super) tenant: usize,
    pub(super) spender: Spender,
    /// Where what becomes of the request is counted, for an API key.
    pub(super) usage: Option<Arc<Usage>>,
}

/// A credential that does not.
pub(super) struct Fault {
    failure: AuthFailure,
    /// Whose it is, where that is known.
    whose: Option<Arc<Principal>>,
    /// What the log is told of it.
    note: Option<Note>,
    /// It is not known to be bad: the keys that decide are still to be fetched.
    pending: Option<Pending>,
}

enum Note {
    /// The published credential that came through a proxy or under a foreign host.
    Development(String),
    /// Why a token proves nobody.
    Token(&'static str),
}

impl From<AuthFailure> for Fault {
    fn from(failure: AuthFailure) -> Self {
        Self { failure, whose: None, note: None, pending: None }
    }
}

impl From<BadToken> for Fault {
    fn from(bad: BadToken) -> Self {
        match bad {
            BadToken::Expired => AuthFailure::ExpiredToken.into(),
            BadToken::Invalid(why) => {
                Self { note: Some(Note::Token(why)), ..AuthFailure::InvalidToken.into() }
            }
            BadToken::Pending(pending) => Self { pending: Some(pending), ..AuthFailure::InvalidToken.into() },
        }
    }
}

pub(super) fn prove(snapshot: &Snapshot, presented: &Presented, now: Timestamp) -> Result<Proof, Fault> {
    match presented.api_key {
        Some(key) => prove_key(snapshot, presented, key, now),
        None => prove_bearer(snapshot, presented, now).map(|(proof, _)| proof),
    }
}

fn prove_key(snapshot: &Snapshot, presented: &Presented, key: &[u8], now: Timestamp) -> Result<Proof, Fault> {
    let of = |entry: &KeyEntry| Some(Arc::clone(&entry.principal));
    let entry = snapshot
        .keys
        .verify(key, now, || client_of(snapshot, presented))
        .map_err(|entry| Fault { whose: entry.and_then(of), ..Fault::from(AuthFailure::InvalidKey) })?;
    if entry.development && !presented.is_direct {
        entry.usage.refused(KeyRefusal::Credential);
        let description = entry.description.as_deref().unwrap_or("without description");
        return Err(Fault {
            failure: AuthFailure::InvalidKey,
            whose: of(entry),
            note: Some(Note::Development(format!("API key {} ({description})", entry.fingerprint))),
            pending: None,
        });
    }
    Ok(Proof {
        principal: Arc::clone(&entry.principal),
        tenant: entry.tenant,
        spender: Spender::Key(entry.index),
        usage: Some(Arc::clone(&entry.usage)),
    })
}

/// With the time when the token ends.
pub(super) fn prove_bearer(
    snapshot: &Snapshot,
    presented: &Presented,
    now: Timestamp,
) -> Result<(Proof, Timestamp), Fault> {
    let token = presented.authorization.and_then(bearer).ok_or(AuthFailure::Missing)?;
    let verified = snapshot.tokens.verify(token, now)?;
    let settings = snapshot.tenants.get_index(verified.tenant);
    if settings.is_some_and(|(_, settings)| verified.is_revoked(&settings.revoked)) {
        let whose = Some(Arc::clone(&verified.principal));
        return Err(Fault { whose, ..Fault::from(AuthFailure::RevokedToken) });
    }
    if verified.development && !presented.is_direct {
        let Principal { tenant, name, .. } = &*verified.principal;
        return Err(Fault {
            failure: AuthFailure::InvalidToken,
            whose: Some(Arc::clone(&verified.principal)),
            note: Some(Note::Development(format!("bearer token of {name}, tenant {tenant}"))),
            pending: None,
        });
    }
    let proof = Proof {
        principal: Arc::clone(&verified.principal),
        tenant: verified.tenant,
        spender: Spender::User(verified.user),
        usage: None,
    };
    Ok((proof, verified.expires))
}

/// The token of a `Bearer` header. Another scheme is none of the gateway's credentials (a proxy's own
/// `Basic`, say), so it counts as no credential at all; `Bearer` with nothing behind it is a bad token.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn client_of(snapshot: &Snapshot, presented: &Presented) -> Option<IpAddr> {
    client_address(presented.peer, presented.forwarded_for, presented.forwarded, &snapshot.trusted_proxies)
}

impl Fault {
    pub(super) fn failure(self) -> AuthFailure {
        self.failure
    }

    /// The refusal. An expired token was once a good one, and counts against nobody.
    pub(super) fn refuse(self, snapshot: &Snapshot, presented: &Presented) -> Refusal {
        if let Some(pending) = self.pending {
            let error = Error::KeysUnavailable { retry_after: KEYS_RETRY };
            return Refusal { pending: Some(pending), ..Refusal::of(error) };
        }
        // Where the client is not known, the failures of a whole proxy count as one: a limit may be coarse.
        let client = client_of(snapshot, presented).unwrap_or(presented.peer);
        let refusal = refusal(snapshot, self.failure, self.whose, client);
        // Anyone can present bad credentials, so the limit above also bounds these lines.
        match self.note.filter(|_| refusal.limit.is_some_and(|limit| limit.retry_after.is_none())) {
            Some(Note::Development(credential)) => {
                tracing::warn!(
                    "a published credential was refused, as the request came through a proxy or its Host is neither \
                     localhost nor one of server.allowed_hosts: {credential}"
                );
            }
            Some(Note::Token(why)) => tracing::info!("a bearer token was refused: {why}"),
            None => {}
        }
        refusal
    }
}

/// The refusal, after counting it against the client's address if it may have been a guess, or if there was nothing to
/// guess with: who asks without a credential costs as much.
pub(super) fn refusal(
    snapshot: &Snapshot,
    failure: AuthFailure,
    whose: Option<Arc<Principal>>,
    client: IpAddr,
) -> Refusal {
    use AuthFailure::{InvalidKey, InvalidSignature, InvalidToken, Missing};
    let refusal = Refusal { whose, ..Refusal::unauthenticated(failure) };
    match failure {
        InvalidKey | InvalidToken | InvalidSignature | Missing => guessed(snapshot, refusal, client),
        _ => refusal,
    }
}

/// Counts a refusal against the client's address.
pub(super) fn guessed(snapshot: &Snapshot, mut refusal: Refusal, client: IpAddr) -> Refusal {
    let limit = snapshot.limiters.check_failure(client);
    refusal.limit = Some(limit);
    if let Some(retry_after) = limit.retry_after {
        refusal.error = Error::RateLimited { retry_after };
    }
    refusal
}
