//! Settings for tests: the least that the parts accept, to be changed field by field.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::*;
use crate::domain::{Limits, Permission, Permissions, TenantId};

/// What [`issuer`] signs with.
pub(crate) const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

pub(crate) fn quota(per_second: u32, burst: u32) -> Quota {
    Quota { per_second, burst }
}

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

/// One tenant, `default`, with the roles `sender` and `admin`; no keys, no issuers.
pub(crate) fn config() -> Config {
    Config {
        server: Server {
            listen: ([127, 0, 0, 1], 8080).into(),
            admin_listen: ([127, 0, 0, 1], 9090).into(),
            admin_token: None,
            admin_token_next: None,
            admin_networks: Vec::new(),
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            request_timeout: Duration::from_secs(10),
            drain_time: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(10),
            max_connections: 100,
            max_connections_per_client: None,
            max_body_memory: 1 << 20,
        },
        store: StoreConfig { url: "sqlite://test.db".into(), ..StoreConfig::default() },
        log: Log { json: false, level: tracing::Level::INFO },
        plugins: None,
        limits: Limits::default(),
        failed_auth: quota(10, 20),
        streams: Streams::default(),
        audit_retention: Duration::from_secs(86_400),
        restore_time: Duration::from_secs(30),
        tenants: [(tenant("default"), plain_tenant())].into_iter().collect(),
        keys: Vec::new(),
        origin: Origin::default(),
    }
}

pub(crate) fn plain_tenant() -> Tenant {
    let sender = [Permission::NotificationSend, Permission::UserRead].into_iter().collect();
    Tenant {
        roles: [
            ("sender".to_owned(), sender),
            ("admin".to_owned(), Permissions::all().without(Permission::UserErase)),
        ]
        .into(),
        ..Tenant::default()
    }
}

/// A key of `default` that may send.
pub(crate) fn key(plain: &str) -> ApiKey {
    ApiKey {
        hash: Sha256::digest(plain).into(),
        description: Some("for tests".into()),
        replaces: None,
        tenant: TenantId::default(),
        roles: vec!["sender".into()],
        permissions: [Permission::NotificationSend].into_iter().collect(),
        expires_at: None,
        disabled: false,
        types: Vec::new(),
        networks: Vec::new(),
        quota: Quota::default(),
        development: false,
    }
}

/// An HS256 issuer with [`SECRET`], no `iss`, no `aud` and no leeway.
pub(crate) fn issuer() -> Issuer {
    Issuer {
        issuer: None,
        audience: None,
        audience_claim: "aud".into(),
        algorithm: Algorithm::Hs256,
        key: Secret(SECRET.to_vec()),
        jwks: None,
        leeway: Duration::ZERO,
        user_claims: vec!["user_id".into(), "sub".into()],
        roles_claim: "roles".into(),
        roles: None,
        development: false,
    }
}
