//! What a site is made of: each table that a copy takes along, described once for both engines.

use std::fmt;

use sha2::{Digest, Sha256};

/// What a column holds. Any may hold nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Text,
    Bytes,
}

use Kind::{Bytes, Number, Text};

/// A table by its key and its columns.
#[derive(Debug)]
pub(crate) struct Table {
    pub name: &'static str,
    /// Those of the key first, in its order.
    pub columns: &'static [(&'static str, Kind)],
    /// How many columns the key has.
    pub key: usize,
}

/// Every table but what streams go by: a copy has a history of its own. In the order in which they are copied: users come last, as the schema of SQLite moves the heads
/// that are there when it stores a change.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "notification",
        columns: &[
            ("id", Number),
            ("tenant", Text),
            ("user_id", Number),
            ("type", Text),
            ("created_at", Number),
            ("expires_at", Number),
            ("sender", Text),
            ("request_id", Text),
            ("related_user_id", Number),
            ("doc", Text),
        ],
        key: 1,
    },
    Table {
        name: "change",
        columns: &[
            ("seq", Number),
            ("tenant", Text),
            ("user_id", Number),
            ("rev", Number),
            ("kind", Text),
            ("notification_id", Number),
            ("unread", Number),
            ("at", Number),
        ],
        key: 1,
    },
    Table {
        name: "inbox",
        columns: &[
            ("tenant", Text),
            ("user_id", Number),
            ("id", Number),
            ("rev", Number),
            ("unread", Number),
            ("read_at", Number),
            ("expires_at", Number),
        ],
        key: 3,
    },
    Table {
        name: "deleted",
        columns: &[
            ("id", Number),
            ("tenant", Text),
            ("user_id", Number),
            ("rev", Number),
            ("unread", Number),
            ("read_at", Number),
            ("is_latest", Number),
            ("deleted_rev", Number),
            ("deleted_at", Number),
        ],
        key: 1,
    },
    Table {
        name: "collapse",
        columns: &[("tenant", Text), ("user_id", Number), ("key", Bytes), ("id", Number)],
        key: 3,
    },
    Table {
        name: "erasure",
        columns: &[("tenant", Text), ("user_id", Number), ("upto", Number), ("rev", Number)],
        key: 2,
    },
    Table {
        name: "idempotency",
        columns: &[
            ("tenant", Text),
            ("principal", Text),
            ("key", Bytes),
            ("body", Bytes),
            ("user_id", Number),
            ("notification_id", Number),
            ("at", Number),
            ("answer", Text),
        ],
        key: 3,
    },
    Table {
        name: "audit",
        columns: &[
            ("tenant", Text),
            ("seq", Number),
            ("at", Number),
            ("action", Text),
            ("principal", Text),
            ("request_id", Text),
            ("detail", Text),
        ],
        key: 2,
    },
    Table {
        name: DIRECTORY,
        columns: &[
            ("tenant", Text),
            ("id", Number),
            ("rev", Number),
            ("unread", Number),
            ("next_expiry", Number),
            ("erased_upto", Number),
            ("erased_at", Number),
            ("created_at", Number),
            ("updated_at", Number),
            ("display_name", Text),
            ("locale", Text),
            ("time_zone", Text),
        ],
        key: 2,
    },
];

/// The users, with the heads of their inboxes.
pub(crate) const DIRECTORY: &str = "directory";

impl Table {
    /// The columns' names.
    pub fn names(&self) -> String {
        names(self.columns)
    }

    pub fn kinds(&self) -> Vec<Kind> {
        self.columns.iter().map(|(_, kind)| *kind).collect()
    }

    /// A page of a relation that holds this table, in the order of keys; `after` a key that is given.
    pub fn page(&self, relation: &str, after: bool, limit: usize) -> String {
        let key = names(&self.columns[..self.key]);
        let places: Vec<_> = (1..=self.key).map(|place| format!("${place}")).collect();
        let after = if after { format!(" WHERE ({key}) > ({})", places.join(", ")) } else { String::new() };
        format!("SELECT {} FROM {relation}{after} ORDER BY {key} LIMIT {limit}", self.names())
    }

    /// The last key.
    pub fn last(&self, relation: &str) -> String {
        let key = &self.columns[..self.key];
        let falling: Vec<_> = key.iter().map(|(name, _)| format!("{name} DESC")).collect();
        format!("SELECT {} FROM {relation} ORDER BY {} LIMIT 1", names(key), falling.join(", "))
    }
}

fn names(columns: &[(&str, Kind)]) -> String {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// What stands in a column, the same from every engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Nothing,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Takes it into a checksum, so that no two rows are the same bytes.
    pub fn digest(&self, into: &mut Sha256) {
        let (kind, bytes) = match self {
            Self::Nothing => (0, &[][..]),
            Self::Number(number) => (1, &number.to_le_bytes()[..]),
            Self::Text(text) => (2, text.as_bytes()),
            Self::Bytes(bytes) => (3, bytes.as_slice()),
        };
        into.update([kind]);
        into.update((bytes.len() as u64).to_le_bytes());
        into.update(bytes);
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// The values of a table's columns, in their order.
pub(crate) type Row = Vec<Value>;
