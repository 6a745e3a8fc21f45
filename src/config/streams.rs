//! Settings of the live streams.

use std::time::Duration;

use super::field::Section;

/// How many live streams there may be, and how they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    /// Open streams of one user.
    pub per_user: usize,
    /// Open streams of one tenant; `None` is half of all.
    pub per_tenant: Option<usize>,
    /// Open streams; `None` is three quarters of the public listener's connections, as each holds one of them.
    pub most: Option<usize>,
    /// How long a stream is silent at most.
    pub heartbeat: Duration,
    /// How long a client may not take what it was told.
    pub slow: Duration,
}

impl Default for Streams {
    fn default() -> Self {
        Self { per_user: 16, per_tenant: None, most: None, heartbeat: 15 * SECOND, slow: 10 * SECOND }
    }
}

const FIELDS: &[&str] = &["per_user", "per_tenant", "most", "heartbeat", "slow"];
const SECOND: Duration = Duration::from_secs(1);
const MOST: i64 = 1_000_000;

pub(super) fn streams(main: &Section<'_>) -> Streams {
    let default = Streams::default();
    let Some(s) = main.section("streams", FIELDS) else { return default };
    let number = |name| s.integer(name, 1..=MOST).and_then(|n| usize::try_from(n).ok());
    Streams {
        per_user: number("per_user").unwrap_or(default.per_user),
        per_tenant: number("per_tenant"),
        most: number("most"),
        heartbeat: s.duration("heartbeat", SECOND..=60 * SECOND).unwrap_or(default.heartbeat),
        slow: s.duration("slow", SECOND..=60 * SECOND).unwrap_or(default.slow),
    }
}
