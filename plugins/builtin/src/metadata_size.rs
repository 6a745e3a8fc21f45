//! `metadata_size`: how large and how deep metadata may be.

use bellboard_sdk::{
    Builder, Component, Context, Draft, Problem, ProblemCode, Problems, Resources, Validator,
};
use serde::Deserialize;
use serde_json::Value;

use crate::settings::{self, Mode};

/// The entry in the list of components.
pub(crate) const BUILDER: Builder =
    Builder { name: "metadata_size", summary: "Bounds the bytes and the depth of metadata.", build };

/// What `type.yaml` says under the name: at least one of the two bounds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The most bytes of its JSON text as sent.
    bytes: Option<usize>,
    /// The most levels of nesting; the object itself is 1.
    depth: Option<usize>,
    /// Whether a fault refuses the notification.
    #[serde(default)]
    mode: Mode,
}

struct MetadataSize(Settings);

fn build(settings: Value, _: &Resources) -> Result<Component, String> {
    let settings: Settings = settings::read(settings)?;
    if settings.bytes.is_none() && settings.depth.is_none() {
        return Err("needs bytes or depth".into());
    }
    Ok(Component::Validator(Box::new(MetadataSize(settings))))
}

impl Validator for MetadataSize {
    fn validate(&self, draft: &Draft, _: &Context, problems: &mut Problems) {
        let (Some(metadata), Self(Settings { bytes, depth, mode })) = (&draft.metadata, self) else { return };
        if let Some(max) = bytes.filter(|max| metadata.text().len() > *max) {
            let problem = Problem::new("metadata", format_args!("must be at most {max} bytes"));
            mode.report(problems, problem.coded(ProblemCode::TooLarge));
        }
        if let Some(max) = depth.filter(|max| !is_within(metadata.value(), *max)) {
            let problem = Problem::new("metadata", format_args!("must be at most {max} levels deep"));
            mode.report(problems, problem.coded(ProblemCode::TooDeep));
        }
    }
}

/// Whether a value nests at most so many objects and lists.
fn is_within(value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(map) => depth > 0 && map.values().all(|v| is_within(v, depth - 1)),
        Value::Array(list) => depth > 0 && list.iter().all(|v| is_within(v, depth - 1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::BUILDER;
    use crate::testing::{build, draft, error, messages};
    use serde_json::json;

    #[test]
    fn both_bounds_hold_and_are_inclusive() {
        let component = build(BUILDER, json!({"bytes": 13, "depth": 2})).expect("good settings");
        assert!(messages(&component, &draft(json!(null))).is_empty());
        assert!(messages(&component, &draft(json!({"a": [1, 2]}))).is_empty());
        assert_eq!(
            messages(&component, &draft(json!({"a": [[12345678]]}))),
            ["metadata must be at most 13 bytes", "metadata must be at most 2 levels deep"]
        );
    }

    #[test]
    fn settings_are_checked() {
        assert!(error(BUILDER, json!(null)).contains("needs bytes or depth"));
        assert!(error(BUILDER, json!({"bytes": -1})).contains("-1"));
    }
}
