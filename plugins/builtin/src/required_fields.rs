//! `required_fields`: fields that the sender must give.

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
    Builder { name: "required_fields", summary: "Asks for fields that the sender must give.", build };

/// What `type.yaml` says under the name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The fields, such as `message` or `metadata.invoice_id`.
    fields: Vec<String>,
    /// Whether a missing one refuses the notification.
    #[serde(default)]
    mode: Mode,
}

struct RequiredFields {
    fields: Vec<Field>,
    mode: Mode,
}

fn build(settings: Value, _: &Resources) -> Result<Component, String> {
    let Settings { fields, mode } = settings::read(settings)?;
    if fields.is_empty() {
        return Err("fields must name at least one field".into());
    }
    let fields = fields.iter().map(|f| Field::parse(f)).collect::<Result<_, _>>()?;
    Ok(Component::Validator(Box::new(RequiredFields { fields, mode })))
}

impl Validator for RequiredFields {
    fn validate(&self, draft: &Draft, _: &Context, problems: &mut Problems) {
        for field in self.fields.iter().filter(|f| !f.is_present(draft)) {
            let problem = Problem::new(field.path(), "is required").coded(ProblemCode::Required);
            self.mode.report(problems, problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BUILDER;
    use crate::testing::{build, draft, error, messages, problems};
    use serde_json::json;

    #[test]
    fn every_missing_field_is_named() {
        let component =
            build(BUILDER, json!({"fields": ["title", "link", "metadata.id"]})).expect("good settings");
        assert_eq!(
            messages(&component, &draft(json!({"id": null}))),
            ["link is required", "metadata.id is required"]
        );
    }

    #[test]
    fn warn_makes_the_problem_advisory() {
        let component = build(BUILDER, json!({"fields": ["link"], "mode": "warn"})).expect("good settings");
        assert!(problems(&component, &draft(json!(null)))[0].advisory);
    }

    #[test]
    fn settings_are_checked() {
        assert!(error(BUILDER, json!({"fields": ["lnik"]})).contains("`lnik` is not a field"));
        assert!(error(BUILDER, json!({"field": ["link"]})).contains("unknown field `field`"));
        assert!(error(BUILDER, json!(null)).contains("missing field `fields`"));
    }
}
