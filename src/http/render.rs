//! Notifications and users as JSON text, spliced from what is stored.

use std::fmt::Write;

use serde_json::Value;

use crate::{
    domain::{Content, Notification, Problem, Sealed, Timestamp, User, UserId},
    send::CORE,
    store::Stored,
};

/// The body of a successful send, its fields in the contract's order.
pub fn sent(sealed: &Sealed, stored: Stored, warnings: &[Problem]) -> String {
    let mut text = String::with_capacity(256 + sealed.own_fields().len());
    text.push_str(r#"{"result":"Success","message":"Notification sent successfully","notification":"#);
    stored_as(&mut text, sealed, stored);
    if !warnings.is_empty() {
        text.push_str(r#","warnings":"#);
        self::warnings(&mut text, warnings);
    }
    text.push('}');
    text
}

/// Appends what a sender is warned of.
pub fn warnings(text: &mut String, warnings: &[Problem]) {
    array(text, warnings, |text, warning| {
        let component = if warning.component.is_empty() { CORE } else { &warning.component };
        let _ = write!(
            text,
            r#"{{"field":{},"reason":{},"component":{}}}"#,
            Value::from(warning.field.as_str()),
            Value::from(warning.message.as_str()),
            Value::from(component),
        );
    });
}

/// Appends what was stored as its sender sees it.
pub fn stored_as(text: &mut String, sealed: &Sealed, stored: Stored) {
    let _ = write!(
        text,
        r#"{{"notification_id":{},"user_id":{},"type":"{}",{},"is_read":false,"created_at":"{}""#,
        stored.id,
        sealed.user,
        sealed.kind,
        sealed.own_fields(),
        stored.created_at
    );
    if let Some(ticket) = sealed.related_ticket_id {
        let _ = write!(text, r#","related_ticket_id":{ticket}"#);
    }
    if let Some(user) = sealed.related_user {
        let _ = write!(text, r#","related_user_id":{user}"#);
    }
    text.push('}');
}

/// Appends one notification as its reader sees it.
pub fn notification(text: &mut String, n: &Notification) {
    let _ = write!(text, r#"{{"notification_id":{},"#, n.id);
    seen(text, (n.user, &n.kind, &n.content), n.related_user, n.read_at, n.created_at, n.expires_at);
}

/// Appends what would be stored as its reader would see it: with everything but an id.
pub fn unstored(text: &mut String, sealed: &Sealed, now: Timestamp) {
    text.push('{');
    let said = (sealed.user, sealed.kind.as_str(), &sealed.content);
    seen(text, said, sealed.related_user, None, now, sealed.expires_at);
}

/// What follows the id, to the end of the object.
fn seen(
    text: &mut String,
    (user, kind, content): (UserId, &str, &Content),
    related_user: Option<UserId>,
    read_at: Option<Timestamp>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
) {
    // A type's name needs no escapes: the registry admits a-z, 0-9, `_`, `.` and `-` alone.
    let _ = write!(text, r#""user_id":{user},"type":"{kind}",{}"#, content.fields());
    if let Some(user) = related_user {
        let _ = write!(text, r#","related_user_id":{user}"#);
    }
    match read_at {
        Some(at) => {
            let _ = write!(text, r#","is_read":true,"read_at":"{at}""#);
        }
        None => text.push_str(r#","is_read":false"#),
    }
    let _ = write!(text, r#","created_at":"{created_at}""#);
    if let Some(at) = expires_at {
        let _ = write!(text, r#","expires_at":"{at}""#);
    }
    text.push('}');
}

/// Appends one user.
pub fn user(text: &mut String, u: &User) {
    let _ = write!(text, r#"{{"user_id":{}"#, u.id);
    let mut optional = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            let _ = write!(text, r#","{name}":{}"#, Value::from(value.as_str()));
        }
    };
    optional("display_name", &u.profile.display_name);
    optional("locale", &u.profile.locale);
    optional("time_zone", &u.profile.time_zone);
    let _ = write!(text, r#","created_at":"{}","updated_at":"{}"}}"#, u.created_at, u.updated_at);
}

/// Appends a JSON array.
pub fn array<T>(text: &mut String, items: &[T], mut item: impl FnMut(&mut String, &T)) {
    text.push('[');
    for (i, one) in items.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        item(text, one);
    }
    text.push(']');
}
