//! Credentials that are published, so anyone knows them: good for a first try on one's own machine only.

use sha2::{Digest, Sha256};

use super::{Config, problem::ConfigProblem};

/// The documentation's API key, and the secret of the default configuration's issuer.
const KNOWN: [&str; 2] =
    ["your-secure-api-key-minimum-32-characters", "bellboard-development-secret-not-for-production"];

/// Whether a hash is that of a published credential.
pub(super) fn is_known(hash: &[u8; 32]) -> bool {
    KNOWN.iter().any(|known| <[u8; 32]>::from(Sha256::digest(known)) == *hash)
}

/// Whether bytes are a published credential.
pub(super) fn is_known_secret(secret: &[u8]) -> bool {
    KNOWN.iter().any(|known| known.as_bytes() == secret)
}

impl Config {
    /// What of the configuration is published, by descriptions without secrets; empty in production.
    pub fn development_credentials(&self) -> Vec<String> {
        let keys = self.keys.iter().filter(|key| key.development).map(|key| {
            let description = key.description.as_deref().unwrap_or("without a description");
            format!("the API key \"{description}\" of tenant {}", key.tenant)
        });
        let issuers = self.tenants.iter().flat_map(|(tenant, settings)| {
            let published = settings.issuers.iter().enumerate().filter(|(_, issuer)| issuer.development);
            published.map(move |(n, _)| format!("the secret of tenants.{tenant}.issuers[{n}]"))
        });
        keys.chain(issuers).collect()
    }
}

/// Whether these listeners may be opened with these credentials. Asked apart from the parsing, as the
/// command line may change where to listen; to be asked at each reload too.
///
/// # Errors
/// Published credentials together with a listener that others reach; an admin listener that others reach
/// without a token and without allowed networks.
pub fn check_exposure(config: &Config) -> Result<(), ConfigProblem> {
    let server = &config.server;
    let published = config.development_credentials();
    for (field, address) in [("server.listen", server.listen), ("server.admin_listen", server.admin_listen)] {
        if !published.is_empty() && !address.ip().to_canonical().is_loopback() {
            let message = format!(
                "{address} is reachable from other machines, but anyone knows {}: replace it, or listen on 127.0.0.1",
                published.join(" and ")
            );
            return Err(ConfigProblem::new(&config.origin.file, field, message));
        }
    }
    let open = server.admin_token.is_none() && server.admin_networks.is_empty();
    if open && !server.admin_listen.ip().to_canonical().is_loopback() {
        let message = format!(
            "{} is reachable from other machines: set admin_token or admin_networks, or listen on 127.0.0.1",
            server.admin_listen
        );
        return Err(ConfigProblem::new(&config.origin.file, "server.admin_listen", message));
    }
    Ok(())
}
