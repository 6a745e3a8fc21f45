//! Admitting a request: credential → principal → permission → rate limit, before its body is read.

mod client;
mod hook;
mod proof;

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use crate::{
    auth::{KeyRefusal, Pending, Usage},
    domain::{AuthFailure, Error, Permission, Principal, Timestamp},
    limit::{LimitStatus, Spender},
    snapshot::Snapshot,
};

pub use client::client_address;
pub use hook::{Knock, knock, overloaded};

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
    /// Whether no proxy forwarded it, and it names a local or an allowed host: asked of published credentials alone.
    pub is_direct: bool,
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
    /// Whose limits it spent.
    pub account: Account,
}

/// Whose limits a request spends, should it come to cost more than one.
#[derive(Debug, Clone)]
pub struct Account {
    /// The place of its tenant in the snapshot.
    tenant: usize,
    spender: Spender,
    /// Where what becomes of the request is counted, for an API key.
    usage: Option<Arc<Usage>>,
}

impl Account {
    /// The most requests that pass at once.
    pub fn burst(&self, snapshot: &Snapshot) -> u32 {
        snapshot.limiters.burst(self.tenant, self.spender)
    }

    /// Spends one further request of one that was admitted and goes on.
    pub fn spend_one(&self, snapshot: &Snapshot) -> LimitStatus {
        snapshot.limiters.check_more(self.tenant, self.spender, NonZeroU32::MIN)
    }

    /// Spends further requests for one that was admitted and turned out to be worth so many: all of them, or none.
    /// Gives what the tightest of its limits says.
    ///
    /// # Errors
    /// Where so many never pass at once, the number that do.
    pub fn spend(&self, snapshot: &Snapshot, requests: usize) -> Result<Option<LimitStatus>, u32> {
        let burst = self.burst(snapshot);
        let requests = u32::try_from(requests).ok().filter(|n| *n <= burst).ok_or(burst)?;
        let more = NonZeroU32::new(requests.saturating_sub(1));
        let limit = more.map(|more| snapshot.limiters.check_more(self.tenant, self.spender, more));
        if limit.is_some_and(|limit| !limit.passes()) {
            self.usage.iter().for_each(|usage| usage.refused(KeyRefusal::Limit));
        }
        Ok(limit)
    }
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
    /// What to wait for before it is refused: after that it may be admitted.
    pub pending: Option<Pending>,
}

impl Refusal {
    fn unauthenticated(failure: AuthFailure) -> Self {
        Self { failure: Some(failure), ..Self::of(failure.into()) }
    }

    fn of(error: Error) -> Self {
        Self { error, limit: None, failure: None, whose: None, pending: None }
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
            let account = Account { tenant: proof.tenant, spender: proof.spender, usage: proof.usage };
            Ok(Admitted { principal: proof.principal, limit, account })
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
