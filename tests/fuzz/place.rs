//! Where a list or a stream goes on: the cursor of a page, and the id of an event.

use bellboard::{domain::EventId, http::cursor};

use super::breed;

#[test]
fn a_place_is_read_or_refused_and_reads_the_same_again() {
    let words = [
        "c",
        "c1",
        ".",
        "-",
        "+",
        "9223372036854775807",
        "9223372036854775808",
        "ffffffffffffffff",
        "zzzzzzzzzzzzz",
    ];
    breed::run("place", 20_000, &words, |text| {
        let text = String::from_utf8_lossy(text);
        let cursor = cursor::read(&text);
        if let Some(id) = cursor {
            assert!(id >= 0 && text.len() <= 14, "{text:?}: {id}");
            assert_eq!(cursor::read(&cursor::write(id)), Some(id));
        }
        let event = text.parse::<EventId>();
        if let Ok(id) = event {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        format!("{} {}", cursor.is_some(), event.is_ok())
    });
}
