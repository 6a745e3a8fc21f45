//! `bellboard serve`: run the gateway.

use std::{
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{Failure, setup};
use crate::{
    app::{self, Overrides},
    config::Log,
};

/// The options of `serve`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where the public API listens, in place of the configuration's address.
    #[arg(long, env = "BELLBOARD_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where metrics and probes listen, in place of the configuration's address.
    #[arg(long, env = "BELLBOARD_ADMIN_LISTEN", value_name = "ADDR")]
    admin_listen: Option<SocketAddr>,
    /// The store, in place of the configuration's: `sqlite://PATH` or `postgres://…`. Others on this machine can
    /// read a command line: give a password by the variable.
    #[arg(long, env = "BELLBOARD_STORE", hide_env_values = true, value_name = "URL")]
    store: Option<String>,
    /// Keep the last good configuration and types in this file, secrets included, and start from it when
    /// the current ones are broken.
    #[arg(long, env = "BELLBOARD_LAST_GOOD", value_name = "PATH")]
    last_good: Option<PathBuf>,
}

pub fn run(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let overrides = Overrides {
        listen: arguments.listen,
        admin_listen: arguments.admin_listen,
        store: arguments.store.clone(),
    };
    let start = app::start(path, &overrides, arguments.last_good.as_deref())?;
    write_logs(start.config.log);
    setup::block_on(app::serve(start, overrides))?
}

fn write_logs(log: Log) {
    // Logs go to the standard error, so that what `serve` prints for people stays apart.
    let filter = tracing_subscriber::filter::Targets::new()
        .with_default(tracing::Level::WARN)
        .with_target("bellboard", log.level);
    let writer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};
    let layer = if log.json { writer.json().boxed() } else { writer.boxed() };
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
}
