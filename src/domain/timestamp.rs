//! Points in time.

use std::fmt;

use serde::{Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z. Shown in whole seconds: `2026-01-11T14:30:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This time plus so many seconds, at the end of time when that is past it.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Whole seconds since 1970, as JWTs count them.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.unix_seconds()) {
            Ok(time) => time.fmt(f),
            // Beyond the years that RFC 3339 can write.
            Err(_) => f.write_str("9999-12-30T22:00:00Z"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn shown_as_utc_seconds() {
        assert_eq!(Timestamp(1_768_141_800_999_999).to_string(), "2026-01-11T14:30:00Z");
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(i64::MAX).to_string(), "9999-12-30T22:00:00Z");
    }
}
