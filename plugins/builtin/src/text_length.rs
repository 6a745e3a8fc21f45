//! `text_length`: how long texts must and may be.

use std::collections::BTreeMap;

use bellboard_sdk::{
    Builder, Component, Context, Draft, Problem, ProblemCode, Problems, Resources, Validator,
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    field::Field,
    settings::{self, Mode},
};

/// The entry in the list of components.
pub(crate) const BUILDER: Builder =
    Builder { name: "text_length", summary: "Bounds the characters of fields.", build };

/// What `type.yaml` says under the name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The bounds by field. A field that is absent has no length and is not checked.
    fields: BTreeMap<String, Bounds>,
    /// Whether a fault refuses the notification.
    #[serde(default)]
    mode: Mode,
}

/// Characters (Unicode scalar values), at least one of the two.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    /// The least.
    min: Option<usize>,
    /// The most.
    max: Option<usize>,
}

struct TextLength {
    fields: Vec<(Field, Bounds)>,
    mode: Mode,
}

fn build(settings: Value, _: &Resources) -> Result<Component, String> {
    let Settings { fields, mode } = settings::read(settings)?;
    if fields.is_empty() {
        return Err("fields must name at least one field".into());
    }
    let check = |(path, bounds): (String, Bounds)| match (bounds.min, bounds.max) {
        (None, None) => Err(format!("fields.{path} needs a min or a max")),
        (Some(min), Some(max)) if min > max => Err(format!("fields.{path}: min is above max")),
        _ => Ok((Field::parse(&path)?, bounds)),
    };
    let fields = fields.into_iter().map(check).collect::<Result<_, _>>()?;
    Ok(Component::Validator(Box::new(TextLength { fields, mode })))
}

impl Validator for TextLength {
    fn validate(&self, draft: &Draft, _: &Context, problems: &mut Problems) {
        for (field, bounds) in &self.fields {
            let Some(text) = field.text(draft) else { continue };
            let length = text.chars().count();
            let mut report = |code, fault: &str| {
                self.mode.report(problems, Problem::new(field.path(), fault).coded(code));
            };
            if let Some(min) = bounds.min.filter(|min| length < *min) {
                report(ProblemCode::TooShort, &format!("must be at least {min} characters"));
            }
            if let Some(max) = bounds.max.filter(|max| length > *max) {
                report(ProblemCode::TooLong, &format!("must be at most {max} characters"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BUILDER;
    use crate::testing::{build, draft, error, messages};
    use serde_json::json;

    #[test]
    fn characters_are_counted_not_bytes() {
        let component =
            build(BUILDER, json!({"fields": {"metadata.a": {"min": 2, "max": 3}, "message": {"min": 1}}}))
                .expect("good settings");
        assert!(messages(&component, &draft(json!({"a": "üüü"}))).is_empty());
        assert!(messages(&component, &draft(json!(null))).is_empty());
        assert_eq!(
            messages(&component, &draft(json!({"a": "ü"}))),
            ["metadata.a must be at least 2 characters"]
        );
        assert_eq!(
            messages(&component, &draft(json!({"a": "üüüü"}))),
            ["metadata.a must be at most 3 characters"]
        );
    }

    #[test]
    fn settings_are_checked() {
        assert!(error(BUILDER, json!({"fields": {"title": {}}})).contains("needs a min or a max"));
        assert!(error(BUILDER, json!({"fields": {"title": {"min": 3, "max": 2}}})).contains("above max"));
        assert!(error(BUILDER, json!({"fields": {}})).contains("at least one"));
    }
}
