//! What `serve` prints for people: where it listens, and in development what to paste next.

use std::{io::Write, net::SocketAddr, time::Duration};

use crate::{
    auth,
    clock::Clock,
    config::{Algorithm, Config, Inputs},
    domain::{TenantId, UserId},
    http,
};

/// How long the printed token holds.
const TOKEN_TTL: Duration = Duration::from_secs(24 * 3600);

/// The key of the published documentation: the only one whose plain form the gateway can know.
const PUBLISHED_KEY: &str = "your-secure-api-key-minimum-32-characters";

/// Prints the addresses, and the first send and read where published credentials are configured.
pub fn print(config: &Config, public: SocketAddr, private: SocketAddr, inputs: &Inputs) {
    let (version, prefix, main) = (env!("CARGO_PKG_VERSION"), http::PREFIX, inputs.main().display());
    let mut text = format!(
        "Bellboard {version} with {main}\n  \
         API     http://{public}{prefix}\n  \
         docs    http://{public}{prefix}/docs/\n  \
         inbox   http://{public}{prefix}/ui/\n  \
         admin   http://{private}/metrics /healthz /readyz\n",
    );
    if let Some((user, token)) = development(config) {
        // In the fragment, which a browser keeps to itself.
        text.push_str(&format!(
            "\nThese settings are for development. Open the inbox of user {user} (the token holds a day):\n\n  \
             http://{public}{prefix}/ui/#token={token}\n\n\
             Send a notification, and see it arrive:\n\n  \
             curl -X POST http://{public}{prefix}/send \\\n    \
             -H 'X-API-KEY: {PUBLISHED_KEY}' -H 'Content-Type: application/json' \\\n    \
             -d '{{\"user_id\": {user}, \"type\": \"custom\", \"title\": \"Hello\", \"link\": \"{prefix}/docs/\"}}'\n\n\
             Read it as that user:\n\n  \
             curl http://{public}{prefix}/ \\\n    -H 'Authorization: Bearer {token}'\n\n",
        ));
    }
    // Nobody need listen for the gateway to run.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// A user and their token, where the published key and an issuer with a published secret stand
/// together in the default tenant.
fn development(config: &Config) -> Option<(UserId, String)> {
    let home = TenantId::default();
    config.keys.iter().find(|k| k.development && k.tenant == home && !k.disabled)?;
    let tenant = config.tenants.get(&home)?;
    let issuer = tenant.issuers.iter().find(|i| i.development && i.algorithm == Algorithm::Hs256)?;
    let (user, _) = tenant.seed_users.first()?;
    let token = auth::sign_token(issuer, *user, &[], TOKEN_TTL, Clock::default().now()).ok()?;
    Some((*user, token))
}
