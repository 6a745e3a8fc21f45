//! Who a credential proves: API keys by their hash, bearer tokens and what hooks receive by their signature.

mod claims;
mod issuer;
mod jwks;
mod jws;
mod key;
mod keys;
mod sign;
mod signature;
mod tokens;
mod usage;

pub use jwks::{Fetcher, KeysState, Pending, Source};
pub use keys::{KeyEntry, Keys, globs};
pub use sign::{NewKey, new_key, sign_token};
pub use signature::{Claim, SenderProof, Shown};
pub use tokens::{BadToken, MAX_TOKEN_BYTES, Tokens, Verified};
pub use usage::{KeyRefusal, Usage};

use sha2::{Digest, Sha256};

/// The hash of an API key as it is presented.
pub fn key_hash(key: &str) -> [u8; 32] {
    sha256(key.as_bytes())
}

/// What stands in the configuration in the place of the key of that hash: `sha256:<hex>`.
pub fn configured(hash: &[u8; 32]) -> String {
    format!("sha256:{}", hex(hash))
}

/// Names an API key to people without giving it away: the first 12 hexadecimal digits of its hash.
pub fn fingerprint(hash: &[u8; 32]) -> String {
    hex(&hash[..6])
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
