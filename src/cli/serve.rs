//! `bellboard serve`: run the gateway.

use std::{io::IsTerminal, net::SocketAddr, path::Path};

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
    /// The store, in place of the configuration's: `sqlite://PATH`.
    #[arg(long, env = "BELLBOARD_STORE", value_name = "URL")]
    store: Option<String>,
}

pub fn run(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let (inputs, config) = setup::read(path)?;
    write_logs(config.log);
    let overrides = Overrides {
        listen: arguments.listen,
        admin_listen: arguments.admin_listen,
        store: arguments.store.clone(),
    };
    setup::block_on(app::serve(inputs, config, overrides))?
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
