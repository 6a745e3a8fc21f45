//! Settings as the rest of the gateway sees them: checked, with every default filled in.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use indexmap::IndexMap;
use ipnet::IpNet;

use super::{Algorithm, Hook, Streams};
use crate::domain::{Limits, Permissions, Profile, TenantId, Timestamp, UserId};

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// What needs a restart when it changes.
    pub server: Server,
    /// Where notifications are kept.
    pub store: StoreConfig,
    /// How logs are written.
    pub log: Log,
    /// The folder of the site's own notification types.
    pub plugins: Option<PathBuf>,
    /// How large things may be.
    pub limits: Limits,
    /// Failed authentications by source address.
    pub failed_auth: Quota,
    /// The live streams.
    pub streams: Streams,
    /// How long the audit record is kept.
    pub audit_retention: Duration,
    /// How long a user may restore what they deleted.
    pub restore_time: Duration,
    /// The tenants by name. `default` is always there.
    pub tenants: IndexMap<TenantId, Tenant>,
    /// Every API key of every tenant.
    pub keys: Vec<ApiKey>,
    /// Where the settings come from.
    pub origin: Origin,
}

impl Config {
    /// Every hook of every tenant, in the files' order: the place and the name of its tenant, its id, and itself.
    pub fn hooks(&self) -> impl Iterator<Item = (usize, &TenantId, &str, &Hook)> {
        let tenants = self.tenants.iter().enumerate();
        tenants.flat_map(|(place, (name, tenant))| {
            tenant.hooks.iter().map(move |(id, hook)| (place, name, id.as_str(), hook))
        })
    }
}

/// What a reload and a message need to know of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The main file.
    pub file: PathBuf,
    /// The main file says nothing at all.
    pub empty: bool,
    /// The files say `api_keys: {}`: that there are no keys is meant.
    pub keys_emptied: bool,
    /// What of each tenant is written out empty, as `issuers: []` or `hooks: {}`: that there are none is meant.
    pub emptied: Vec<(TenantId, &'static str)>,
    /// How many tenants each file names, 0 for `tenants: {}`; `None` where it says nothing of tenants.
    pub tenants: BTreeMap<PathBuf, Option<usize>>,
    /// A folder of types is configured, and does not exist.
    pub types_missing: bool,
    /// The fields that the command line sets, whatever the files say.
    pub overridden: Vec<&'static str>,
    /// The files that hold one secret each, of `secret_file` and its like.
    pub secret_files: Vec<PathBuf>,
}

/// The listeners and what protects them.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where the public API listens.
    pub listen: SocketAddr,
    /// Where `/metrics`, `/healthz` and `/readyz` listen.
    pub admin_listen: SocketAddr,
    /// A bearer token that the admin listener asks for.
    pub admin_token: Option<Secret>,
    /// Another token that is as good, while one is replaced by the other.
    pub admin_token_next: Option<Secret>,
    /// Networks that may use the admin listener where it needs no token. Loopback always may.
    pub admin_networks: Vec<IpNet>,
    /// The hosts, in lower case, that a request may name where it is trusted by its address alone.
    pub allowed_hosts: Vec<String>,
    /// The proxies whose forwarding headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a request may take, body included.
    pub request_timeout: Duration,
    /// How long the gateway goes on, and is not ready, after a signal to stop, before it closes its listeners.
    pub drain_time: Duration,
    /// How long requests may go on after that.
    pub shutdown_timeout: Duration,
    /// How long a connection may be silent.
    pub idle_timeout: Duration,
    /// Open connections of the public listener; further ones wait.
    pub max_connections: usize,
    /// Open connections of one client address, but for trusted proxies; `None` is half of `max_connections`.
    pub max_connections_per_client: Option<usize>,
    /// Bytes that the bodies of all requests and answers may hold together; those of one tenant half as many.
    pub max_body_memory: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            admin_listen: ([127, 0, 0, 1], 9090).into(),
            admin_token: None,
            admin_token_next: None,
            admin_networks: Vec::new(),
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            request_timeout: Duration::from_secs(30),
            drain_time: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(75),
            max_connections: 4_096,
            max_connections_per_client: None,
            max_body_memory: 64 << 20,
        }
    }
}

/// The store.
#[derive(Clone)]
pub struct StoreConfig {
    /// `sqlite://PATH`, whose path is relative to the working directory, or `postgres://…`. It may hold a password.
    pub url: String,
    /// Below so many free bytes of the database's disk no notification is taken; `None` leaves it to the store.
    pub min_free_space: Option<u64>,
    /// How many connections read.
    pub readers: u32,
    /// How many commit at once, on PostgreSQL.
    pub lanes: usize,
    /// How long connecting to PostgreSQL may take, and waiting for a connection that reads.
    pub connect_timeout: Duration,
    /// How long one statement may take there.
    pub statement_timeout: Duration,
    /// How long a transaction there may wait for another's lock, and sit idle with its own.
    pub lock_timeout: Duration,
    /// How long a commit may take there, and half of how long finding out then whether it took place may.
    pub commit_timeout: Duration,
    /// How far the clock may stray from the monotonic clock before it is not believed.
    pub clock_leeway: Duration,
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig").finish_non_exhaustive()
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: "sqlite://bellboard.db".into(),
            min_free_space: None,
            readers: 4,
            lanes: 2,
            connect_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(3),
            commit_timeout: Duration::from_secs(4),
            clock_leeway: Duration::from_secs(3_600),
        }
    }
}

/// Log settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// JSON lines instead of text.
    pub json: bool,
    /// The least level written.
    pub level: tracing::Level,
}

impl Default for Log {
    fn default() -> Self {
        Self { json: false, level: tracing::Level::INFO }
    }
}

/// One tenant.
#[derive(Debug, Clone, Default)]
pub struct Tenant {
    /// Whether a send to an unknown user creates the user.
    pub users: UserMode,
    /// Users who are made at start, when they do not exist.
    pub seed_users: Vec<(UserId, Profile)>,
    /// Who signs this tenant's bearer tokens.
    pub issuers: Vec<Issuer>,
    /// Its bearer tokens that are refused though they are still valid.
    pub revoked: Revoked,
    /// For each role that a bearer of this tenant may carry, what it allows.
    pub roles: IndexMap<String, Permissions>,
    /// Requests of all its principals together.
    pub ceiling: Option<Quota>,
    /// Requests of each of its API keys that set no limit of their own.
    pub key_quota: Quota,
    /// Requests of each of its users.
    pub user_quota: Quota,
    /// Types whose advisory problems refuse here: globs over type names.
    pub strict_types: Vec<String>,
    /// What becomes of a send with fields that are unknown.
    pub unknown_fields: UnknownFields,
    /// How long notifications stay.
    pub retention: Retention,
    /// The pages of other origins that may ask as its users do.
    pub cors: Cors,
    /// What receives for it, by id.
    pub hooks: IndexMap<String, Hook>,
}

/// What becomes of a send with fields that are unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// It is stored, and the answer warns of them.
    #[default]
    Report,
    /// It is refused.
    Refuse,
}

impl UnknownFields {
    /// Each with its name in the files.
    pub const NAMES: &'static [(&'static str, Self)] = &[("report", Self::Report), ("refuse", Self::Refuse)];

    /// Its name in the files.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }
}

/// Cross-origin requests of a tenant's users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The origins, as browsers write them.
    pub allowed_origins: Vec<String>,
    /// How long a browser may remember that they are allowed.
    pub max_age: Duration,
}

impl Default for Cors {
    fn default() -> Self {
        Self { allowed_origins: Vec::new(), max_age: Duration::from_secs(600) }
    }
}

/// Whether the directory knows all users beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserMode {
    /// A send to an unknown user is a 404.
    #[default]
    Managed,
    /// A send to an unknown user creates the user.
    Open,
}

/// How long notifications stay in a tenant's inboxes. `None` is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Since they were stored, for those that were read.
    pub read: Option<Duration>,
    /// Since they were stored, for those that were not.
    pub unread: Option<Duration>,
    /// How many of the newest a user keeps.
    pub newest: Option<u64>,
}

/// So many requests a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    /// Requests a second, at least 1.
    pub per_second: u32,
    /// Requests at once, at least 1.
    pub burst: u32,
}

impl Default for Quota {
    fn default() -> Self {
        Self { per_second: 100, burst: 200 }
    }
}

/// One API key. Of a plain key only its hash is kept.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// What the key is for, for people.
    pub description: Option<String>,
    /// The fingerprint of the first of the keys that replaced each other, of which this is one.
    pub replaces: Option<String>,
    /// The tenant it acts in.
    pub tenant: TenantId,
    /// The names of its roles, as configured.
    pub roles: Vec<String>,
    /// The union of its roles, with `user.erase` taken out unless a role other than `admin` has it.
    pub permissions: Permissions,
    /// Refused from this time on.
    pub expires_at: Option<Timestamp>,
    /// Refused for now.
    pub disabled: bool,
    /// The types it may send, as globs; empty for all.
    pub types: Vec<String>,
    /// The networks it may come from; empty for all.
    pub networks: Vec<IpNet>,
    /// Its own rate limit.
    pub quota: Quota,
    /// It stands in the published documentation, so anyone knows it.
    pub development: bool,
}

/// Who signs bearer tokens, and how their claims read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// What `iss` must say; a tenant's issuers are tried in order where it is absent here.
    pub issuer: Option<String>,
    /// What `aud`, or the claim in its place, must hold.
    pub audience: Option<String>,
    /// The claim that names whom a token is for.
    pub audience_claim: String,
    /// The one algorithm it signs with.
    pub algorithm: Algorithm,
    /// What verifies (for HS256: also signs) its tokens: the secret's bytes, or a public key in PEM.
    /// Empty where `jwks` tells the keys.
    pub key: Secret,
    /// Where its public keys are published.
    pub jwks: Option<Jwks>,
    /// Seconds that clocks may differ.
    pub leeway: Duration,
    /// The claims tried in turn for the user's id, each by its name or as a path into objects.
    pub user_claims: Vec<String>,
    /// The claim that holds the roles, a list or one string.
    pub roles_claim: String,
    /// The roles that its tokens can claim; `None` for every role there is.
    pub roles: Option<Vec<String>>,
    /// Its key stands in the published documentation, so anyone knows it.
    pub development: bool,
}

/// Where an issuer publishes its public keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwks {
    /// The URL of the set, `https` unless private networks are allowed.
    pub url: String,
    /// How often the set is fetched.
    pub refresh: Duration,
    /// How long the last keys count when the set cannot be fetched.
    pub keep: Duration,
    /// Whether the URL may lead into private networks, and without TLS.
    pub allow_private: bool,
    /// The proxy that it is fetched through.
    pub proxy: Option<String>,
}

/// Bearer tokens that are refused though they are still valid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Single tokens by their `jti`.
    pub jtis: HashSet<String>,
    /// For a user, the time before which none of their tokens may have been issued.
    pub users: HashMap<UserId, Timestamp>,
}

/// Bytes that no log, error or metric may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}
