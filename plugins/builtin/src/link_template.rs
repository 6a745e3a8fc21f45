//! `link_template`: makes a link where the sender gave none.

use bellboard_sdk::{Builder, Component, Context, Draft, Enricher, Problem, Resources, check_link};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    settings,
    template::{Template, Writing},
};

/// The entry in the list of components.
pub(crate) const BUILDER: Builder =
    Builder { name: "link_template", summary: "Makes a link where the sender gave none.", build };

/// What `type.yaml` says under the name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The link, such as `/tickets/{{ related_ticket_id }}`. What is inserted is percent-encoded.
    template: String,
}

/// The most characters of a link that is made.
const MAX: usize = 2_048;

struct LinkTemplate(Template);

fn build(settings: Value, _: &Resources) -> Result<Component, String> {
    let Settings { template } = settings::read(settings)?;
    let literal = template.split(['{', '}']).next().unwrap_or_default();
    if literal != template && literal.split_once("//").is_some_and(|(_, host)| !host.contains('/')) {
        return Err("template must name its whole host, up to the next `/`, before it inserts values".into());
    }
    if let Err(fault) = check_link(if literal.is_empty() { "/" } else { literal.trim_end() }) {
        return Err(format!("template {fault}"));
    }
    Ok(Component::Enricher(Box::new(LinkTemplate(Template::compile(&template, Writing::Link, MAX)?))))
}

impl Enricher for LinkTemplate {
    fn enrich(&self, draft: &mut Draft, _: &Context) -> Result<(), Problem> {
        if draft.link.is_none() {
            draft.link = self.0.render(draft).filter(|link| !climbs(link));
        }
        Ok(())
    }
}

/// Whether a browser would leave out a part of the link: a value of `.` or `..` cannot be encoded
/// away.
fn climbs(link: &str) -> bool {
    let path = link.split(['?', '#']).next().unwrap_or_default();
    path.split('/').any(|part| part == "." || part == "..")
}

#[cfg(test)]
mod tests {
    use super::BUILDER;
    use crate::testing::{build, draft, enrich, error};
    use bellboard_sdk::Draft;
    use serde_json::{Value, json};

    fn made(template: &str, draft: Draft) -> Option<String> {
        enrich(BUILDER, json!({"template": template}), draft).link
    }

    #[test]
    fn only_an_absent_link_is_made() {
        let ticket = Draft { related_ticket_id: Some(42), ..draft(json!(null)) };
        assert_eq!(made("/tickets/{{ related_ticket_id }}", ticket.clone()).as_deref(), Some("/tickets/42"));
        let sent = Draft { link: Some("/mine".into()), ..ticket };
        assert_eq!(made("/tickets/{{ related_ticket_id }}", sent).as_deref(), Some("/mine"));
        assert_eq!(made("/tickets/{{ related_ticket_id }}", draft(json!(null))), None);
    }

    #[test]
    fn a_value_cannot_climb() {
        for id in [".", ".."] {
            assert_eq!(made("/services/{{ metadata.id }}/edit", draft(json!({"id": id}))), None);
        }
        let query = made("/services?id={{ metadata.id }}", draft(json!({"id": ".."})));
        assert_eq!(query.as_deref(), Some("/services?id=.."));
    }

    #[test]
    fn a_template_must_be_a_link_itself() {
        for bad in [
            "javascript:{{ metadata.x }}",
            "//host/{{ metadata.x }}",
            "/\\{{ metadata.x }}",
            "https://{{ metadata.host }}/a",
            "https://crm{{ metadata.host }}",
            " /a/{{ metadata.x }}",
        ] {
            assert!(error(BUILDER, json!({"template": bad})).starts_with("template must"), "{bad}");
        }
        for good in ["https://crm.example/s/{{ metadata.x }}", "/fixed", "{% if metadata.x %}/a{% endif %}"] {
            assert!(build(BUILDER, json!({"template": good})).is_ok(), "{good}");
        }
        assert!(error(BUILDER, Value::Null).contains("missing field `template`"));
    }
}
