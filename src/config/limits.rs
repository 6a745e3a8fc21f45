//! How large things may be.

use super::field::Section;
use crate::domain::{Limits, Metadata};

const FIELDS: &[&str] = &[
    "title",
    "message",
    "link",
    "metadata_bytes",
    "metadata_depth",
    "body_bytes",
    "batch_bytes",
    "batch_items",
];

pub(super) fn read(main: &Section<'_>) -> Limits {
    let default = Limits::default();
    let Some(s) = main.section("limits", FIELDS) else { return default };
    let limits = Limits {
        title: s.size("title", 1..=1_000, default.title),
        message: s.size("message", 1..=100_000, default.message),
        link: s.size("link", 1..=8_192, default.link),
        metadata_bytes: s.size("metadata_bytes", 2..=1 << 20, default.metadata_bytes),
        metadata_depth: s.size("metadata_depth", 1..=Metadata::MAX_DEPTH as i64, default.metadata_depth),
        body_bytes: s.size("body_bytes", 1_024..=8 << 20, default.body_bytes),
        batch_bytes: s.size("batch_bytes", 1_024..=8 << 20, default.batch_bytes),
        batch_items: s.size("batch_items", 1..=1_000, default.batch_items),
    };
    if limits.metadata_bytes >= limits.body_bytes {
        s.field().fail("metadata_bytes must be less than body_bytes, which holds the metadata");
    }
    limits
}
