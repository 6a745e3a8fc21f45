//! How large things may be, and how long.

use std::time::Duration;

use bellboard_sdk::{Metadata, Problem};

use super::ProblemCode;

/// The longest time in which what a user deleted can be put back: it undoes a slip, and is no archive.
pub const MAX_RESTORE_TIME: Duration = Duration::from_secs(300);

/// The core's limits on what is stored. Characters are Unicode scalar values; sizes are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Characters in a title.
    pub title: usize,
    /// Characters in a message.
    pub message: usize,
    /// Characters in a link.
    pub link: usize,
    /// Bytes of metadata, as sent.
    pub metadata_bytes: usize,
    /// How deep metadata may nest; the object itself is 1.
    pub metadata_depth: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of a batch of sends, where one body to many users counts for each.
    pub batch_bytes: usize,
    /// Sends in a batch.
    pub batch_items: usize,
}

impl Limits {
    /// The problem of metadata that nests too deep. Every draft is checked before its pipeline, and again by the seal.
    pub fn too_deep(&self, metadata: &Metadata) -> Option<Problem> {
        let fault = format_args!("must nest at most {} levels deep", self.metadata_depth);
        (metadata.depth() > self.metadata_depth)
            .then(|| Problem::new("metadata", fault).coded(ProblemCode::TooDeep))
    }

    /// Bytes of the largest notification, about: four for each character, and the names of its fields.
    pub fn notification_bytes(&self) -> usize {
        (self.title + self.message + self.link) * 4 + self.metadata_bytes + 1_024
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            title: 255,
            message: 10_000,
            link: 2_048,
            metadata_bytes: 16 * 1024,
            metadata_depth: 32,
            body_bytes: 256 * 1024,
            batch_bytes: 4 << 20,
            batch_items: 1_000,
        }
    }
}
