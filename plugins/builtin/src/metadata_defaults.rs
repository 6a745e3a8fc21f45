//! `metadata_defaults`: keys of metadata that the sender may leave out.

use bellboard_sdk::{Builder, Component, Context, Draft, Enricher, Metadata, Problem, Resources};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::settings;

/// The entry in the list of components.
pub(crate) const BUILDER: Builder =
    Builder { name: "metadata_defaults", summary: "Adds keys to metadata that the sender left out.", build };

/// What `type.yaml` says under the name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The value for each key that is not there. A key that is there stays, even when it is null.
    values: Map<String, Value>,
}

struct MetadataDefaults(Map<String, Value>);

fn build(settings: Value, _: &Resources) -> Result<Component, String> {
    let Settings { values } = settings::read(settings)?;
    if values.is_empty() {
        return Err("values must hold at least one key".into());
    }
    Ok(Component::Enricher(Box::new(MetadataDefaults(values))))
}

impl Enricher for MetadataDefaults {
    fn enrich(&self, draft: &mut Draft, _: &Context) -> Result<(), Problem> {
        let metadata = draft.metadata.get_or_insert_with(Metadata::empty);
        for (key, value) in &self.0 {
            metadata.insert_default(key, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::BUILDER;
    use crate::testing::{draft, enrich, error};
    use serde_json::json;

    #[test]
    fn only_absent_keys_are_added() {
        let settings = json!({"values": {"currency": "EUR", "net": true}});
        let filled = enrich(BUILDER, settings.clone(), draft(json!({"net": null})));
        assert_eq!(filled.metadata.expect("kept").text(), r#"{"net":null,"currency":"EUR"}"#);
        let made = enrich(BUILDER, settings, draft(json!(null)));
        assert_eq!(made.metadata.expect("made").text(), r#"{"currency":"EUR","net":true}"#);
    }

    #[test]
    fn settings_are_checked() {
        assert!(error(BUILDER, json!({"values": {}})).contains("at least one key"));
        assert!(error(BUILDER, json!({"values": []})).contains("map"));
    }
}
