//! Shortens what a problem repeats, so that no sender decides how long an answer is.

/// The most characters of a sender's value that a problem repeats.
const MAX: usize = 60;

/// The text, or its beginning with `…` when it is longer than a problem may repeat.
pub(crate) fn excerpt(text: &str) -> String {
    shorten(text, MAX)
}

/// The text, or its first `max` − 1 characters and `…`.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    if text.chars().nth(max).is_none() {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn long_text_is_cut_and_short_text_is_not() {
        assert_eq!(excerpt(&"ü".repeat(60)), "ü".repeat(60));
        assert_eq!(excerpt(&"ü".repeat(61)), format!("{}…", "ü".repeat(59)));
    }
}
