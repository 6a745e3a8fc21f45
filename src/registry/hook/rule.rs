//! One rule of a mapping, compiled: from an event to a draft.

use bellboard_builtin::{Data, DataTemplate, Writing};
use bellboard_sdk::check_link;
use serde_json::{Map, Value};

use super::manifest::RuleText;
use crate::domain::{Draft, Limits, Metadata, Problem, is_blank, is_control};

/// The values that templates read.
pub(super) const NAMES: [&str; 5] = ["event", "item", "headers", "digest", "settings"];
/// The most characters that a template makes; what is shown of it is cut to the gateway's limits.
const LONGEST: usize = 100_000;
/// The most characters of a collapse key, which is stored behind the hook's name.
const LONGEST_KEY: usize = 180;

/// What becomes of an event.
pub(super) struct Rule {
    when: Option<DataTemplate>,
    recipients: DataTemplate,
    kind: DataTemplate,
    title: DataTemplate,
    message: Option<DataTemplate>,
    link: Option<DataTemplate>,
    metadata: Vec<(String, Made)>,
    related_ticket_id: Option<DataTemplate>,
    collapse_key: Option<DataTemplate>,
    id: Option<DataTemplate>,
}

/// What a rule makes of an event.
pub(super) struct Ruled {
    /// Without its user.
    pub draft: Draft,
    /// The names of its recipients.
    pub recipients: Vec<String>,
    pub id: Option<String>,
}

/// A value of metadata.
enum Made {
    Fixed(Value),
    Text(DataTemplate),
    /// A template that is one value alone, which stays what it is.
    Same(DataTemplate),
    List(Vec<Made>),
    Object(Vec<(String, Made)>),
}

impl Rule {
    /// Compiles a rule; the errors name the fields at fault.
    pub fn compile(text: RuleText) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut plain = |field: &str, source: &str| {
            compile(source, Writing::Plain).map_err(|fault| faults.push(format!("{field}: {fault}"))).ok()
        };
        let when =
            text.when.as_ref().map(|when| plain("when", &format!("{{% if {when} %}}yes{{% endif %}}")));
        let recipients = plain("recipients", &text.recipients);
        let kind = plain("type", &text.kind);
        let title = plain("title", &text.title);
        let mut optional =
            |field: &str, source: &Option<String>| source.as_ref().and_then(|s| plain(field, s));
        let message = optional("message", &text.message);
        let related_ticket_id = optional("related_ticket_id", &text.related_ticket_id);
        let collapse_key = optional("collapse_key", &text.collapse_key);
        let id = optional("id", &text.id);
        let link = text.link.as_ref().and_then(|source| {
            compile(source, link_writing(source)).map_err(|fault| faults.push(format!("link: {fault}"))).ok()
        });
        let metadata = Made::fields(text.metadata, "metadata", &mut faults);
        match (recipients, kind, title) {
            (Some(recipients), Some(kind), Some(title)) if faults.is_empty() => Ok(Self {
                when: when.flatten(),
                recipients,
                kind,
                title,
                message,
                link,
                metadata,
                related_ticket_id,
                collapse_key,
                id,
            }),
            _ => Err(faults),
        }
    }

    /// Whether the rule is for this event. Where its condition reads what is not there, it is not.
    pub fn holds(&self, data: &Data) -> bool {
        self.when.as_ref().is_none_or(|when| when.render(data).is_some())
    }

    /// Makes a draft of the event. The error names what the event should have had.
    pub fn apply(&self, data: &Data, limits: &Limits) -> Result<Ruled, Problem> {
        let text = |template: &Option<DataTemplate>| template.as_ref().and_then(|t| t.render(data));
        let line = |template: &DataTemplate| {
            let text: String = template.render(data)?.chars().filter(|c| !is_control(*c)).collect();
            Some(text.trim().to_owned()).filter(|text| !is_blank(text))
        };
        let nothing =
            |field: &str| Problem::new(field, "came to nothing: the event lacks what it is made from");
        let metadata = Made::object(&self.metadata, data);
        let metadata = if metadata.is_empty() { None } else { Some(Value::Object(metadata).to_string()) };
        let draft = Draft {
            kind: line(&self.kind).ok_or_else(|| nothing("type"))?,
            title: cut(line(&self.title).ok_or_else(|| nothing("title"))?, limits.title),
            message: text(&self.message).map(|text| cut(text, limits.message)),
            // One that could not be stored is no reason to lose the rest.
            link: text(&self.link)
                .map(|link| link.trim().to_owned())
                .filter(|link| check_link(link).is_ok() && link.chars().nth(limits.link).is_none()),
            metadata: metadata.map(Metadata::parse).transpose().map_err(|e| Problem::new("metadata", e))?,
            related_ticket_id: text(&self.related_ticket_id).and_then(|id| id.trim().parse().ok()),
            collapse_key: text(&self.collapse_key).map(|key| key.chars().take(LONGEST_KEY).collect()),
            ..Draft::default()
        };
        let names = self.recipients.render(data).unwrap_or_default();
        let names = names.lines().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Ok(Ruled { draft, recipients: names.collect(), id: text(&self.id) })
    }
}

fn compile(source: &str, writing: Writing) -> Result<DataTemplate, String> {
    DataTemplate::compile(source, writing, LONGEST, &NAMES)
}

/// A link that begins with a value is the sender's own; in one that does not, values are parts and stay so.
fn link_writing(source: &str) -> Writing {
    if source.trim_start().starts_with('{') { Writing::Plain } else { Writing::Link }
}

fn cut(text: String, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text;
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

impl Made {
    fn fields(fields: Map<String, Value>, path: &str, faults: &mut Vec<String>) -> Vec<(String, Self)> {
        let made = |(name, value)| {
            let made = Self::of(value, &format!("{path}.{name}"), faults);
            (name, made)
        };
        fields.into_iter().map(made).collect()
    }

    fn of(value: Value, path: &str, faults: &mut Vec<String>) -> Self {
        match value {
            Value::String(source) => {
                let inner = source.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
                let is_one = inner.is_some_and(|inner| !inner.contains("{{") && !inner.contains("{%"));
                let writing = if is_one { Writing::Json } else { Writing::Plain };
                match compile(source.trim(), writing) {
                    Ok(template) if is_one => Self::Same(template),
                    Ok(template) => Self::Text(template),
                    Err(fault) => {
                        faults.push(format!("{path}: {fault}"));
                        Self::Fixed(Value::Null)
                    }
                }
            }
            Value::Array(items) => {
                Self::List(items.into_iter().map(|item| Self::of(item, path, faults)).collect())
            }
            Value::Object(fields) => Self::Object(Self::fields(fields, path, faults)),
            fixed => Self::Fixed(fixed),
        }
    }

    /// The value for an event; what it lacks is left out.
    fn make(&self, data: &Data) -> Option<Value> {
        match self {
            Self::Fixed(value) => Some(value.clone()),
            Self::Text(template) => template.render(data).map(Value::from),
            Self::Same(template) => template.render(data).and_then(|json| serde_json::from_str(&json).ok()),
            Self::List(items) => Some(items.iter().filter_map(|item| item.make(data)).collect()),
            Self::Object(fields) => Some(Value::Object(Self::object(fields, data))),
        }
    }

    fn object(fields: &[(String, Self)], data: &Data) -> Map<String, Value> {
        fields.iter().filter_map(|(name, made)| Some((name.clone(), made.make(data)?))).collect()
    }
}
