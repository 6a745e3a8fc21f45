//! What holds for every user's inbox.

use std::time::Duration;

use super::field::Section;
use crate::domain::MAX_RESTORE_TIME;

/// How long a user may restore what they deleted.
pub(super) fn restore_time(main: &Section<'_>) -> Duration {
    let given = main.section("inbox", &["restore_time"]);
    let given = given.and_then(|s| s.duration("restore_time", Duration::ZERO..=MAX_RESTORE_TIME));
    given.unwrap_or(Duration::from_secs(30))
}
