//! The settings: read from files, checked, and handed on as plain values.
//!
//! [`Inputs`] does the reading and nothing else does; [`parse`] turns exactly those bytes into a [`Config`]
//! or into every problem there is, each with file, line and field.

mod algorithm;
mod cors;
mod decode;
mod development;
mod field;
#[cfg(test)]
pub(crate) mod fixture;
mod folder;
mod guard;
mod hooks;
mod inbox;
mod inputs;
mod issuers;
mod jwks;
mod keys;
mod limits;
mod model;
mod problem;
mod revoked;
mod roles;
mod secret;
mod server;
mod store_url;
mod stored;
mod streams;
mod tenants;
mod tree;
mod value;

pub use algorithm::Algorithm;
pub use development::check_exposure;
pub use folder::{Sort, TYPE_BYTES, TypeFiles};
pub use guard::{keep_until_restart, refuse_reload, restart_needed};
pub use hooks::{Hook, Overload, Scheme};
pub use inputs::{Env, Inputs, environment};
pub use model::*;
pub use problem::{ConfigProblem, ConfigProblems, bounded};
pub use store_url::check_store_url;
pub use streams::Streams;
pub(crate) use tree::one_document;

/// Reads a duration as the files write it, such as `30s` or `7d`. The error completes a clause.
pub fn duration(
    text: &str,
    range: std::ops::RangeInclusive<std::time::Duration>,
) -> Result<std::time::Duration, String> {
    value::duration(text, &range)
}

/// Parses and checks what was read. Does no I/O.
///
/// # Errors
/// Every problem there is, up to a bound. None shows a secret.
pub fn parse(inputs: &Inputs) -> Result<Config, ConfigProblems> {
    decode::decode(inputs.main(), inputs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
