//! PgBouncer in transaction mode before the server that tests share.

use std::{net::TcpStream, sync::LazyLock};

use super::{
    daemon::Daemon,
    gateway::until,
    postgres::{Database, shared_port},
};

/// Never dropped: the watchdog clears it up with the test process.
static SHARED: LazyLock<Daemon> = LazyLock::new(start);

/// The URL of a database through the pooler: with few connections, so that transactions change places.
pub fn url(database: &Database) -> String {
    database.url_at(SHARED.port) + "?statement-cache-capacity=0"
}

fn start() -> Daemon {
    let pooler = Daemon::start("pgbouncer", &[], |port, _| {
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 6\n\
             max_client_conn = 500\nserver_check_delay = 0\n",
            shared_port()
        );
        // `any` takes every name for one that is forced.
        settings.replace("host=127.0.0.1 port", "user=bell host=127.0.0.1 port")
    });
    until("ready", || TcpStream::connect(("127.0.0.1", pooler.port)).is_ok());
    pooler
}
