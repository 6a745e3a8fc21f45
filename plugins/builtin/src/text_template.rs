//! `text_template`: makes a message where the sender gave none.

use bellboard_sdk::{Builder, Component, Context, Draft, Enricher, Problem, Resources};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    settings,
    template::{Template, Writing},
};

/// The entry in the list of components.
pub(crate) const BUILDER: Builder =
    Builder { name: "text_template", summary: "Makes a message where the sender gave none.", build };

/// What `type.yaml` says under the name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The message, such as `Invoice {{ metadata.invoice_id }} is due.`
    message: String,
}

/// The most characters of a message that is made.
const MAX: usize = 10_000;

struct TextTemplate(Template);

fn build(settings: Value, _: &Resources) -> Result<Component, String> {
    let Settings { message } = settings::read(settings)?;
    Ok(Component::Enricher(Box::new(TextTemplate(Template::compile(&message, Writing::Plain, MAX)?))))
}

impl Enricher for TextTemplate {
    fn enrich(&self, draft: &mut Draft, _: &Context) -> Result<(), Problem> {
        if draft.message.is_none() {
            draft.message = self.0.render(draft);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::BUILDER;
    use crate::testing::{draft, enrich, error};
    use bellboard_sdk::Draft;
    use serde_json::json;

    #[test]
    fn only_an_absent_message_is_made() {
        let settings = json!({"message": "Due on {{ metadata.due }}."});
        let made = enrich(BUILDER, settings.clone(), draft(json!({"due": "2026-02-01"})));
        assert_eq!(made.message.as_deref(), Some("Due on 2026-02-01."));
        let sent = Draft { message: Some("Mine".into()), ..draft(json!({"due": "2026-02-01"})) };
        assert_eq!(enrich(BUILDER, settings.clone(), sent).message.as_deref(), Some("Mine"));
        assert_eq!(enrich(BUILDER, settings, draft(json!({}))).message, None);
    }

    #[test]
    fn a_title_is_never_made() {
        assert!(error(BUILDER, json!({"title": "x", "message": "y"})).contains("unknown field `title`"));
    }
}
