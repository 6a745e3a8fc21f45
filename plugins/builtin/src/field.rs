//! A field of a draft by its path, such as `message` or `metadata.amount`.

use std::borrow::Cow;

use bellboard_sdk::Draft;
use serde_json::Value;

/// Names one of the fields that a sender gives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Field {
    path: String,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Title,
    Message,
    Link,
    RelatedTicketId,
    RelatedUserId,
    /// The keys below `metadata`; none for the object itself.
    Metadata(Vec<String>),
}

impl Field {
    /// Reads a path. The error names the fields there are.
    pub fn parse(path: &str) -> Result<Self, String> {
        let place = match path {
            "title" => Place::Title,
            "message" => Place::Message,
            "link" => Place::Link,
            "related_ticket_id" => Place::RelatedTicketId,
            "related_user_id" => Place::RelatedUserId,
            "metadata" => Place::Metadata(Vec::new()),
            _ => match path.strip_prefix("metadata.") {
                Some(keys) if keys.split('.').all(|key| !key.is_empty()) => {
                    Place::Metadata(keys.split('.').map(str::to_owned).collect())
                }
                _ => {
                    return Err(format!(
                        "`{path}` is not a field: use title, message, link, related_ticket_id, \
                         related_user_id, metadata or metadata.<key>"
                    ));
                }
            },
        };
        Ok(Self { path: path.to_owned(), place })
    }

    /// The path as it was written.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the draft has a value there: not null, and not only white space.
    pub fn is_present(&self, draft: &Draft) -> bool {
        match &self.place {
            Place::RelatedTicketId => draft.related_ticket_id.is_some(),
            Place::RelatedUserId => draft.related_user_id.is_some(),
            Place::Metadata(keys) => match value(draft, keys) {
                None | Some(Value::Null) => false,
                Some(Value::String(text)) => !text.trim().is_empty(),
                Some(_) => true,
            },
            _ => self.text(draft).is_some_and(|text| !text.trim().is_empty()),
        }
    }

    /// The text there. A value of metadata that is not a string counts as its JSON.
    pub fn text<'a>(&self, draft: &'a Draft) -> Option<Cow<'a, str>> {
        match &self.place {
            Place::Title => Some(Cow::Borrowed(draft.title.as_str())),
            Place::Message => draft.message.as_deref().map(Cow::Borrowed),
            Place::Link => draft.link.as_deref().map(Cow::Borrowed),
            Place::RelatedTicketId => draft.related_ticket_id.map(|id| Cow::Owned(id.to_string())),
            Place::RelatedUserId => draft.related_user_id.map(|id| Cow::Owned(id.to_string())),
            Place::Metadata(keys) if keys.is_empty() => {
                draft.metadata.as_ref().map(|m| Cow::Borrowed(m.text()))
            }
            Place::Metadata(keys) => match value(draft, keys)? {
                Value::Null => None,
                Value::String(text) => Some(Cow::Borrowed(text)),
                other => Some(Cow::Owned(other.to_string())),
            },
        }
    }
}

fn value<'a>(draft: &'a Draft, keys: &[String]) -> Option<&'a Value> {
    keys.iter().try_fold(draft.metadata.as_ref()?.value(), |value, key| value.get(key))
}

#[cfg(test)]
mod tests {
    use super::Field;
    use crate::testing::draft;
    use serde_json::json;

    #[test]
    fn paths_reach_into_metadata() {
        let draft = draft(json!({"a": {"b": 7}, "blank": " ", "none": null}));
        let field = |path| Field::parse(path).expect("a field");
        assert_eq!(field("metadata.a.b").text(&draft).as_deref(), Some("7"));
        for present in ["title", "metadata", "metadata.a", "metadata.a.b"] {
            assert!(field(present).is_present(&draft), "{present}");
        }
        for absent in ["message", "related_user_id", "metadata.blank", "metadata.none", "metadata.a.b.c"] {
            assert!(!field(absent).is_present(&draft), "{absent}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for path in ["", "body", "metadata.", "metadata..a", "user_id"] {
            assert!(Field::parse(path).is_err(), "{path:?}");
        }
    }
}
