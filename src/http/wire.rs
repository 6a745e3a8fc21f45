//! The shapes of requests and answers as the document shows them.

use poem_openapi::{
    Object,
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON},
};
use serde_json::Value;

use super::{params, shape::shape};
use crate::domain::MAX_ID;

/// A notification to send.
#[derive(Object)]
pub struct SendRequest {
    /// The user to notify.
    pub user_id: Id,
    /// The notification's type, one of those that `GET /crm/notification/types` lists.
    #[oai(rename = "type", validator(min_length = 1, max_length = 64))]
    pub kind: String,
    /// One line for the reader, in characters; it must have something that can be seen.
    #[oai(validator(min_length = 1, max_length = 255))]
    pub title: String,
    /// More text, in characters.
    #[oai(validator(max_length = 10000))]
    pub message: Option<String>,
    /// Where a click leads: a path of the site, or an http(s) URL.
    #[oai(validator(max_length = 2048))]
    pub link: Option<String>,
    /// Structured data, kept as sent. The type's schema, as the list of types shows it, describes it.
    pub metadata: Option<JsonObject>,
    /// The ticket it is about.
    pub related_ticket_id: Option<Id>,
    /// The user who caused it.
    pub related_user_id: Option<Id>,
}

/// The answer to a send.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SendResponse {
    /// Always `Success`.
    pub result: String,
    /// A sentence for people.
    pub message: String,
    /// What was stored.
    pub notification: SentNotification,
    /// What is wrong with it, and is let through: fields that are unknown, and what its type only warns of. Absent
    /// where nothing is.
    pub warnings: Option<Vec<Warning>>,
}

/// A problem that does not refuse a notification.
#[derive(Object)]
pub struct Warning {
    /// The field at fault.
    pub field: String,
    /// What is wrong with it, in a clause that starts with the field.
    pub reason: String,
    /// The component of its type that found it; `core` where that is the gateway itself.
    pub component: String,
}

/// What a hook made of an event.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct HookResponse {
    /// Always `Success`.
    pub result: String,
    /// A sentence for people.
    pub message: String,
    /// How many notifications were stored.
    pub stored: u64,
    /// How many had been stored before, as the event came again.
    pub repeated: u64,
    /// How many events the hook's mapping has no rule for.
    pub ignored: u64,
    /// How many events named no recipient that is known, and went to those who stand in.
    pub unknown_recipients: u64,
    /// How many notifications were more than a delivery may come to, and stand in a summary.
    pub summarized: Option<u64>,
}

/// A notification as its sender sees it.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct SentNotification {
    /// Its id: never reused, growing within a user.
    pub notification_id: Id,
    /// Whose inbox it is in.
    pub user_id: Id,
    /// Its type.
    #[oai(rename = "type")]
    pub kind: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub message: Option<String>,
    /// Where a click leads.
    pub link: Option<String>,
    /// The sender's structured data.
    pub metadata: Option<JsonObject>,
    /// Whether it was read; `false` in the answer to a send.
    pub is_read: bool,
    /// When it was stored.
    pub created_at: DateTime,
    /// The ticket it is about.
    pub related_ticket_id: Option<Id>,
    /// The user who caused it.
    pub related_user_id: Option<Id>,
}

/// A notification as its reader sees it.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Notification {
    /// Its id: never reused, growing within a user.
    pub notification_id: Id,
    /// The rest of it.
    #[oai(flatten)]
    pub content: NotificationContent,
}

/// A notification as its reader sees it, but for its id.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct NotificationContent {
    /// Whose inbox it is in.
    pub user_id: Id,
    /// Its type.
    #[oai(rename = "type")]
    pub kind: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub message: Option<String>,
    /// Where a click leads.
    pub link: Option<String>,
    /// The sender's structured data.
    pub metadata: Option<JsonObject>,
    /// The ticket it is about.
    pub related_ticket_id: Option<Id>,
    /// How grave it is: `info`, `success`, `warning`, `error` or `critical`.
    pub severity: Option<String>,
    /// The name of an icon.
    pub icon: Option<String>,
    /// The user who caused it, unless erased since.
    pub related_user_id: Option<Id>,
    /// Whether it was read.
    pub is_read: bool,
    /// When it was first marked read.
    pub read_at: Option<DateTime>,
    /// When it was stored.
    pub created_at: DateTime,
    /// When it leaves the inbox by itself.
    pub expires_at: Option<DateTime>,
}

/// A page of an inbox, newest first.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ListResponse {
    /// Always `Success`.
    pub result: String,
    /// The page's notifications.
    pub notifications: Vec<Notification>,
    /// How many notifications of the whole inbox are unread, counted at the same instant.
    pub unread_count: i64,
    /// Where the next page starts; absent on the last one.
    pub next_cursor: Option<String>,
}

/// The unread count.
#[derive(Object)]
pub struct UnreadCountResponse {
    /// Always `Success`.
    pub result: String,
    /// How many notifications are unread.
    pub unread_count: i64,
}

/// One notification.
#[derive(Object)]
pub struct NotificationResponse {
    /// Always `Success`.
    pub result: String,
    /// The notification as it is now.
    pub notification: Notification,
}

/// Which notifications to mark read.
#[derive(Object)]
pub struct MarkAllReadRequest {
    /// The last notification that the reader has seen: newer ones stay unread. Without it, all are
    /// marked.
    pub up_to: Option<Id>,
}

/// How many notifications were marked read.
#[derive(Object)]
pub struct MarkAllReadResponse {
    /// Always `Success`.
    pub result: String,
    /// How many were unread before.
    pub updated: u64,
}

/// Something was done.
#[derive(Object)]
pub struct MessageResponse {
    /// Always `Success`.
    pub result: String,
    /// A sentence for people.
    pub message: String,
}

/// A user's profile; what is absent is cleared.
#[derive(Object)]
pub struct UserRequest {
    /// How to address them, in characters.
    #[oai(validator(min_length = 1, max_length = 255))]
    pub display_name: Option<String>,
    /// A BCP 47 language tag, such as `de-CH`.
    #[oai(validator(max_length = 35))]
    pub locale: Option<String>,
    /// An IANA time zone, such as `Europe/Zurich`.
    #[oai(validator(max_length = 64))]
    pub time_zone: Option<String>,
}

/// A user of the tenant's directory.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct User {
    /// Their id.
    pub user_id: Id,
    /// How to address them.
    pub display_name: Option<String>,
    /// A BCP 47 language tag.
    pub locale: Option<String>,
    /// An IANA time zone.
    pub time_zone: Option<String>,
    /// When the directory first had them.
    pub created_at: DateTime,
    /// When their profile last changed.
    pub updated_at: DateTime,
}

/// One user.
#[derive(Object)]
pub struct UserResponse {
    /// Always `Success`.
    pub result: String,
    /// The user as they are now.
    pub user: User,
}

/// A page of the directory, by growing id.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct UserListResponse {
    /// Always `Success`.
    pub result: String,
    /// The page's users.
    pub users: Vec<User>,
    /// Where the next page starts; absent on the last one.
    pub next_cursor: Option<String>,
}

/// What became of one line of an import.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ImportResult {
    /// The line's number, from 1; empty lines count and have no result.
    pub line: u64,
    /// `Success` or `Failed`.
    pub result: String,
    /// The user of the line, where it could be read.
    pub user_id: Option<Id>,
    /// Whether the user is new.
    pub created: Option<bool>,
    /// Why the line failed.
    pub reason: Option<String>,
}

/// A notification type that the caller's tenant may use.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct NotificationType {
    /// What `type` says in a send.
    pub name: String,
    /// The family it belongs to.
    pub family: Option<String>,
    /// What it is for.
    pub description: String,
    /// The name of its icon.
    pub icon: String,
    /// How grave its notifications are unless they say otherwise.
    pub severity: String,
    /// Whether the caller's tenant has set it to strict: what its components would only warn of
    /// refuses a notification then.
    pub strict: bool,
    /// A JSON Schema of its metadata.
    pub metadata_schema: Option<JsonObject>,
}

/// The notification types of the caller's tenant.
#[derive(Object)]
pub struct TypeListResponse {
    /// Always `Success`.
    pub result: String,
    /// The types, by name.
    pub types: Vec<NotificationType>,
}

macro_rules! json_type {
    ($(#[$doc:meta])* $name:ident, $label:literal, $schema:expr) => {
        shape!($(#[$doc])* $name(Value), $label, $schema);

        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                value.map(Self).ok_or_else(ParseError::expected_input)
            }
        }

        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                Some(self.0.clone())
            }
        }
    };
}

json_type!(
    /// Any JSON object.
    JsonObject,
    "object",
    MetaSchema {
        additional_properties: Some(Box::new(MetaSchemaRef::Inline(Box::new(MetaSchema::ANY)))),
        ..MetaSchema::new("object")
    }
);
json_type!(
    /// A time in UTC, in whole seconds.
    DateTime,
    "date-time",
    MetaSchema {
        example: Some("2026-01-11T14:30:00Z".into()),
        ..MetaSchema::new_with_format("string", "date-time")
    }
);
json_type!(
    /// The name of a principal.
    PrincipalName,
    "principal",
    params::principal_name()
);
json_type!(
    /// The id of a notification, user or ticket. The same bounds both ways, so that generators give it one type.
    Id,
    "id",
    MetaSchema {
        minimum: Some(1.0),
        maximum: Some(MAX_ID as f64),
        ..MetaSchema::new_with_format("integer", "int64")
    }
);
