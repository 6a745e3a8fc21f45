//! What stands for a collapse key in every engine.

use sha2::{Digest, Sha256};

/// The SHA-256 of a collapse key: senders choose it, and an index has little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CollapseHash(pub [u8; 32]);

impl CollapseHash {
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }
}
