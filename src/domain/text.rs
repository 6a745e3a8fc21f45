//! What a reader sees of a text.

use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};

/// BRAILLE PATTERN BLANK: a symbol by its properties, drawn without a dot (https://www.unicode.org/charts/PDF/U2800.pdf).
const BRAILLE_BLANK: char = '\u{2800}';

/// Returns whether nothing of a text can be seen: it is empty, or has white space and characters alone that are drawn as
/// nothing, such as U+200B, U+00AD, U+3164 and variation selectors.
pub fn is_blank(text: &str) -> bool {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    text.chars().all(|c| c.is_whitespace() || c == BRAILLE_BLANK || ignorable.contains(c))
}

/// Returns whether a character is a control character other than tab, line feed and carriage return.
pub fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_blank() {
        for text in [
            "",
            " \t\r\n\u{a0}\u{2003}\u{3000}\u{feff}",
            "\u{200b}\u{200c}\u{200d}\u{2060}",
            "\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{180e}",
            "\u{2800}\u{3164}\u{ffa0}",
            "\u{fe00}\u{fe0f}\u{e0001}\u{e0041}\u{e007f}\u{e0100}",
            "\u{202a}\u{202e}\u{2066}\u{2069}\u{200e}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["x", "\u{200b}x", "👩\u{200d}💻", "\u{2801}", "-", "\u{202e}abc", "न\u{200d}"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_those_that_lay_out_no_text() {
        assert!("\0\u{7}\u{1b}\u{7f}\u{85}\u{9b}".chars().all(is_control));
        assert!(!"\t\r\n x\u{200b}\u{202e}".chars().any(is_control));
    }
}
