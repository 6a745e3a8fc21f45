//! Notifications: sealed before they are stored, and as they are read.

use bellboard_sdk::{Draft, Problem};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Limits, NotificationId, ProblemCode, Severity, Timestamp, UserId, is_blank, is_control};

/// A draft that holds to the core's limits. Only this can be stored.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Whose inbox it goes to.
    pub user: UserId,
    /// The notification's type.
    pub kind: String,
    /// What is stored as one document.
    pub content: Content,
    /// How many bytes of [`Content::fields`] are the sender's own fields.
    own_fields: usize,
    /// The ticket it is about; it stands in the content too.
    pub related_ticket_id: Option<i64>,
    /// Kept apart from the content, so that erasing a user can find and clear it.
    pub related_user: Option<UserId>,
    /// When it leaves the inbox by itself.
    pub expires_at: Option<Timestamp>,
    /// Replaces an unread one with the same key.
    pub collapse_key: Option<String>,
}

/// What a notification says, as JSON text: one object whose fields are, where present, `title`,
/// `message`, `link`, `metadata`, `related_ticket_id`, `severity` and `icon`, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(String);

impl Content {
    /// Takes the text from the store.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The object's text.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The object's fields without its braces, never empty: for splicing into a larger object.
    pub fn fields(&self) -> &str {
        self.0.get(1..self.0.len().saturating_sub(1)).unwrap_or_default()
    }
}

/// A notification as its reader sees it.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// Whose inbox it is in.
    pub user: UserId,
    /// Its type.
    pub kind: String,
    /// What it says.
    pub content: Content,
    /// Who caused it, unless erased since.
    pub related_user: Option<UserId>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it was first marked read.
    pub read_at: Option<Timestamp>,
    /// When it leaves the inbox by itself.
    pub expires_at: Option<Timestamp>,
}

/// The fields that the answer to a send shows.
#[derive(Serialize)]
struct OwnFields<'a> {
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
}

/// The fields that only readers see.
#[derive(Serialize)]
struct AddedFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    related_ticket_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<&'a str>,
}

impl Sealed {
    /// The fields of the content that the answer to a send shows: `title`, `message`, `link` and
    /// `metadata`, as JSON without braces.
    pub fn own_fields(&self) -> &str {
        self.content.fields().get(..self.own_fields).unwrap_or_default()
    }

    /// Checks a draft against the core's limits, whatever its type's components made of it.
    pub fn from_draft(draft: Draft, limits: &Limits) -> Result<Self, Vec<Problem>> {
        let problems = faults(&draft, limits);
        if !problems.is_empty() {
            return Err(problems);
        }
        let refuse = |field: &str, fault: String| vec![Problem::new(field, fault)];
        let id = |field: &str, id: i64| UserId::new(id).map_err(|e| refuse(field, e.to_string()));
        let metadata: Option<&RawValue> = draft
            .metadata
            .as_ref()
            .map(|m| serde_json::from_str(m.text()))
            .transpose()
            .map_err(|e| refuse("metadata", format!("must be a JSON object: {e}")))?;
        let own = OwnFields {
            title: &draft.title,
            message: draft.message.as_deref(),
            link: draft.link.as_deref(),
            metadata,
        };
        let added = AddedFields {
            related_ticket_id: draft.related_ticket_id,
            severity: draft.severity,
            icon: draft.icon.as_deref(),
        };
        let unwritable = |e: serde_json::Error| refuse("metadata", e.to_string());
        let mut content = serde_json::to_string(&own).map_err(unwritable)?;
        let own_fields = content.len() - 2;
        let added = serde_json::to_string(&added).map_err(unwritable)?;
        if added != "{}" {
            content.pop();
            content.push(',');
            content.push_str(&added[1..]);
        }
        Ok(Self {
            user: id("user_id", draft.user_id)?,
            related_user: draft.related_user_id.map(|n| id("related_user_id", n)).transpose()?,
            content: Content(content),
            own_fields,
            related_ticket_id: draft.related_ticket_id,
            kind: draft.kind,
            expires_at: draft.expires_at.map(Timestamp),
            collapse_key: draft.collapse_key,
        })
    }
}

fn faults(draft: &Draft, limits: &Limits) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut bound = |field: &str, text: Option<&str>, max: usize| {
        // A string never has more characters than bytes, so most need no counting.
        if let Some(text) = text
            && text.len() > max
            && text.chars().count() > max
        {
            let fault = format!("must be at most {max} characters");
            problems.push(Problem::new(field, fault).coded(ProblemCode::TooLong));
        }
    };
    bound("title", Some(&draft.title), limits.title);
    bound("message", draft.message.as_deref(), limits.message);
    bound("link", draft.link.as_deref(), limits.link);
    bound("icon", draft.icon.as_deref(), 64);
    bound("collapse_key", draft.collapse_key.as_deref(), 255);
    if is_blank(&draft.title) {
        problems.push(Problem::new("title", "is required").coded(ProblemCode::Required));
    }
    if draft.title.chars().any(is_control) {
        problems.push(Problem::new("title", "must not contain control characters"));
    }
    problems.extend(draft.link_problem());
    if draft.metadata.as_ref().is_some_and(|m| m.text().len() > limits.metadata_bytes) {
        let fault = format!("must be at most {} bytes", limits.metadata_bytes);
        problems.push(Problem::new("metadata", fault).coded(ProblemCode::TooLarge));
    }
    problems.extend(draft.metadata.as_ref().and_then(|metadata| limits.too_deep(metadata)));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellboard_sdk::Metadata;

    fn draft() -> Draft {
        Draft { user_id: 1, kind: "custom".into(), title: "Hello".into(), ..Draft::default() }
    }

    #[test]
    fn sealing_keeps_metadata_as_sent() {
        let metadata = Metadata::parse(r#"{"b":1.50,"a":[ 1 ]}"#).expect("an object");
        let sealed = Sealed::from_draft(Draft { metadata: Some(metadata), ..draft() }, &Limits::default());
        let content = sealed.expect("a good draft").content;
        assert_eq!(content.fields(), r#""title":"Hello","metadata":{"b":1.50,"a":[ 1 ]}"#);
    }

    #[test]
    fn what_readers_alone_see_stands_after_the_senders_own_fields() {
        let draft = Draft { icon: Some("bell".into()), related_ticket_id: Some(4), ..draft() };
        let sealed = Sealed::from_draft(draft, &Limits::default()).expect("a good draft");
        assert_eq!(sealed.own_fields(), r#""title":"Hello""#);
        assert_eq!(sealed.content.as_json(), r#"{"title":"Hello","related_ticket_id":4,"icon":"bell"}"#);
    }

    #[test]
    fn what_an_enricher_made_is_checked_again() {
        let bad = Draft { link: Some("javascript:alert(1)".into()), title: "x".repeat(256), ..draft() };
        let problems = Sealed::from_draft(bad, &Limits::default()).expect_err("two faults");
        let fields: Vec<_> = problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["title", "link"]);
    }

    #[test]
    fn metadata_that_an_enricher_made_too_deep_does_not_pass() {
        let deep =
            |levels: usize| format!("{}{}", r#"{"a":"#.repeat(levels - 1) + "{}", "}".repeat(levels - 1));
        for (levels, fits) in [(32, true), (33, false)] {
            let metadata = Metadata::parse(deep(levels)).expect("an object");
            let sealed =
                Sealed::from_draft(Draft { metadata: Some(metadata), ..draft() }, &Limits::default());
            let told = sealed.map(drop).map_err(|problems| problems[0].message.clone());
            let expected =
                if fits { Ok(()) } else { Err("metadata must nest at most 32 levels deep".to_owned()) };
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        let title = "ü".repeat(255);
        assert!(Sealed::from_draft(Draft { title, ..draft() }, &Limits::default()).is_ok());
    }
}
