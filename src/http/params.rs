//! The parameters of paths and queries, each with its bounds in the document and in its error.

use poem_openapi::{
    registry::MetaSchema,
    types::{ParseError, ParseFromParameter, ParseResult},
};

use super::{cursor, shape::shape};
use crate::domain::{AuditAction, MAX_ID, Timestamp};

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

parameter!(
    /// The id of a hook, which was looked up when its caller was admitted.
    HookId(()),
    "hook",
    MetaSchema {
        min_length: Some(1),
        max_length: Some(64),
        pattern: Some("^[a-z0-9_-]+$".to_owned()),
        ..MetaSchema::new("string")
    },
    |_| Ok(())
);

parameter!(
    /// A point in time.
    Time(Timestamp),
    "time",
    MetaSchema::new_with_format("string", "date-time"),
    |text| {
        // A `+` that nobody escaped reads as a space in a query.
        let time = text.replace(' ', "+").parse::<jiff::Timestamp>();
        time.map(|time| Timestamp(time.as_microsecond()))
            .map_err(|_| "must be a time with its offset, such as 2026-01-11T14:30:00Z")
    }
);

parameter!(
    /// The name of a principal, as the audit record has it.
    PrincipalName(String),
    "principal",
    principal_name(),
    |text| is_principal(text).then(|| text.to_owned()).ok_or(NO_PRINCIPAL)
);

/// What a principal's name looks like.
pub fn principal_name() -> MetaSchema {
    MetaSchema {
        pattern: Some("^(key:[0-9a-f]{12}|user:[0-9]{1,16}|hook:[a-z0-9_-]{1,64})$".to_owned()),
        ..MetaSchema::new("string")
    }
}

/// Why a text names no principal; completes the clause "FIELD …".
pub const NO_PRINCIPAL: &str = "must be a principal's name, such as key:2c26b46b68ff, user:42 or hook:alerts";

/// Whether a text can be a principal's name.
pub fn is_principal(text: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let of_hook = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    match text.split_once(':') {
        Some(("key", name)) => name.len() == 12 && name.bytes().all(hex),
        Some(("hook", id)) => (1..=64).contains(&id.len()) && id.bytes().all(of_hook),
        Some(("user", id)) => (1..=16).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()),
        _ => false,
    }
}

parameter!(
    /// What is recorded.
    Action(AuditAction),
    "action",
    MetaSchema {
        enum_items: AuditAction::ALL.iter().map(|action| action.as_str().into()).collect(),
        ..MetaSchema::new("string")
    },
    |text| text.parse().map_err(|()| "must be one of the actions that the document lists")
);
