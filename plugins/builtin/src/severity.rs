//! `severity`: how grave the notification is.

use std::collections::BTreeMap;

use bellboard_sdk::{Builder, Component, Context, Draft, Enricher, Problem, Resources, Severity};
use serde::Deserialize;
use serde_json::Value;

use crate::settings;

/// The entry in the list of components.
pub(crate) const BUILDER: Builder = Builder {
    name: "severity",
    summary: "Sets the severity, to a fixed one or to what metadata says.",
    build,
};

/// What `type.yaml` says under the name: either `fixed`, or `from_metadata` with the rest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// This one always.
    fixed: Option<Severity>,
    /// The key of metadata that names it, in any letter case.
    from_metadata: Option<String>,
    /// Other names that the key may hold, in lower case, such as `page: critical`.
    #[serde(default)]
    names: BTreeMap<String, Severity>,
    /// When the key is absent or names none; without it, the type's own severity holds.
    fallback: Option<Severity>,
}

struct Fixed(Severity);

struct FromMetadata {
    key: String,
    names: BTreeMap<String, Severity>,
    fallback: Option<Severity>,
}

fn build(settings: Value, _: &Resources) -> Result<Component, String> {
    let Settings { fixed, from_metadata, names, fallback } = settings::read(settings)?;
    match (fixed, from_metadata) {
        (Some(severity), None) if names.is_empty() && fallback.is_none() => {
            Ok(Component::Enricher(Box::new(Fixed(severity))))
        }
        (None, Some(key)) => Ok(Component::Enricher(Box::new(FromMetadata { key, names, fallback }))),
        _ => Err("needs either fixed alone, or from_metadata with names and fallback as wanted".into()),
    }
}

impl Enricher for Fixed {
    fn enrich(&self, draft: &mut Draft, _: &Context) -> Result<(), Problem> {
        draft.severity = Some(self.0);
        Ok(())
    }
}

impl Enricher for FromMetadata {
    fn enrich(&self, draft: &mut Draft, _: &Context) -> Result<(), Problem> {
        let named = draft.metadata.as_ref().and_then(|m| m.get(&self.key)).and_then(Value::as_str);
        let severity = named.and_then(|name| {
            Severity::parse(name).or_else(|| self.names.get(&name.to_ascii_lowercase()).copied())
        });
        draft.severity = severity.or(self.fallback).or(draft.severity);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::BUILDER;
    use crate::testing::{draft, enrich, error};
    use bellboard_sdk::Severity;
    use serde_json::json;

    #[test]
    fn metadata_names_it() {
        let settings =
            json!({"from_metadata": "severity", "names": {"page": "critical"}, "fallback": "warning"});
        for (sent, made) in [
            (json!({"severity": "Info"}), Severity::Info),
            (json!({"severity": "PAGE"}), Severity::Critical),
            (json!({"severity": "unheard of"}), Severity::Warning),
            (json!({"severity": 3}), Severity::Warning),
            (json!(null), Severity::Warning),
        ] {
            assert_eq!(enrich(BUILDER, settings.clone(), draft(sent)).severity, Some(made));
        }
        assert_eq!(enrich(BUILDER, json!({"from_metadata": "x"}), draft(json!(null))).severity, None);
    }

    #[test]
    fn or_it_is_fixed() {
        let made = enrich(BUILDER, json!({"fixed": "error"}), draft(json!({"severity": "info"})));
        assert_eq!(made.severity, Some(Severity::Error));
    }

    #[test]
    fn settings_are_checked() {
        assert!(error(BUILDER, json!(null)).contains("needs either"));
        assert!(error(BUILDER, json!({"fixed": "info", "from_metadata": "x"})).contains("needs either"));
        assert!(error(BUILDER, json!({"fixed": "grave"})).contains("unknown variant `grave`"));
    }
}
