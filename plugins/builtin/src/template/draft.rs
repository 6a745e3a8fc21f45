//! Templates over a draft.

use std::sync::Arc;

use bellboard_sdk::Draft;
use minijinja::value::{Serde, Value};

use super::{Engine, Fields, Writing};
use crate::excerpt::excerpt;

/// A template over a draft's fields.
pub(crate) struct Template {
    engine: Engine,
    reads: Vec<Read>,
}

/// One thing of the draft that the template reads, so that only this is handed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Read {
    UserId,
    Kind,
    Title,
    Message,
    Link,
    RelatedTicketId,
    RelatedUserId,
    /// The whole object.
    Metadata,
    /// One key of it.
    Key(Arc<str>),
}

impl Template {
    /// Compiles a template whose result has at most `max` characters. The error says what is
    /// wrong with the source.
    pub fn compile(source: &str, writing: Writing, max: usize) -> Result<Self, String> {
        let mut engine = Engine::compile(source, max)?;
        let reads = reads(&engine)?;
        engine.try_names(samples(&reads))?;
        Ok(Self { engine: engine.writing(writing), reads })
    }

    /// The text for a draft; `None` when something it needs is absent, or the text comes out empty
    /// or too long.
    pub fn render(&self, draft: &Draft) -> Option<String> {
        let mut fields = Fields(Vec::with_capacity(self.reads.len()));
        let mut keys = Fields(Vec::new());
        for read in &self.reads {
            match read {
                Read::Key(key) => {
                    if let Some(value) = draft.metadata.as_ref().and_then(|m| m.get(key)).and_then(value_of) {
                        keys.0.push((key.clone(), value));
                    }
                }
                _ => {
                    if let Some((name, value)) = read.field(draft) {
                        fields.0.push((name.into(), value));
                    }
                }
            }
        }
        if self.reads.iter().any(|read| matches!(read, Read::Key(_))) {
            fields.0.push(("metadata".into(), Value::from_object(keys)));
        }
        self.engine.render(Value::from_object(fields))
    }
}

/// What the template reads, each once.
fn reads(engine: &Engine) -> Result<Vec<Read>, String> {
    let mut reads = engine.reads(true)?.iter().map(|path| Read::of(path)).collect::<Result<Vec<_>, _>>()?;
    reads.dedup();
    if reads.contains(&Read::Metadata) {
        reads.retain(|read| !matches!(read, Read::Key(_)));
    }
    Ok(reads)
}

/// No values, and some.
fn samples(reads: &[Read]) -> [Value; 2] {
    let key = |read: &Read| match read {
        Read::Key(key) => Some((key.clone(), Value::from("1"))),
        _ => None,
    };
    let metadata = Value::from_object(Fields(reads.iter().filter_map(key).collect()));
    let some = ["user_id", "type", "title", "message", "link", "related_ticket_id", "related_user_id"]
        .map(|name| (name.into(), Value::from("1")));
    let some = some.into_iter().chain([("metadata".into(), metadata)]).collect();
    [Vec::new(), some].map(|fields| Value::from_object(Fields(fields)))
}

impl Read {
    /// What a path such as `metadata.id.x` reads. The error names what there is.
    fn of(path: &str) -> Result<Self, String> {
        let mut steps = path.split('.');
        Ok(match steps.next().unwrap_or_default() {
            "user_id" => Self::UserId,
            "type" => Self::Kind,
            "title" => Self::Title,
            "message" => Self::Message,
            "link" => Self::Link,
            "related_ticket_id" => Self::RelatedTicketId,
            "related_user_id" => Self::RelatedUserId,
            "metadata" => steps.next().map_or(Self::Metadata, |key| Self::Key(key.into())),
            other => {
                return Err(format!(
                    "template reads `{}`, which is none of user_id, type, title, message, link, \
                     related_ticket_id, related_user_id and metadata",
                    excerpt(other)
                ));
            }
        })
    }

    fn field(&self, draft: &Draft) -> Option<(&'static str, Value)> {
        Some(match self {
            Self::UserId => ("user_id", draft.user_id.into()),
            Self::Kind => ("type", draft.kind.as_str().into()),
            Self::Title => ("title", draft.title.as_str().into()),
            Self::Message => ("message", draft.message.as_deref()?.into()),
            Self::Link => ("link", draft.link.as_deref()?.into()),
            Self::RelatedTicketId => ("related_ticket_id", draft.related_ticket_id?.into()),
            Self::RelatedUserId => ("related_user_id", draft.related_user_id?.into()),
            Self::Metadata => {
                let value = draft.metadata.as_ref().map(|m| m.value());
                (
                    "metadata",
                    value.and_then(value_of).unwrap_or_else(|| Value::from_object(Fields(Vec::new()))),
                )
            }
            Self::Key(_) => return None,
        })
    }
}

/// The template's value of a JSON value; null counts as absent.
fn value_of(value: &serde_json::Value) -> Option<Value> {
    use serde_json::Value as Json;
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.as_str().into()),
        Json::Number(number) if number.is_i64() => number.as_i64().map(Value::from),
        other => Some(Value::from(Serde(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Template, Writing};
    use crate::testing::draft;
    use serde_json::{Value, json};

    fn plain(source: &str, metadata: Value) -> Option<String> {
        Template::compile(source, Writing::Plain, 100).expect("a template").render(&draft(metadata))
    }

    fn link(source: &str, metadata: Value) -> Option<String> {
        Template::compile(source, Writing::Link, 100).expect("a template").render(&draft(metadata))
    }

    #[test]
    fn text_numbers_and_booleans_are_written() {
        let metadata = json!({"a": "x y", "b": 7, "c": 1.5, "d": true, "e": {"f": ["<&>"]}, "big": u64::MAX});
        let source = "{{ metadata.a }} {{ metadata.b }} {{ metadata.c }} {{ metadata.d }} {{ metadata.e.f[0] }} {{ metadata.big }}";
        assert_eq!(plain(source, metadata).as_deref(), Some("x y 7 1.5 true <&> 18446744073709551615"));
        assert_eq!(
            plain("{{ type }}: {{ title }} for {{ user_id }}", json!(null)).as_deref(),
            Some("custom: Hello for 1")
        );
        assert_eq!(plain("{{ metadata['a b'] }}", json!({"a b": 1})).as_deref(), Some("1"));
    }

    #[test]
    fn what_is_absent_produces_nothing() {
        for source in [
            "a {{ metadata.x }}",
            "a {{ metadata.x.y }}",
            "a {{ metadata.null }}",
            "a {{ metadata.null | upper }}",
            "a {{ metadata.x ~ 'b' }}",
            "a {{ metadata.list }}",
            "a {{ metadata.object }}",
            "a {{ metadata['x'] }}",
            "a {{ metadata.object.null }}",
            "{% if metadata.x %}a{% endif %}",
            "a {{ related_ticket_id }}{{ message }}",
        ] {
            assert_eq!(
                plain(source, json!({"null": null, "list": [1], "object": {"null": null}})),
                None,
                "{source}"
            );
            assert_eq!(plain(source, json!(null)), None, "{source}");
        }
    }

    #[test]
    fn absent_values_can_be_asked_about() {
        let source = "{% if metadata.x is defined %}{{ metadata.x }}{% else %}none{% endif %} {{ metadata.y | default('-') }}";
        assert_eq!(plain(source, json!({"x": 1})).as_deref(), Some("1 -"));
        assert_eq!(plain(source, json!(null)).as_deref(), Some("none -"));
        assert_eq!(
            plain("{% for x in metadata.l %}{{ loop.index }}{{ x }}{% endfor %}", json!({"l": ["a", "b"]}))
                .as_deref(),
            Some("1a2b")
        );
        assert_eq!(
            plain("{% for k in metadata %}{{ k }}{% endfor %}", json!({"p": 1, "q": 2})).as_deref(),
            Some("pq")
        );
    }

    #[test]
    fn values_cannot_change_a_links_structure() {
        for (value, part) in [
            ("../admin?x=1#y", "..%2Fadmin%3Fx%3D1%23y"),
            ("//evil.example", "%2F%2Fevil.example"),
            ("javascript:alert(1)", "javascript%3Aalert%281%29"),
            ("\\ \u{0}\u{202E}%2F", "%5C%20%00%E2%80%AE%252F"),
            ("ü~a-b_c.d", "%C3%BC~a-b_c.d"),
        ] {
            let made = link("/s/{{ metadata.id }}", json!({"id": value}));
            assert_eq!(made, Some(format!("/s/{part}")));
            let tricks = [
                "/s/{{ metadata.id | safe }}",
                "/s/{% autoescape 'none' %}{{ metadata.id }}{% endautoescape %}",
            ];
            for trick in tricks {
                if let Ok(template) = Template::compile(trick, Writing::Link, 100) {
                    assert_eq!(template.render(&draft(json!({"id": value}))), Some(format!("/s/{part}")));
                }
            }
        }
        assert_eq!(link("/s/{{ metadata.id }}", json!({"id": ""})), None);
    }

    #[test]
    fn length_and_work_are_bounded() {
        assert_eq!(
            plain("{{ metadata.x }}", json!({"x": "ü".repeat(100)})).map(|t| t.chars().count()),
            Some(100)
        );
        assert_eq!(plain("{{ metadata.x }}", json!({"x": "ü".repeat(101)})), None);
        let loops = "{% for a in metadata.l %}{% for b in metadata.l %}{% for c in metadata.l %}{% endfor %}{% endfor %}{% endfor %}a";
        assert_eq!(plain(loops, json!({"l": vec![1; 100]})), None);
    }

    #[test]
    fn mistakes_are_found_when_it_is_compiled() {
        let fault = |source| Template::compile(source, Writing::Plain, 9).err().expect("a mistake");
        assert!(fault("{{ title").contains("does not compile"), "{}", fault("{{ title"));
        assert!(fault("{{ ticket_id }}").contains("reads `ticket_id`"));
        assert!(fault("{{ title | nothing }}").contains("nothing"), "{}", fault("{{ title | nothing }}"));
        assert!(fault("{{ range(9) }}").contains("reads `range`"));
    }
}
