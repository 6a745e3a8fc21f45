//! `bellboard token`: a bearer token for development.

use std::{path::Path, time::Duration};

use super::{Failure, setup};
use crate::{
    auth,
    clock::Clock,
    config::{Algorithm, Config, Issuer},
    domain::{TenantId, UserId},
};

/// The options of `token`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The tenant whose issuer signs.
    #[arg(long, env = "BELLBOARD_TENANT", default_value = TenantId::DEFAULT)]
    tenant: String,
    /// The user it proves.
    #[arg(long, env = "BELLBOARD_USER")]
    user: i64,
    /// A role of the token; may stand several times.
    #[arg(long = "role", env = "BELLBOARD_ROLE", value_delimiter = ',')]
    roles: Vec<String>,
    /// How long it holds, in seconds.
    #[arg(long, env = "BELLBOARD_TTL", default_value_t = 86_400)]
    ttl: u64,
}

pub fn run(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let (_, config) = setup::read(path)?;
    let tenant = TenantId::new(&arguments.tenant).map_err(|e| format!("--tenant {e}"))?;
    let user = UserId::new(arguments.user).map_err(|e| format!("--user {e}"))?;
    let issuer = issuer(&config, &tenant)?;
    let ttl = Duration::from_secs(arguments.ttl);
    super::print(&auth::sign_token(issuer, user, &arguments.roles, ttl, Clock::default().now())?)
}

/// The tenant's first issuer whose secret signs.
fn issuer<'c>(config: &'c Config, tenant: &TenantId) -> Result<&'c Issuer, Failure> {
    let known =
        config.tenants.get(tenant).ok_or_else(|| format!("the configuration has no tenant {tenant}"))?;
    known
        .issuers
        .iter()
        .find(|i| i.algorithm == Algorithm::Hs256)
        .ok_or_else(|| format!("tenant {tenant} has no HS256 issuer; only its identity provider can sign"))
}
