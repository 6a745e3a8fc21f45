//! `collapse_key`: lets a newer notification replace an unread older one.

use bellboard_sdk::{Builder, Component, Context, Draft, Enricher, Problem, Resources};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    settings,
    template::{Template, Writing},
};

/// The entry in the list of components.
pub(crate) const BUILDER: Builder = Builder {
    name: "collapse_key",
    summary: "Lets a newer notification replace an unread older one with the same key.",
    build,
};

/// What `type.yaml` says under the name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The key, such as `{{ type }}:{{ metadata.service_id }}`. A user's keys are shared by all
    /// types, so it should name its type.
    template: String,
}

/// The most characters of a key.
const MAX: usize = 255;

struct CollapseKey(Template);

fn build(settings: Value, _: &Resources) -> Result<Component, String> {
    let Settings { template } = settings::read(settings)?;
    Ok(Component::Enricher(Box::new(CollapseKey(Template::compile(&template, Writing::Plain, MAX)?))))
}

impl Enricher for CollapseKey {
    fn enrich(&self, draft: &mut Draft, _: &Context) -> Result<(), Problem> {
        draft.collapse_key = self.0.render(draft);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::BUILDER;
    use crate::testing::{draft, enrich};
    use serde_json::json;

    #[test]
    fn without_its_parts_there_is_no_key() {
        let settings = json!({"template": "{{ type }}:{{ metadata.id }}"});
        let key = |metadata| enrich(BUILDER, settings.clone(), draft(metadata)).collapse_key;
        assert_eq!(key(json!({"id": 7})).as_deref(), Some("custom:7"));
        assert_eq!(key(json!({})), None);
        assert_eq!(key(json!({"id": "x".repeat(300)})), None);
    }
}
