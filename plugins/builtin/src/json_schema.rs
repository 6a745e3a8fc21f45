//! `json_schema`: metadata holds to a JSON Schema.

use std::sync::LazyLock;

use bellboard_sdk::{
    Builder, Component, Context, Draft, Problem, ProblemCode, Problems, Resources, Validator,
};
use jsonschema::{PatternOptions, ValidationError, error::ValidationErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    excerpt::{excerpt, shorten},
    settings::{self, Mode},
    stack,
};

/// The entry in the list of components.
pub(crate) const BUILDER: Builder =
    Builder { name: "json_schema", summary: "Holds metadata to a JSON Schema.", build };

/// What `type.yaml` says under the name. All may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file in the type's folder that holds the schema.
    file: Option<String>,
    /// The schema itself, in place of a file.
    schema: Option<Value>,
    /// Whether a mismatch refuses the notification.
    #[serde(default)]
    mode: Mode,
    /// Whether `format` is checked; else it only describes.
    #[serde(default)]
    formats: bool,
}

/// The file when the settings name none.
const FILE: &str = "metadata.schema.json";

/// The most objects of a schema. With the depth of the metadata they bound the stack that checking takes; see
/// [`stack`](crate::stack).
const MAX_SCHEMAS: usize = 500;

/// The most characters of a problem's field and of its fault.
const MAX_TEXT: usize = 160;

/// What a draft without metadata is checked as.
static EMPTY: LazyLock<Value> = LazyLock::new(|| Value::Object(Map::new()));

struct JsonSchema {
    schema: jsonschema::Validator,
    /// How many objects it was made from.
    objects: usize,
    mode: Mode,
}

fn build(settings: Value, resources: &Resources) -> Result<Component, String> {
    let Settings { file, schema, mode, formats } = settings::read(settings)?;
    let (schema, origin) = match (file, schema) {
        (Some(_), Some(_)) => return Err("takes either file or schema".into()),
        (None, Some(schema)) => (schema, "schema".to_owned()),
        (file, None) => {
            let file = file.unwrap_or_else(|| FILE.into());
            let schema = serde_json::from_str(resources.text(&file)?);
            (schema.map_err(|e| format!("`{file}` is not JSON: {e}"))?, file)
        }
    };
    let objects = objects(&schema);
    if objects > MAX_SCHEMAS {
        return Err(format!("`{origin}` has {objects} objects; {MAX_SCHEMAS} are the most"));
    }
    if let Some(reference) = outside(&schema) {
        let reference = excerpt(reference);
        return Err(format!(
            "`{origin}` refers to {reference}: only what stands in the schema itself can be used"
        ));
    }
    // Nothing is fetched, and a pattern takes time in proportion to what it reads.
    let compile = || {
        jsonschema::options()
            .offline()
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(formats)
            .build(&schema)
            .map_err(|e| {
                let (fault, place) = (shorten(&e.to_string(), MAX_TEXT), e.instance_path());
                format!("`{origin}` is not a JSON Schema: {fault} (at `{place}`)")
            })
    };
    let compiled = stack::with_room(objects * stack::COMPILING, compile);
    let schema = compiled.map_err(|e| format!("`{origin}` cannot be compiled: {e}"))??;
    Ok(Component::Validator(Box::new(JsonSchema { schema, objects, mode })))
}

/// A reference to a schema of JSON Schema itself: the library knows those by their URLs, and they are not among the
/// objects that are counted.
fn outside(schema: &Value) -> Option<&str> {
    let names_one = |text: &&str| {
        let document = text.split('#').next().unwrap_or_default();
        document.contains('%') || document.to_ascii_lowercase().contains("json-schema.org")
    };
    match schema {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| match (name.as_str(), value) {
            ("$ref" | "$dynamicRef" | "$recursiveRef" | "$id" | "id", Value::String(text)) => {
                Some(text.as_str()).filter(names_one)
            }
            (_, value) => outside(value),
        }),
        Value::Array(items) => items.iter().find_map(outside),
        _ => None,
    }
}

/// How many objects a value has, itself among them: no fewer than there are schemas in it.
fn objects(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(objects).sum::<usize>(),
        Value::Array(items) => items.iter().map(objects).sum(),
        _ => 0,
    }
}

impl Validator for JsonSchema {
    fn validate(&self, draft: &Draft, _: &Context, problems: &mut Problems) {
        let (metadata, depth) = draft.metadata.as_ref().map_or((&*EMPTY, 1), |m| (m.value(), m.depth()));
        // What stands in the deepest object is one level more, and so is the name of a key.
        let stack = self.objects * (depth + 2) * stack::CHECKING;
        if stack::with_room(stack, || self.check(metadata, problems)).is_err() {
            problems.push(Problem::new("metadata", "cannot be checked now: the system has no memory for it"));
        }
    }
}

impl JsonSchema {
    fn check(&self, metadata: &Value, problems: &mut Problems) {
        // Nearly all hold, and asking only whether they do allocates nothing.
        if self.schema.is_valid(metadata) {
            return;
        }
        for error in self.schema.iter_errors(metadata).take(Problems::MAX) {
            let (field, fault) = describe(&error);
            let problem =
                Problem::new(shorten(&field, MAX_TEXT), shorten(&fault, MAX_TEXT)).at(pointer(&error));
            let code = match error.kind() {
                ValidationErrorKind::Required { .. } => ProblemCode::Required,
                _ => ProblemCode::SchemaMismatch,
            };
            self.mode.report(problems, problem.coded(code));
        }
    }
}

/// Where in the body it is. A key that is missing has a place too.
fn pointer(error: &ValidationError<'_>) -> String {
    let mut pointer = format!("/metadata{}", error.instance_path().as_str());
    if let ValidationErrorKind::Required { property } = error.kind() {
        let key = property.as_str().unwrap_or_default();
        pointer.extend(["/", &key.replace('~', "~0").replace('/', "~1")]);
    }
    pointer
}

/// The field at fault, and what is wrong with it. The value itself is never repeated.
fn describe(error: &ValidationError<'_>) -> (String, String) {
    let mut field = "metadata".to_owned();
    for key in error.instance_path().as_str().split('/').skip(1) {
        field.push('.');
        field.push_str(&excerpt(&key.replace("~1", "/").replace("~0", "~")));
    }
    let fault = match error.kind() {
        ValidationErrorKind::Required { property } => {
            field.push('.');
            field.push_str(&excerpt(property.as_str().unwrap_or_default()));
            "is required".to_owned()
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            format!("must not have the key {}", excerpt(unexpected.first().map_or("", String::as_str)))
        }
        ValidationErrorKind::Constant { expected_value } => format!("must be {expected_value}"),
        ValidationErrorKind::FalseSchema => "is not allowed".to_owned(),
        ValidationErrorKind::PropertyNames { .. } => "has a key that its schema does not allow".to_owned(),
        ValidationErrorKind::Not { .. } => "is what its schema rules out".to_owned(),
        ValidationErrorKind::Contains => "holds no item that its schema asks for".to_owned(),
        // Most texts start with the value and go on with what is wrong with it.
        _ => match error.masked_with("").to_string() {
            text if text.starts_with(' ') => text.trim_start().to_owned(),
            text => format!("does not hold to its schema: {text}"),
        },
    };
    (field, fault)
}

#[cfg(test)]
mod tests {
    use super::BUILDER;
    use crate::testing::{build, build_with, draft, error, messages, problems};
    use serde_json::{Value, json};

    fn faults(schema: Value, metadata: Value) -> Vec<String> {
        let component = build(BUILDER, json!({"schema": schema})).expect("a good schema");
        messages(&component, &draft(metadata))
    }

    #[test]
    fn problems_name_the_field_and_never_the_value() {
        let schema = json!({
            "properties": {
                "amount": {"type": ["number", "string"]},
                "lines": {"items": {"properties": {"a/b": {"type": "integer", "minimum": 1}}}},
                "state": {"enum": ["open", "closed"]},
                "kind": {"const": "x"},
                "no": false,
            },
            "required": ["id"],
            "additionalProperties": false,
        });
        let metadata = json!({
            "amount": [],
            "lines": [{"a/b": 1}, {"a/b": 0}, {"a/b": "secret"}],
            "state": "secret",
            "kind": "secret",
            "no": "secret",
            "x".repeat(500): 1,
        });
        let messages = faults(schema, metadata);
        for wanted in [
            "metadata.id is required",
            "metadata.amount is not of types \"number\", \"string\"",
            "metadata.lines.1.a/b is less than the minimum of 1",
            "metadata.lines.2.a/b is not of type \"integer\"",
            "metadata.kind must be \"x\"",
            "metadata.no is not allowed",
        ] {
            assert!(messages.iter().any(|m| m == wanted), "{wanted} in {messages:#?}");
        }
        assert!(messages.iter().any(|m| m.starts_with("metadata.state is not one of")), "{messages:#?}");
        assert!(messages.iter().any(|m| m.starts_with("metadata must not have the key xxx")));
        assert!(messages.iter().all(|m| m.len() < 200 && !m.contains("secret")), "{messages:#?}");
    }

    #[test]
    fn problems_point_to_their_place_within_bounds() {
        let long = "k".repeat(400);
        let schema = json!({"properties": {"a.b": {"required": ["c/d~"]}, &long: {"required": [&long]}}});
        let component = build(BUILDER, json!({"schema": schema})).expect("a good schema");
        let found = problems(&component, &draft(json!({"a.b": {}, &long: {}})));
        let pointers: Vec<_> = found.iter().map(|p| p.pointer.as_str()).collect();
        assert_eq!(pointers, ["/metadata/a.b/c~1d~0", &format!("/metadata/{long}")]);
    }

    #[test]
    fn absent_metadata_counts_as_an_empty_object() {
        assert_eq!(faults(json!({"required": ["id"]}), json!(null)), ["metadata.id is required"]);
        assert!(faults(json!({"type": "object"}), json!(null)).is_empty());
    }

    #[test]
    fn warn_makes_problems_advisory() {
        let settings = json!({"mode": "warn", "file": "a.json"});
        let component =
            build_with(BUILDER, settings, &[("a.json", json!({"required": ["id"]}))]).expect("a good schema");
        assert!(problems(&component, &draft(json!({})))[0].advisory);
    }

    #[test]
    fn formats_are_checked_only_when_asked() {
        let schema = json!({"properties": {"at": {"format": "date"}}});
        for (formats, found) in [(false, 0), (true, 1)] {
            let component =
                build(BUILDER, json!({"schema": schema, "formats": formats})).expect("a good schema");
            assert_eq!(problems(&component, &draft(json!({"at": "soon"}))).len(), found);
        }
    }

    #[test]
    fn a_schema_that_a_stack_may_have_no_room_for_is_refused() {
        let chain = |schemas: usize| {
            let definition = |n| (format!("d{n}"), json!({"$ref": format!("#/$defs/d{}", n + 1)}));
            let mut definitions: serde_json::Map<_, _> = (1..schemas).map(definition).collect();
            definitions.insert(format!("d{schemas}"), json!({"required": ["id"]}));
            json!({"$defs": definitions, "$ref": "#/$defs/d1"})
        };
        assert_eq!(faults(chain(400), json!({})), ["metadata.id is required"]);
        let built = build(BUILDER, json!({"schema": chain(20_000)}));
        let fault = built.map(|component| messages(&component, &draft(json!({})))).expect_err("refused");
        assert!(fault.contains("`schema` has 20002 objects; 500 are the most"), "{fault}");
    }

    #[test]
    fn nothing_is_fetched_and_patterns_are_linear() {
        for schema in [
            json!({"$ref": "https://example.com/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"$ref": "other.json"}),
            json!({"$id": "https://example.com/a", "$ref": "b"}),
            json!({"pattern": "(?=x)y"}),
            json!({"type": "number?"}),
        ] {
            assert!(error(BUILDER, json!({"schema": schema})).contains("is not a JSON Schema"), "{schema}");
        }
        // The schemas of JSON Schema itself are not among the objects that bound the stack.
        for schema in [
            json!({"$ref": "http://json-schema.org/draft-07/schema#"}),
            json!({"$id": "https://JSON-schema.org/draft/2020-12/a", "items": {"$ref": "schema"}}),
            json!({"items": [{"$dynamicRef": "https://json%2Dschema.org/draft/2020-12/schema#meta"}]}),
        ] {
            assert!(error(BUILDER, json!({"schema": schema})).contains("refers to"), "{schema}");
        }
        assert!(error(BUILDER, json!(null)).contains("no file `metadata.schema.json`"));
        assert!(error(BUILDER, json!({"file": "a", "schema": {}})).contains("either"));
    }
}
