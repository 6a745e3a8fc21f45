//! A notification before it is stored.

use serde::{Deserialize, Serialize};

use crate::{Metadata, Problem, ProblemCode, check_link};

/// A notification on its way through its type's pipeline.
///
/// The first group of fields is what the sender gave; the second is what enrichers add.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The user to notify, 1 to 2^53−1.
    pub user_id: i64,
    /// The name of the notification's type.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// One line for the reader; never empty once accepted.
    pub title: String,
    /// More text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where a click leads: a path of the site or an http(s) URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The sender's structured data, kept as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The ticket it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related_ticket_id: Option<i64>,
    /// The user who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related_user_id: Option<i64>,

    /// How grave it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The name of an icon, such as `check-circle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// When it leaves the inbox by itself, in microseconds since 1970-01-01T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// An unread notification of the same user with the same key is replaced by this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collapse_key: Option<String>,
}

impl Draft {
    /// What is wrong with the link, by [`check_link`].
    pub fn link_problem(&self) -> Option<Problem> {
        let fault = check_link(self.link.as_deref()?).err()?;
        Some(Problem::new("link", fault).coded(ProblemCode::UnsafeLink))
    }
}

/// How grave a notification is, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For information.
    Info,
    /// Something went well.
    Success,
    /// Something may need attention.
    Warning,
    /// Something failed.
    Error,
    /// Something failed that cannot wait.
    Critical,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Success, Self::Warning, Self::Error, Self::Critical];

    /// The name in JSON and YAML.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name, in any letter case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(name))
    }
}
