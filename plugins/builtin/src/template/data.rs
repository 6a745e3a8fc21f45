//! Templates over named JSON values, for what hooks bring.

use minijinja::{Value, value::Serde};
use serde_json::Value as Json;

use super::{Engine, Fields, Writing};
use crate::excerpt::excerpt;

/// The values that templates read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Data(Vec<(&'static str, Value)>);

impl Data {
    /// Takes values by name. What is null in them counts as absent.
    pub fn new(values: impl IntoIterator<Item = (&'static str, Json)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name, whole(value)));
        Self(values.collect())
    }

    /// The same with one value more, or another.
    #[must_use]
    pub fn with(&self, name: &'static str, value: Json) -> Self {
        let others = self.0.iter().filter(|(other, _)| *other != name).cloned();
        Self(others.chain([(name, whole(value))]).collect())
    }

    fn value(&self) -> Value {
        let fields = self.0.iter().map(|(name, value)| ((*name).into(), value.clone()));
        Value::from_object(Fields(fields.collect()))
    }
}

/// A value in which nothing is null.
fn whole(mut value: Json) -> Value {
    drop_nulls(&mut value);
    match value {
        Json::Null => Value::UNDEFINED,
        value => Value::from(Serde(&value)),
    }
}

fn drop_nulls(value: &mut Json) {
    match value {
        Json::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Json::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// A template over [`Data`].
pub struct DataTemplate(Engine);

impl DataTemplate {
    /// Compiles a template that reads values of these names alone, and whose result has at most `max` characters.
    /// The error says what is wrong with the source.
    pub fn compile(source: &str, writing: Writing, max: usize, names: &[&str]) -> Result<Self, String> {
        let mut engine = Engine::compile(source, max)?;
        if let Some(other) = engine.reads(false)?.iter().find(|read| !names.contains(&read.as_str())) {
            return Err(format!(
                "template reads `{}`, which is none of {}",
                excerpt(other),
                names.join(", ")
            ));
        }
        let some = names.iter().map(|name| ((*name).into(), Value::from("1"))).collect();
        engine.try_names([Vec::new(), some].map(|fields| Value::from_object(Fields(fields))))?;
        Ok(Self(engine.writing(writing)))
    }

    /// The text; `None` when something it needs is absent, or the text comes out empty or too long.
    pub fn render(&self, data: &Data) -> Option<String> {
        self.0.render(data.value())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(source: &str, writing: Writing) -> Option<String> {
        let event =
            json!({"id": "a b", "n": 1.5, "none": null, "tags": {"b": 1, "a": null}, "list": [1, "x"]});
        let template = DataTemplate::compile(source, writing, 100, &["event", "item"]).expect("a template");
        template.render(&Data::new([("event", event)]).with("item", json!({"x": "y"})))
    }

    #[test]
    fn values_are_read_by_name_and_null_is_absent() {
        let plain = |source| made(source, Writing::Plain);
        assert_eq!(plain("{{ event.id }} {{ item.x }} {{ event.n }}").as_deref(), Some("a b y 1.5"));
        assert_eq!(plain("{{ event.none | default('-') }}").as_deref(), Some("-"));
        assert_eq!(
            plain("{% for name, tag in event.tags|items %}{{ name }}={{ tag }};{% endfor %}").as_deref(),
            Some("b=1;")
        );
        for nothing in ["{{ event.none }}", "{{ event.list }}", "{{ event.no.thing }}", "{{ item }}"] {
            assert_eq!(plain(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn json_keeps_what_a_value_is() {
        assert_eq!(made("{{ event.n }}", Writing::Json).as_deref(), Some("1.5"));
        assert_eq!(made("{{ event.tags }}", Writing::Json).as_deref(), Some(r#"{"b":1}"#));
        assert_eq!(made("{{ event.list }}", Writing::Json).as_deref(), Some(r#"[1,"x"]"#));
        assert_eq!(made("{{ event.none }}", Writing::Json), None);
    }

    #[test]
    fn only_the_names_that_there_are_can_be_read() {
        let fault =
            |source| DataTemplate::compile(source, Writing::Plain, 9, &["event"]).err().expect("a mistake");
        assert!(
            fault("{{ item.x }}").contains("reads `item`, which is none of event"),
            "{}",
            fault("{{ item.x }}")
        );
        assert!(fault("{{ event | nothing }}").contains("nothing"));
    }
}
