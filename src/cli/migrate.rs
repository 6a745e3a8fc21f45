//! `bellboard migrate`: bring the store to this version's schema.

use std::path::Path;

use super::{Failure, setup};
use crate::{app, store};

/// The options of `migrate`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The store, in place of the configuration's.
    #[arg(long, env = "BELLBOARD_STORE", hide_env_values = true, value_name = "URL")]
    store: Option<String>,
}

pub fn run(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let (_, mut config) = setup::read(path)?;
    if let Some(url) = &arguments.store {
        config.store.url.clone_from(url);
    }
    setup::block_on(app::migrate(&config.store))??;
    super::print(&format!(
        "{}: the schema is that of version {}",
        store::shown(&config.store.url),
        env!("CARGO_PKG_VERSION")
    ))
}
