//! The settings of the gateway that most tests share, and its credentials.

use std::{
    fs,
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicI64, Ordering},
    },
};

use serde_json::json;

use super::{Api, Gateway, Token};

/// `admin` in the tenant `default`.
pub const ADMIN: &str = "admin-key-of-the-default-tenant-000001";
/// No roles, so a `sender`.
pub const SENDER: &str = "sender-key-of-the-default-tenant-00001";
/// `admin`, and a role that may erase users.
pub const ERASER: &str = "eraser-key-of-the-default-tenant-00001";
/// May only read users.
pub const READER: &str = "reader-key-of-the-default-tenant-00001";
/// Has a role that allows nothing.
pub const NOBODY: &str = "nobody-key-of-the-default-tenant-00001";
/// May send `billing_*` alone.
pub const BILLING: &str = "billing-key-of-the-default-tenant-0001";
/// As `openssl rand -base64 48` prints them.
pub const BASE64: &str = "q+/Zk1Yp9mB2w8XvT3nLr5sHc7DfGj0aKe4UiOoPbNxMzQyWtRlCuEhVgSdAfI==";
/// Configured as a hash.
pub const HASHED: &str = "hashed-key-of-the-default-tenant-00001";
pub const DISABLED: &str = "disabled-key-of-the-default-tenant-001";
pub const EXPIRED: &str = "expired-key-of-the-default-tenant-0001";
/// From 192.0.2.0/24 alone.
pub const ELSEWHERE: &str = "elsewhere-key-of-the-default-tenant-01";
/// From 127.0.0.0/8 alone, where the trusted proxies are.
pub const INTERNAL: &str = "internal-key-of-the-default-tenant-001";
/// `admin` and eraser in the tenant `acme`.
pub const ACME: &str = "admin-key-of-the-tenant-acme-000000001";
/// `admin` in the tenant `open`, whose directory is open.
pub const OPEN: &str = "admin-key-of-the-tenant-open-000000001";
/// The secret of the hooks `walk` and, which may do nothing, `idle`.
pub const WALK: &str = "secret-of-the-hook-of-the-walk-000001";
/// A well-formed key that is not configured.
pub const UNKNOWN: &str = "unknown-key-that-nobody-configured-001";

pub const DEFAULT_SECRET: &str = "signing-secret-of-the-default-tenant-0001";
pub const ACME_SECRET: &str = "signing-secret-of-the-tenant-acme-0000001";
pub const OPEN_SECRET: &str = "signing-secret-of-the-tenant-open-0000001";

const SETTINGS: &str = r#"
server:
  trusted_proxies: [127.0.0.0/8]
  allowed_hosts: [Bellboard.Test]
log: {level: debug}
plugins: ./plugins
rate_limits:
  per_key: {per_second: 1000000}
  per_user: {per_second: 1000000}
  failed_auth: {per_second: 1000000}
roles:
  directory: [user.read, user.manage, user.erase]
  reader: [user.read]
  nobody: []
tenants:
  default:
    seed: [1, 2, 3, 5, 123]
    issuers: [{algorithm: HS256, secret: signing-secret-of-the-default-tenant-0001}]
    hooks:
      walk: {mapping: generic, secrets: [{secret: secret-of-the-hook-of-the-walk-000001}]}
      idle: {mapping: generic, secrets: [{secret: secret-of-the-hook-of-the-walk-000001}], roles: [nobody]}
  acme:
    seed: [1, 2]
    strict_types: ["billing_*"]
    issuers:
      - {algorithm: HS256, secret: signing-secret-of-the-tenant-acme-0000001, issuer: https://id.acme.example,
         audience: bellboard, leeway: 0s, user_claims: [uid], roles_claim: groups}
  open:
    users: open
    issuers: [{algorithm: HS256, secret: signing-secret-of-the-tenant-open-0000001}]
api_keys:
  admin-key-of-the-default-tenant-000001: {roles: [admin]}
  sender-key-of-the-default-tenant-00001: {}
  eraser-key-of-the-default-tenant-00001: {roles: [admin, directory]}
  reader-key-of-the-default-tenant-00001: {roles: [reader]}
  nobody-key-of-the-default-tenant-00001: {roles: [nobody]}
  billing-key-of-the-default-tenant-0001: {types: ["billing_*"]}
  "q+/Zk1Yp9mB2w8XvT3nLr5sHc7DfGj0aKe4UiOoPbNxMzQyWtRlCuEhVgSdAfI==": {}
  "sha256:HASH": {}
  disabled-key-of-the-default-tenant-001: {disabled: true}
  expired-key-of-the-default-tenant-0001: {expires_at: 2026-01-01T00:00:00Z}
  elsewhere-key-of-the-default-tenant-01: {networks: [192.0.2.0/24]}
  internal-key-of-the-default-tenant-001: {networks: [127.0.0.0/8]}
  admin-key-of-the-tenant-acme-000000001: {tenant: acme, roles: [admin, directory]}
  admin-key-of-the-tenant-open-000000001: {tenant: open, roles: [admin]}
"#;

/// A type of the site's own, for the tenant `acme` alone: it expires, and collapses.
pub const PARCEL: &str = r#"
description: A parcel is on its way.
icon: package
severity: info
tenants: [acme]
pipeline:
  - safe_link
  - expiry: {from_metadata: until}
  - collapse_key: {template: "parcel:{{ metadata.parcel }}"}
"#;

/// The hash of a key as the configuration writes it.
pub fn hash_of(key: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The gateway that most tests share. Its limits are out of reach.
pub static SHARED: LazyLock<Gateway> = LazyLock::new(|| {
    let settings = SETTINGS.replace("HASH", &hash_of(HASHED));
    Gateway::start_in(&settings, |folder: &Path| {
        let home = folder.join("plugins/shop/parcel");
        fs::create_dir_all(&home).expect("a folder");
        fs::write(home.join("type.yaml"), PARCEL).expect("a type");
    })
});

/// A client of the shared gateway, with no credential.
pub fn shared() -> Api {
    SHARED.api()
}

/// A client with a key of the shared gateway.
pub fn with_key(key: &str) -> Api {
    shared().key(key)
}

/// A client as a user of the tenant `default`.
pub fn as_user(user: i64) -> Api {
    shared().bearer(Token::of(DEFAULT_SECRET, user).sign())
}

/// A client as a user of the tenant `acme`, whose issuer names its claims differently.
pub fn as_acme_user(user: i64) -> Api {
    shared().bearer(acme_token(user).sign())
}

/// A token of the tenant `acme`.
pub fn acme_token(user: i64) -> Token {
    Token::of(ACME_SECRET, user)
        .claim("user_id", serde_json::Value::Null)
        .claim("uid", user)
        .claim("iss", "https://id.acme.example")
        .claim("aud", "bellboard")
}

/// An id that no other test has.
pub fn fresh_id() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A user of the tenant `default` whom no other test knows.
pub async fn fresh_user() -> i64 {
    let user = fresh_id();
    with_key(ADMIN).put_json(&format!("/users/{user}"), &json!({})).await.expect(201);
    user
}
