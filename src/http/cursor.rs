//! The opaque cursor of a page: the last id shown, so that pages are found by key.

/// What every cursor looks like.
pub const PATTERN: &str = "^c[0-9a-z]{1,13}$";

/// The cursor after an id.
pub fn write(last: i64) -> String {
    let mut digits = Vec::with_capacity(14);
    let mut rest = last.unsigned_abs();
    loop {
        digits.push(char::from_digit((rest % 36) as u32, 36).unwrap_or('0'));
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    digits.push('c');
    digits.iter().rev().collect()
}

/// The id of a cursor, where it is one.
pub fn read(cursor: &str) -> Option<i64> {
    let digits = cursor.strip_prefix('c').filter(|d| (1..=13).contains(&d.len()))?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
    // Any text of that shape is accepted: one past the last id is simply a page with nothing on it.
    plain.then(|| i64::from_str_radix(digits, 36).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_its_id() {
        for id in [1, 35, 36, 9_007_199_254_740_991] {
            assert_eq!(read(&write(id)), Some(id));
        }
        for text in ["", "c", "12", "cABC", "c-1", "c+1", "c12345678901234"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("czzzzzzzzzzzzz"), Some(i64::MAX));
    }
}
