//! Admitting what a hook's sender brings. A signature is over the body, so this has two halves: what the head alone
//! can prove is proved before the body is read, the rest with it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{Account, Admitted, Presented, Refusal, client_address, proof};
use crate::{
    auth::{Claim, KeyRefusal, Shown},
    config::Overload,
    domain::{AuthFailure, Error, Permission, Timestamp},
    limit::Spender,
    snapshot::{Hook, Snapshot, Works},
};

/// When to come again while a hook's mapping is broken.
const BROKEN: Duration = Duration::from_secs(30);

/// Who stands at the door of a hook.
pub struct Knock {
    /// The hook.
    pub hook: Arc<Hook>,
    claim: Claim,
    /// Where the request comes from, as far as that is known.
    client: IpAddr,
}

/// Looks at the head of a request to a hook, which may admit it already.
///
/// # Errors
/// That there is no such hook, or why the head proves nobody that may go on.
pub fn knock(
    snapshot: &Snapshot,
    id: &str,
    presented: &Presented,
    signatures: Shown<'_>,
    now: Timestamp,
) -> Result<(Knock, Option<Admitted>), Refusal> {
    let Presented { api_key, authorization, peer, forwarded_for, forwarded, .. } = *presented;
    let client = client_address(peer, forwarded_for, forwarded, &snapshot.trusted_proxies).unwrap_or(peer);
    let Some(hook) = snapshot.hooks.find(id) else {
        // Whoever asks for one after the other guesses.
        return Err(proof::guessed(snapshot, Refusal::of(Error::HookNotFound), client));
    };
    let Some(works) = &hook.works else {
        return Err(Refusal::of(Error::Busy { retry_after: BROKEN }));
    };
    let claim = works
        .proof
        .claim(Shown { api_key, authorization, ..signatures }, now)
        .map_err(|failure| refuse(snapshot, hook, failure, client))?;
    let is_proven = claim == Claim::Proven;
    let admitted = if is_proven { Some(pass(snapshot, hook, works, now)?) } else { None };
    Ok((Knock { hook: Arc::clone(hook), claim, client }, admitted))
}

impl Knock {
    /// Where the request comes from, as far as that is known.
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// The rest, with the body, unless the head has admitted it.
    ///
    /// # Errors
    /// Why the two together prove nobody that may go on.
    pub fn enter(
        &self,
        snapshot: &Snapshot,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<Admitted>, Refusal> {
        let Some(works) = self.hook.works.as_ref().filter(|_| self.claim != Claim::Proven) else {
            return Ok(None);
        };
        let verified = works.proof.verify(&self.claim, body);
        verified.map_err(|failure| refuse(snapshot, &self.hook, failure, self.client))?;
        pass(snapshot, &self.hook, works, now).map(Some)
    }
}

/// Permission and rate limit of a sender who is proved.
fn pass(snapshot: &Snapshot, hook: &Hook, works: &Works, now: Timestamp) -> Result<Admitted, Refusal> {
    let principal = Arc::clone(&hook.principal);
    let permission = Permission::NotificationSend;
    if !principal.permissions.has(permission) {
        hook.usage.refused(KeyRefusal::Permission);
        return Err(Refusal { whose: Some(principal), ..Refusal::of(Error::Lacks(permission)) });
    }
    let limit = snapshot.limiters.check(hook.tenant, Spender::Hook(hook.index));
    let Some(retry_after) = limit.retry_after else {
        hook.usage.admitted(now);
        let usage = Some(Arc::clone(&hook.usage));
        let account = Account { tenant: hook.tenant, spender: Spender::Hook(hook.index), usage };
        return Ok(Admitted { principal, limit, account });
    };
    hook.usage.refused(KeyRefusal::Limit);
    let error = overloaded(works, retry_after);
    Err(Refusal { limit: Some(limit), whose: Some(principal), ..Refusal::of(error) })
}

/// What a hook answers a sender that brings too much.
pub fn overloaded(works: &Works, retry_after: Duration) -> Error {
    match works.overload {
        Overload::TooMany => Error::RateLimited { retry_after },
        Overload::Unavailable => Error::Busy { retry_after },
    }
}

fn refuse(snapshot: &Snapshot, hook: &Hook, failure: AuthFailure, client: IpAddr) -> Refusal {
    hook.usage.refused(KeyRefusal::Credential);
    let whose = Some(Arc::clone(&hook.principal));
    proof::refusal(snapshot, failure, whose, client)
}
