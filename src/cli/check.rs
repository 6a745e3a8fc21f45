//! `bellboard check`: every problem of the configuration and the types at once, and what they would change.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Failure, running};
use crate::{
    config::{self, Config, Inputs},
    reload,
    snapshot::{Snapshot, Summary, differences},
};

/// What stands for the gateway that runs in place of a file.
const RUNNING: &str = "running";

/// The options of `check`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Tell what differs from another configuration file, or from the gateway that runs (`running`).
    #[arg(long, env = "BELLBOARD_DIFF", value_name = "PATH|running")]
    diff: Option<PathBuf>,
    /// Where the gateway that runs listens for operators, in place of the configuration's address.
    #[arg(long, env = "BELLBOARD_ADMIN_LISTEN", value_name = "ADDR")]
    admin_listen: Option<SocketAddr>,
}

pub fn run(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let (config, snapshot) = load(path)?;
    let Some(other) = &arguments.diff else {
        return super::print(&summary(path, &config, snapshot.registry.count()));
    };
    let before = if other.as_os_str() == RUNNING {
        let address = arguments.admin_listen.unwrap_or(config.server.admin_listen);
        running::summary(address, config.server.admin_token.as_ref())?
    } else {
        sum(other, &snapshot.summary.salt)?
    };
    // With the salt of the other, so that secrets can be compared.
    let mut after = Summary::of(&config, &snapshot.registry, &before.salt);
    if arguments.admin_listen.is_some() {
        // Where to ask says nothing of what the file says.
        after.fixed.remove("server.admin_listen");
    }
    let told: Vec<_> = differences(&before, &after).iter().map(ToString::to_string).collect();
    super::print(if told.is_empty() { "nothing changes".to_owned() } else { told.join("\n") }.as_str())
}

/// What the settings and types make; the failure lists every problem.
fn load(path: &Path) -> Result<(Config, Snapshot), Failure> {
    let inputs = Inputs::read(path, &config::environment).map_err(|p| p.to_string())?;
    let mut problems = Vec::new();
    let config = match config::parse(&inputs) {
        Ok(config) => Some(config),
        Err(found) => {
            problems.extend(found.0.iter().map(ToString::to_string));
            None
        }
    };
    // The types are checked whatever the configuration says, so that one run shows everything.
    let types = reload::load_types(&inputs, None);
    problems.extend(types.problems.iter().map(ToString::to_string));
    let registry = Arc::new(types.registry);
    let mut built = None;
    if let Some(config) = config {
        problems.extend(config::check_exposure(&config).err().map(|p| p.to_string()));
        match Snapshot::build(&config, registry, None) {
            Ok(snapshot) => built = Some((config, snapshot)),
            Err(problem) => problems.push(problem),
        }
    }
    match built {
        Some(built) if problems.is_empty() => Ok(built),
        _ => Err(format!("{}\n{} problem(s)", problems.join("\n"), problems.len())),
    }
}

/// Sums up what is only compared with: broken types and exposed listeners of the past are no fault.
fn sum(path: &Path, salt: &str) -> Result<Summary, Failure> {
    let inputs = Inputs::read(path, &config::environment).map_err(|p| p.to_string())?;
    let config = config::parse(&inputs).map_err(|p| p.to_string())?;
    Ok(Summary::of(&config, &reload::load_types(&inputs, None).registry, salt))
}

fn summary(path: &Path, config: &Config, types: usize) -> String {
    let mut text = format!(
        "{}: good. {} tenant(s), {} key(s), {} hook(s), {types} type(s) with all their cases",
        path.display(),
        config.tenants.len(),
        config.keys.len(),
        config.hooks().count(),
    );
    let known = config.development_credentials();
    if !known.is_empty() {
        text.push_str(&format!("\nnot for production: {}", known.join(", ")));
    }
    if let Some(advice) = roles_advice(config) {
        text.push_str(&format!("\nrecommended: {advice}"));
    }
    for path in config.readable_secrets() {
        text.push_str(&format!(
            "\nrecommended: chmod o-r {}, which every user of this machine can read",
            path.display()
        ));
    }
    text
}

/// Names the issuers whose tokens can claim every role, where there are several issuers or tenants.
fn roles_advice(config: &Config) -> Option<String> {
    let issuers = config.tenants.iter().flat_map(|(tenant, settings)| {
        settings.issuers.iter().enumerate().map(move |(n, issuer)| (tenant, n, issuer))
    });
    let in_use = config.tenants.iter().filter(|(tenant, settings)| {
        !settings.issuers.is_empty()
            || !settings.hooks.is_empty()
            || config.keys.iter().any(|key| key.tenant == **tenant)
    });
    let is_alone = issuers.clone().count() < 2 && in_use.count() < 2;
    let unlisted: Vec<_> = issuers
        .filter(|(_, _, issuer)| issuer.roles.is_none())
        .map(|(tenant, n, _)| format!("tenants.{tenant}.issuers[{n}]"))
        .collect();
    if is_alone || unlisted.is_empty() {
        return None;
    }
    let places = unlisted.join(", ");
    Some(format!(
        "list in `roles` which roles the tokens of {places} can claim; without it they can claim every role, admin too"
    ))
}
