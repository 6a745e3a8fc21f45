//! PgBouncer in transaction mode before the server that tests share, on a port of its own.

use std::{
    fs,
    net::TcpStream,
    process::{Child, Stdio},
    sync::LazyLock,
};

use super::{
    gateway::until,
    postgres::{Database, account, free_port, run_as, shared_port, watch},
};

/// A running pooler. The watchdog clears it up with the test process.
struct Pooler {
    port: u16,
    _child: Child,
    _watchdog: Child,
}

static SHARED: LazyLock<Pooler> = LazyLock::new(start);

/// The URL of a database through the pooler: with few connections, so that transactions change places.
pub fn url(database: &Database) -> String {
    database.url_at(SHARED.port) + "?statement-cache-capacity=0"
}

fn start() -> Pooler {
    let folder = tempfile::Builder::new().prefix("bellboard-pooler-").tempdir().expect("a folder").keep();
    let port = free_port();
    let settings = format!(
        "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 6\n\
         max_client_conn = 500\nserver_check_delay = 0\n",
        shared_port()
    );
    // `any` takes every name for one that is forced.
    let settings = settings.replace("host=127.0.0.1 port", "user=bell host=127.0.0.1 port");
    let file = folder.join("pgbouncer.ini");
    fs::write(&file, settings).expect("the settings are written");
    let log = fs::File::create(folder.join("log")).expect("a log");
    let account = account();
    if let Some((user, group)) = account {
        for path in [&folder, &file] {
            std::os::unix::fs::chown(path, Some(user), Some(group)).expect("given to an account");
        }
    }
    let program = if std::path::Path::new("/usr/sbin/pgbouncer").exists() {
        "/usr/sbin/pgbouncer"
    } else {
        "pgbouncer"
    };
    let child = run_as(program.as_ref(), account)
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("pgbouncer is installed by `bash tests/run`");
    let watchdog = watch(child.id(), &folder);
    until("ready", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    Pooler { port, _child: child, _watchdog: watchdog }
}
