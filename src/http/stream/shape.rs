//! The shapes of a stream as the document shows them.

use poem_openapi::{
    Object,
    registry::MetaSchema,
    types::{ParseFromParameter, ParseResult},
};

use super::super::{
    shape::shape,
    wire::{DateTime, Notification},
};

shape!(
    /// The id of an event. Any text is taken: behind one that the gateway does not know a stream begins with a reset.
    LastEventId(String),
    "event id",
    MetaSchema::new("string")
);

impl ParseFromParameter for LastEventId {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.to_owned()))
    }
}

/// An event of a stream. On the wire it is lines of text, `event:`, `id:` and `data:`, and an empty line behind them;
/// the data is one line of JSON. A line that begins with a colon is a comment.
#[derive(Object)]
pub struct StreamEvent {
    /// What happened. `ready`: the stream begins here. `notification`: one arrived, or is back. `read`, `unread`,
    /// `deleted`, `expired`: one was marked so, deleted, or left the inbox by itself. `read_all`: all up to one were
    /// marked read. `reset`: what was missed cannot be told, so load the list again. There may be more of them: ignore
    /// those that you do not know.
    pub event: String,
    /// The place in the inbox's history right after it: what `Last-Event-ID` may say later. Opaque.
    pub id: String,
    /// The rest, as JSON.
    pub data: StreamData,
}

/// The name of every event there is.
pub const EVENTS: [&str; 8] =
    ["ready", "notification", "read", "unread", "read_all", "deleted", "expired", "reset"];

/// What an event says.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct StreamData {
    /// How many notifications of the whole inbox are unread right after it.
    pub unread_count: i64,
    /// Of `notification`: what arrived.
    pub notification: Option<Notification>,
    /// Of `notification`: `true` where it had been deleted, so that older and newer ones may be shown already.
    pub restored: Option<bool>,
    /// Of `read`, `unread`, `deleted` and `expired`: which one. It may be one that was never told of.
    pub notification_id: Option<i64>,
    /// Of `read_all`: the last one that was marked; all before it are read now as well.
    pub up_to: Option<i64>,
    /// Of `read` and `read_all`: when.
    pub read_at: Option<DateTime>,
}
