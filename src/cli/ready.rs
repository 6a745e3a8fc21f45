//! `bellboard ready`: whether the gateway that runs is ready, for supervisors that start a program to find out.

use std::{net::SocketAddr, path::Path};

use super::{Failure, running, setup};

/// The options of `ready`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where the gateway that runs listens for operators. The configuration, which may be broken by then, is not
    /// read, and no token is shown: this machine needs none.
    #[arg(long, env = "BELLBOARD_ADMIN_LISTEN", value_name = "ADDR")]
    admin_listen: Option<SocketAddr>,
}

pub fn run(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let (address, token) = match arguments.admin_listen {
        Some(address) => (address, None),
        None => {
            let (_, config) = setup::read(path)?;
            (config.server.admin_listen, config.server.admin_token)
        }
    };
    let body = running::get(address, token.as_ref(), "/readyz")?;
    super::print(String::from_utf8_lossy(&body).trim_end())
}
