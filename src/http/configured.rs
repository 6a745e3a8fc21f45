//! What the snapshot in force tells of its API keys, hooks and issuers, as metrics.

use crate::{
    auth::KeyRefusal,
    domain::Timestamp,
    metrics::{Configured, HookFigures, IssuerFigures, KeyFigures},
    snapshot::{Count, Snapshot},
};

/// Writes them behind what is there already.
pub fn render(snapshot: &Snapshot, now: Timestamp, text: &mut Vec<u8>) -> Result<(), prometheus::Error> {
    let configured = Configured::new()?;
    for key in snapshot.keys.iter() {
        let description = key.description.as_deref().unwrap_or_default();
        configured.key(KeyFigures {
            labels: [key.principal.tenant.as_str(), description, &key.fingerprint],
            requests: key.usage.requests(),
            refusals: KeyRefusal::ALL.map(|why| (why.as_str(), key.usage.refusals(why))),
            last_used: key.usage.last_used().map(seconds),
            expires: key.expires_at().map(seconds),
        });
    }
    for hook in snapshot.hooks.iter() {
        configured.hook(HookFigures {
            labels: [hook.principal.tenant.as_str(), &hook.id],
            requests: hook.usage.requests(),
            refusals: KeyRefusal::ALL.map(|why| (why.as_str(), hook.usage.refusals(why))),
            outcomes: Count::OUTCOMES.map(|(what, name)| (name, hook.tally.get(what))),
            unknown: hook.tally.get(Count::Unknown),
        });
    }
    for source in snapshot.tokens.sources() {
        let state = source.state(now);
        configured.issuer(IssuerFigures {
            labels: [source.tenant.as_str(), &source.issuer],
            keys: state.keys,
            age: state.age,
            failures: state.failures,
        });
    }
    configured.render(text)
}

fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1e6
}
