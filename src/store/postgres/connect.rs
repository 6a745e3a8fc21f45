//! Where the database is, and how each connection and each transaction begins.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::time::timeout;

use super::ask::{Ask, Session};
use super::error::{internal, is_passing, leaves_connection, timed_out};
use crate::config::check_store_url;
use crate::domain::Result;
use crate::store::Options;
use sqlx::postgres::PgRow;

/// Why the database cannot be used. No text of it holds the password.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The URL says what the store does not know.
    #[error("the store's URL {0}")]
    Url(String),
    /// The database cannot be reached.
    #[error("the database {0} cannot be opened: {1}")]
    Connect(String, sqlx::Error),
    /// The schema cannot be brought up to date.
    #[error("the database {0} cannot be migrated: {1}")]
    Migrate(String, sqlx::Error),
    /// The role may not create tables.
    #[error(
        "the database {0} cannot be migrated: the role {1} may not create tables in its schema; as the schema's owner run \
         GRANT CREATE ON SCHEMA {2} TO \"{1}\""
    )]
    MayNotCreate(String, String, String),
    /// Another node did not come to an end with it, or others did not let go of its tables.
    #[error(
        "the database {0} could not be migrated in {1:?}: another node is at it, or others hold its tables, as a dump does"
    )]
    Waited(String, Duration),
    /// A newer version took away what this one needs.
    #[error(
        "the database {0} was changed by a newer version, for those that know its migration {1}; this version knows {2}: \
         run a newer one"
    )]
    Newer(String, i64, i64),
}

/// What connections are called where the URL does not say.
const APPLICATION: &str = "bellboard";

/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 128;

/// How statements are planned that have names: once, by the indexes, as all that is asked goes by keys. A plan that is
/// made where a table is small reads all of it, and would be kept when it has grown.
const BY_KEYS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// The certificates that the system trusts, as PEM.
fn trusted_by_system() -> Result<Vec<u8>, PostgresError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let fault = "says sslrootcert=system, but this system has no certificates: install ca-certificates, or name a file";
        return Err(PostgresError::Url(fault.into()));
    }
    let pem = |certificate: &[u8]| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(certificate))
    };
    Ok(found.certs.iter().map(|certificate| pem(certificate)).collect::<String>().into_bytes())
}

/// The database: reads go through a few connections that are shared; each lane has one of its own.
pub(super) struct Database {
    options: PgConnectOptions,
    pool: PgPool,
    /// When a connection of the pool was last found lost, or a lane made one anew. When the server comes back, as after
    /// a failover, none that is older is used again: each would fail a read, by the time of a statement where it is
    /// silent, or read at an old primary what is past.
    doubted: Arc<Mutex<Option<Instant>>>,
    /// Whether prepared statements have names.
    pub named: bool,
    begin: String,
    times: Times,
    /// As it may be shown: without a password.
    pub shown: String,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub connect: Duration,
    pub statement: Duration,
    pub lock: Duration,
    pub commit: Duration,
}

impl Database {
    /// Reads the URL. Nothing connects yet.
    pub fn of(url: &str, settings: &Options) -> Result<Self, PostgresError> {
        check_store_url(url).map_err(PostgresError::Url)?;
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let parameter = |name: &str| {
            let mut all = query.split('&').filter_map(|parameter| parameter.split_once('='));
            all.find(|(known, _)| *known == name).map(|(_, value)| value)
        };
        let named = parameter("statement-cache-capacity") != Some("0");
        let fault = |e: sqlx::Error| PostgresError::Url(e.to_string());
        let mut options = PgConnectOptions::from_str(url).map_err(fault)?.disable_statement_logging();
        if parameter("sslrootcert") == Some("system") {
            // As libpq has it: whom the system trusts, and the host's name is checked.
            options = options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(trusted_by_system()?);
        }
        // Poolers refuse it, and no number here has a fraction.
        options = options.extra_float_digits(None);
        if options.get_application_name().is_none() {
            options = options.application_name(APPLICATION);
        }
        if parameter("statement-cache-capacity").is_none() {
            options = options.statement_cache_capacity(STATEMENTS);
        }
        let (statement, lock) = (settings.statement_timeout.as_millis(), settings.lock_timeout.as_millis());
        if named {
            // What a statement goes by that is a transaction by itself. Without names each is planned for itself.
            options = options.options(BY_KEYS).options([
                ("statement_timeout", statement.to_string()),
                ("idle_in_transaction_session_timeout", lock.to_string()),
                ("default_transaction_isolation", "read committed".to_owned()),
                ("default_transaction_read_only", "off".to_owned()),
            ]);
        }
        let at = options.get_socket().map(|path| path.display().to_string());
        let at = at.unwrap_or_else(|| format!("{}:{}", options.get_host(), options.get_port()));
        let name = options.get_database().unwrap_or(options.get_username());
        let doubted = Arc::<Mutex<Option<Instant>>>::default();
        let pool = PgPoolOptions::new()
            .max_connections(settings.readers.max(1))
            .acquire_timeout(settings.connect_timeout)
            .test_before_acquire(false)
            .before_acquire({
                let doubted = doubted.clone();
                move |_, known| {
                    let doubted = *doubted.lock().unwrap_or_else(PoisonError::into_inner);
                    let sound = doubted.is_none_or(|at| known.age < at.elapsed());
                    Box::pin(async move { Ok(sound) })
                }
            });
        Ok(Self {
            shown: format!("postgres://{}@{at}/{name}", options.get_username()),
            pool: pool.connect_lazy_with(options.clone()),
            options,
            doubted,
            named,
            // All that decides what a transaction means, as a role or a database may have other defaults, and a
            // pooler may lend another connection to the next. An idle one holds its locks no longer than others wait.
            begin: format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on; \
                 SET LOCAL statement_timeout = {statement}; SET LOCAL lock_timeout = {lock}; \
                 SET LOCAL idle_in_transaction_session_timeout = {lock}"
            ),
            times: Times {
                connect: settings.connect_timeout,
                statement: settings.statement_timeout,
                lock: settings.lock_timeout,
                commit: settings.commit_timeout,
            },
        })
    }

    /// The name that its connections go by on the server.
    pub fn application(&self) -> &str {
        self.options.get_application_name().unwrap_or(APPLICATION)
    }

    pub fn times(&self) -> Times {
        self.times
    }

    /// A new connection of one's own.
    pub async fn connect(&self) -> sqlx::Result<PgConnection> {
        timeout(self.times.connect, PgConnection::connect_with(&self.options))
            .await
            .map_err(|_| timed_out())?
    }

    /// A new connection for a lane.
    pub async fn connect_lane(&self) -> sqlx::Result<PgConnection> {
        let connection = self.connect().await?;
        // Before anything is acknowledged by it.
        self.doubt();
        Ok(connection)
    }

    fn doubt(&self) {
        *self.doubted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// For a connection that only waits.
    pub fn pool_of_one(&self) -> PgPool {
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        pool.acquire_timeout(self.times.connect).connect_lazy_with(self.options.clone())
    }

    /// Begins a transaction with all its settings.
    pub async fn begin(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(self.begin.clone())).execute(connection).await.map(drop)
    }

    /// Reads. What a lost connection failed is asked once more, on a new one.
    pub async fn rows(&self, ask: &Ask) -> Result<Vec<PgRow>> {
        let start = Instant::now();
        match self.try_rows(ask).await {
            Err(error) if is_passing(&error) && start.elapsed() < self.times.statement => {
                self.try_rows(ask).await
            }
            result => result,
        }
        .map_err(internal)
    }

    async fn try_rows(&self, ask: &Ask) -> sqlx::Result<Vec<PgRow>> {
        let mut connection = self.pool.acquire().await?;
        let answer = timeout(self.times.statement, self.alone(ask, &mut connection)).await;
        let answer = answer.unwrap_or_else(|_| Err(timed_out()));
        if let Err(error) = &answer {
            // Closed at once: nobody knows what still comes on it.
            drop(connection.detach());
            if !leaves_connection(error) {
                self.doubt();
            }
        }
        answer
    }

    /// Asks one statement by itself: where statements have no names that takes a transaction, so that all its parts
    /// reach one connection.
    pub async fn alone(&self, ask: &Ask, connection: &mut PgConnection) -> sqlx::Result<Vec<PgRow>> {
        if self.named {
            return ask.rows(&mut Session { connection, named: true }).await;
        }
        self.begin(connection).await?;
        let rows = ask.rows(&mut Session { connection: &mut *connection, named: false }).await?;
        sqlx::raw_sql("COMMIT").execute(connection).await?;
        Ok(rows)
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}
