//! The command line, against the real program.

mod backup;
mod check;
pub mod client;
mod copy;
mod drain;
pub mod gateway;
mod guide;
mod help;
mod key;
mod migrate;
mod openapi;
mod ready;
mod refuse;
mod rotate;
mod serve;
mod stop;
mod token;
mod types;

/// An `admin` of the tenant `default` in [`SETTINGS`].
pub const KEY: &str = "a-key-of-the-default-tenant-for-tests";
/// An `admin` of the tenant `acme`.
pub const ACME: &str = "a-key-of-the-tenant-acme-for-the-tests";

/// Settings as in production: keys by their hashes, and nothing that is published.
pub const SETTINGS: &str = r#"plugins: ./plugins
tenants:
  default:
    seed: [1, 2]
    issuers:
      - {algorithm: HS256, secret: a-signing-secret-that-only-tests-know}
  acme:
    users: open
api_keys:
  "sha256:0db11ed37c71e945224799205cc6931e55f2a3cf134f26e8ad8a39203ec949b6": {roles: [admin]}
  "sha256:7c11721ddaaa90e5243a64636e25b6f89472c6ad83b5c937adc628f8a621df21": {roles: [admin], tenant: acme}
"#;
