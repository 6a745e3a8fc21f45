//! Who a credential proves: API keys by their hash, bearer tokens by their signature.

mod issuer;
mod keys;
mod sign;
mod tokens;

pub use keys::{KeyEntry, Keys};
pub use sign::{NewKey, new_key, sign_token};
pub use tokens::{BadToken, MAX_TOKEN_BYTES, Tokens, Verified};

use sha2::{Digest, Sha256};

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
