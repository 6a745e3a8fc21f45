//! `bellboard check`: every problem of the configuration and the types at once.

use std::{path::Path, sync::Arc};

use super::Failure;
use crate::{
    config::{self, Config, Inputs},
    reload,
    snapshot::Snapshot,
};

pub fn run(path: &Path) -> Result<(), Failure> {
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
    if let Some(config) = &config {
        problems.extend(config::check_exposure(config).err().map(|p| p.to_string()));
        problems.extend(Snapshot::build(config, Arc::clone(&registry), None).err());
    }
    match (problems.is_empty(), config) {
        (true, Some(config)) => super::print(&summary(path, &config, registry.count())),
        _ => Err(format!("{}\n{} problem(s)", problems.join("\n"), problems.len())),
    }
}

fn summary(path: &Path, config: &Config, types: usize) -> String {
    let mut text = format!(
        "{}: good. {} tenant(s), {} key(s), {types} type(s) with all their cases",
        path.display(),
        config.tenants.len(),
        config.keys.len(),
    );
    let known = config.development_credentials();
    if !known.is_empty() {
        text.push_str(&format!("\nnot for production: {}", known.join(", ")));
    }
    text
}
