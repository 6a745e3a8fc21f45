//! The parameters of paths and queries, each with its bounds in the document and in its error.

use poem_openapi::{
    registry::MetaSchema,
    types::{ParseError, ParseFromParameter, ParseResult},
};

use super::{cursor, shape::shape};
use crate::domain::MAX_ID;

macro_rules! parameter {
    ($(#[$doc:meta])* $name:ident($inner:ty), $label:literal, $schema:expr, $parse:expr) => {
        shape!($(#[$doc])* $name($inner), $label, $schema);

        impl ParseFromParameter for $name {
            fn parse_from_parameter(value: &str) -> ParseResult<Self> {
                let parse: fn(&str) -> Result<$inner, &'static str> = $parse;
                parse(value).map(Self).map_err(ParseError::custom)
            }
        }
    };
}

parameter!(
    /// The id of a notification or a user.
    Id(i64),
    "id",
    MetaSchema {
        minimum: Some(1.0),
        maximum: Some(MAX_ID as f64),
        ..MetaSchema::new_with_format("integer", "int64")
    },
    |text| {
        let id = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        id.filter(|id| (1..=MAX_ID).contains(id)).ok_or("must be between 1 and 9007199254740991")
    }
);

parameter!(
    /// How many items a page has at most.
    PageSize(u32),
    "page size",
    MetaSchema {
        minimum: Some(1.0),
        maximum: Some(200.0),
        default: Some(50.into()),
        ..MetaSchema::new_with_format("integer", "int32")
    },
    |text| text.parse().ok().filter(|n| (1..=200).contains(n)).ok_or("must be an integer between 1 and 200")
);

impl Default for PageSize {
    fn default() -> Self {
        Self(50)
    }
}

parameter!(
    /// Yes or no.
    Flag(bool),
    "flag",
    MetaSchema::new("boolean"),
    |text| text.parse().map_err(|_| "must be true or false")
);

parameter!(
    /// Where a page starts, as the page before it said.
    Cursor(i64),
    "cursor",
    MetaSchema { pattern: Some(cursor::PATTERN.to_owned()), max_length: Some(32), ..MetaSchema::new("string") },
    |text| cursor::read(text).ok_or("must be the next_cursor of an earlier page")
);

parameter!(
    /// The name of a notification type.
    TypeName(String),
    "type",
    MetaSchema {
        min_length: Some(1),
        max_length: Some(64),
        pattern: Some("^[a-z][a-z0-9_.-]*$".to_owned()),
        ..MetaSchema::new("string")
    },
    |text| {
        let named = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.len() <= 64
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-'));
        named.then(|| text.to_owned()).ok_or("must be the name of a notification type")
    }
);
