//! The answer to a send that only asks what would be stored.

use std::fmt::Write;

use poem_openapi::Object;
use serde_json::Value;

use super::{render, wire::NotificationContent};
use crate::{domain::Timestamp, send::Tried};

/// What a send would do.
#[derive(Object)]
pub struct DryRunResponse {
    /// Always `Success`.
    pub result: String,
    /// A sentence for people.
    pub message: String,
    /// What would be stored, as its reader would see it.
    pub notification: NotificationContent,
    /// What is wrong with it, and is let through for this type.
    pub warnings: Vec<Warning>,
    /// Whether the directory knows the user. A send to an unknown one makes them in an open directory,
    /// and is a 404 in a managed one.
    pub user_known: bool,
}

/// A problem that does not refuse a notification.
#[derive(Object)]
pub struct Warning {
    /// The field at fault.
    pub field: String,
    /// What is wrong with it, in a clause that starts with the field.
    pub reason: String,
    /// The component that found it.
    pub component: String,
}

/// The body of a dry run's answer.
pub fn tried(tried: &Tried, now: Timestamp) -> String {
    let mut text =
        String::from(r#"{"result":"Success","message":"Dry run: nothing was stored","notification":"#);
    render::unstored(&mut text, &tried.sealed, now);
    text.push_str(r#","warnings":"#);
    render::array(&mut text, &tried.warnings, |text, warning| {
        let _ = write!(
            text,
            r#"{{"field":{},"reason":{},"component":{}}}"#,
            Value::from(warning.field.as_str()),
            Value::from(warning.message.as_str()),
            Value::from(warning.component.as_str()),
        );
    });
    let _ = write!(text, r#","user_known":{}}}"#, tried.user_known);
    text
}
