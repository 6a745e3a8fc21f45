//! `hook.yaml`: how what a sender brings is mapped to notifications.

use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use crate::config::{Overload, Scheme};

/// The file's content.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Whose events it takes, in a sentence or two.
    pub description: String,
    /// That it takes the place of the standard mapping of its name.
    #[serde(default)]
    pub replaces: bool,
    /// How the sender proves itself.
    #[serde(default)]
    pub authentication: Scheme,
    /// What a sender that comes too often is answered.
    #[serde(default)]
    pub overload: Overload,
    /// The request's headers that templates may read.
    #[serde(default)]
    pub headers: Vec<String>,
    /// What a hook that uses the mapping may set otherwise.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The path of the list in the body whose elements are events of their own.
    pub for_each: Option<String>,
    /// What becomes of an event: the first rule whose condition holds.
    pub rules: Vec<Spanned<RuleText>>,
}

/// One rule, its templates not yet compiled.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    /// A condition; without one the rule always holds.
    pub when: Option<String>,
    /// Names of recipients, one a line.
    pub recipients: String,
    /// The notification's type.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub message: Option<String>,
    pub link: Option<String>,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    pub related_ticket_id: Option<String>,
    /// What an unread notification is replaced by.
    pub collapse_key: Option<String>,
    /// What tells the event from every other, so that it can come again.
    pub id: Option<String>,
}
