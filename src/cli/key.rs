//! `bellboard key`: its commands, and `key new`: a strong key, its hash, and the YAML to paste.

use std::path::Path;

use super::{Failure, rotate, setup};
use crate::{auth, domain::TenantId};

/// Making API keys.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Print a new key, its hash, and the YAML to paste into the configuration.
    New(New),
    /// Print the replacement of a key, and the YAML in which both hold for a while.
    Rotate(rotate::Arguments),
}

/// The options of `key new`.
#[derive(clap::Args)]
pub struct New {
    /// The tenant the key acts in.
    #[arg(long, env = "BELLBOARD_TENANT", default_value = TenantId::DEFAULT)]
    tenant: String,
    /// A role of the key; may stand several times.
    #[arg(long = "role", env = "BELLBOARD_ROLE", default_value = "sender", value_delimiter = ',')]
    roles: Vec<String>,
    /// What the key is for.
    #[arg(long, env = "BELLBOARD_DESCRIPTION", default_value = "what uses this key")]
    description: String,
}

pub fn run(path: &Path, command: &Command) -> Result<(), Failure> {
    match command {
        Command::New(new) => make(path, new),
        Command::Rotate(arguments) => rotate::run(path, arguments),
    }
}

fn make(path: &Path, new: &New) -> Result<(), Failure> {
    let tenant = TenantId::new(&new.tenant).map_err(|e| format!("--tenant {e}"))?;
    if path.exists() {
        // A key for a role or tenant that does not exist would be refused only later.
        let (_, config) = setup::read(path)?;
        let known =
            config.tenants.get(&tenant).ok_or_else(|| format!("the configuration has no tenant {tenant}"))?;
        for role in &new.roles {
            if !known.roles.contains_key(role) {
                let names: Vec<_> = known.roles.keys().map(String::as_str).collect();
                return Err(format!("unknown role {role}; known are {}", names.join(", ")));
            }
        }
    }
    let key = auth::new_key().map_err(|e| format!("no randomness: {e}"))?;
    let tenant_line = match tenant.as_str() {
        TenantId::DEFAULT => String::new(),
        name => format!("    tenant: {name}\n"),
    };
    super::print(&format!(
        "The key, for the system that sends. It is shown this once:\n\n  {}\n\n\
         Its hash, for the configuration:\n\n  sha256:{}\n\n\
         To paste, without its first line where `api_keys` stands already:\n\napi_keys:\n  \"sha256:{}\":\n{tenant_line}    roles: [{}]\n    description: {}",
        key.key,
        key.hash_hex,
        key.hash_hex,
        new.roles.join(", "),
        serde_json::Value::from(new.description.as_str()),
    ))
}
