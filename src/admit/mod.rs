//! Admitting a request: credential → principal → permission → rate limit, before its body is read.

mod client;
mod proof;

use std::{net::IpAddr, sync::Arc};

use crate::{
    auth::KeyRefusal,
    domain::{AuthFailure, Error, Permission, Principal, Timestamp},
    limit::LimitStatus,
    snapshot::Snapshot,
};

pub use client::client_address;

/// What a request shows of where it comes from and who sent it.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The `X-API-KEY` header.
    pub api_key: Option<&'a [u8]>,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// Who opened the connection.
    pub peer: IpAddr,
    /// The `X-Forwarded-For` headers, joined by commas in their order.
    pub forwarded_for: Option<&'a str>,
    /// The `Forwarded` headers, joined by commas in their order.
    pub forwarded: Option<&'a str>,
    /// Whether `Forwarded`, `X-Forwarded-For` or `Via` is there.
    pub via_proxy: bool,
}

/// What a request needs of its principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// That permission.
    Permission(Permission),
    /// To be a user, with an inbox of their own.
    Inbox,
    /// Only to be someone.
    Any,
}

/// A request that may go on.
#[derive(Debug)]
pub struct Admitted {
    /// Who it comes from.
    pub principal: Arc<Principal>,
    /// What the tightest of its limits says.
    pub limit: LimitStatus,
}

/// A request that may not.
#[derive(Debug)]
pub struct Refusal {
    /// What to answer.
    pub error: Error,
    /// What the limit says that it was counted under, if it was.
    pub limit: Option<LimitStatus>,
    /// Why its credential proved nobody, to be counted: known also where the answer is that there
    /// were too many failures.
    pub failure: Option<AuthFailure>,
    /// Whose credential it is, where that is known.
    pub whose: Option<Arc<Principal>>,
}

impl Refusal {
    fn unauthenticated(failure: AuthFailure) -> Self {
        Self { failure: Some(failure), ..Self::of(failure.into()) }
    }

    fn of(error: Error) -> Self {
        Self { error, limit: None, failure: None, whose: None }
    }
}

/// Whether a request may go on. An API key alone decides wherever one is presented, even beside a
/// bearer token.
pub fn admit(
    snapshot: &Snapshot,
    presented: &Presented,
    need: Need,
    now: Timestamp,
) -> Result<Admitted, Refusal> {
    let proof = proof::prove(snapshot, presented, now).map_err(|fault| fault.refuse(snapshot, presented))?;
    let refused = |why| proof.usage.iter().for_each(|usage| usage.refused(why));
    match need {
        Need::Permission(permission) if !proof.principal.permissions.has(permission) => {
            refused(KeyRefusal::Permission);
            return Err(Refusal { whose: Some(proof.principal), ..Refusal::of(Error::Lacks(permission)) });
        }
        Need::Inbox if proof.principal.user().is_none() => {
            refused(KeyRefusal::Permission);
            return Err(Refusal::unauthenticated(AuthFailure::UserRequired));
        }
        _ => {}
    }
    let limit = snapshot.limiters.check(proof.tenant, proof.spender);
    match limit.retry_after {
        None => {
            proof.usage.iter().for_each(|usage| usage.admitted(now));
            Ok(Admitted { principal: proof.principal, limit })
        }
        Some(retry_after) => {
            refused(KeyRefusal::Limit);
            let (limit, whose) = (Some(limit), Some(proof.principal));
            Err(Refusal { limit, whose, ..Refusal::of(Error::RateLimited { retry_after }) })
        }
    }
}

/// Whom a bearer that was admitted still proves, and until when: for what lasts longer than a request. It spends and
/// counts nothing.
///
/// # Errors
/// Why it proves nobody any more.
pub fn recheck(
    snapshot: &Snapshot,
    presented: &Presented,
    now: Timestamp,
) -> Result<(Arc<Principal>, Timestamp), AuthFailure> {
    let (proof, expires) = proof::prove_bearer(snapshot, presented, now).map_err(proof::Fault::failure)?;
    Ok((proof.principal, expires))
}

#[cfg(test)]
mod tests;
