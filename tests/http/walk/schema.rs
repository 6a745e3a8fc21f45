//! The document's schemas as JSON Schema, so that bodies can be held against them.

use serde_json::{Map, Value, json};

/// The document, and its schemas in the form of a validator.
pub struct Schemas<'a> {
    document: &'a Value,
    components: Value,
}

impl<'a> Schemas<'a> {
    pub fn of(document: &'a Value) -> Self {
        Self { document, components: json_schema(&document["components"]["schemas"]) }
    }

    /// What a `$ref` leads to; anything else is itself.
    pub fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let place = reference.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer));
                place.unwrap_or_else(|| panic!("{reference} leads nowhere"))
            }
            None => value,
        }
    }

    /// Whether a value is what a schema of the document says.
    #[track_caller]
    pub fn check(&self, schema: &Value, value: &Value, what: &str) {
        let whole = json!({"allOf": [json_schema(schema)], "components": {"schemas": self.components}});
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(&whole)
            .unwrap_or_else(|e| panic!("{what}: the schema is wrong: {e}"));
        let faults: Vec<String> =
            validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(faults.is_empty(), "{what}: {value} is not as declared:\n{}", faults.join("\n"));
    }
}

/// A schema of OpenAPI 3.0 in the words of JSON Schema.
fn json_schema(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(json_schema).collect(),
        Value::Object(object) => {
            let mut made: Map<String, Value> =
                object.iter().map(|(name, value)| (name.clone(), json_schema(value))).collect();
            if made.remove("nullable") == Some(true.into()) {
                let kind = made.get("type").cloned().expect("nullable stands beside a type");
                made.insert("type".into(), json!([kind, "null"]));
                if let Some(Value::Array(values)) = made.get_mut("enum") {
                    values.push(Value::Null);
                }
            }
            for bound in ["exclusiveMinimum", "exclusiveMaximum"] {
                assert!(!made.get(bound).is_some_and(Value::is_boolean), "{bound}: translate it here");
            }
            Value::Object(made)
        }
        other => other.clone(),
    }
}
