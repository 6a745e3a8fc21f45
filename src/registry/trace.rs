//! A pipeline watched at work: what each component found and changed, for people who write types.

use bellboard_sdk::Context;
use serde_json::{Map, Value};

use super::{NotificationType, Run};
use crate::domain::{Draft, Problem, Timestamp};

/// Told of each component right after it ran. `()` hears nothing and costs nothing.
pub(super) trait Watch {
    /// A validator found these problems.
    fn checked(&mut self, _component: &'static str, _problems: &[Problem]) {}
    /// An enricher left the draft so, or refused it.
    fn enriched(&mut self, _component: &'static str, _draft: &Draft, _refusal: Option<&Problem>) {}
}

impl Watch for () {}

/// What one component did with a draft.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name; [`Step::TYPE`] where the type's own severity and icon are filled in at the end.
    pub component: &'static str,
    /// What it found wrong.
    pub problems: Vec<Problem>,
    /// The fields that it set, and to what; null where it took one away. A key of metadata is a field
    /// of its own, such as `metadata.currency`.
    pub changes: Vec<(String, Value)>,
}

impl Step {
    /// Stands in the place of a component's name for the type itself.
    pub const TYPE: &'static str = "type.yaml";
}

impl NotificationType {
    /// The same as [`NotificationType::run`], with what each component did that had its turn.
    pub fn trace(&self, draft: Draft, context: &Context, strict: bool) -> (Run, Vec<Step>) {
        let mut tracer = Tracer { last: fields(&draft), steps: Vec::new() };
        let run = self.run_watched(draft, context, strict, &mut tracer);
        (run, tracer.steps)
    }
}

struct Tracer {
    /// The draft's fields after the last component.
    last: Map<String, Value>,
    steps: Vec<Step>,
}

impl Watch for Tracer {
    fn checked(&mut self, component: &'static str, problems: &[Problem]) {
        self.steps.push(Step { component, problems: problems.to_vec(), changes: Vec::new() });
    }

    fn enriched(&mut self, component: &'static str, draft: &Draft, refusal: Option<&Problem>) {
        let now = fields(draft);
        let set = now.iter().filter(|(name, value)| self.last.get(*name) != Some(*value));
        let taken = self.last.keys().filter(|name| !now.contains_key(*name));
        let changes = set
            .map(|(name, value)| (name.clone(), value.clone()))
            .chain(taken.map(|name| (name.clone(), Value::Null)))
            .collect();
        self.steps.push(Step { component, problems: refusal.into_iter().cloned().collect(), changes });
        self.last = now;
    }
}

/// A draft's fields, those of metadata beside the others, times as people read them.
fn fields(draft: &Draft) -> Map<String, Value> {
    let mut fields = match serde_json::to_value(draft) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    if let Some(Value::Object(metadata)) = fields.shift_remove("metadata") {
        fields.extend(metadata.into_iter().map(|(key, value)| (format!("metadata.{key}"), value)));
    }
    if let Some(at) = draft.expires_at {
        fields.insert("expires_at".into(), Timestamp(at).to_string().into());
    }
    fields
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{PluginFolder, Registry};
    use super::*;
    use crate::domain::{Metadata, TenantId};

    fn kind(pipeline: &str) -> Registry {
        let manifest = format!("description: d\nicon: i\nseverity: info\npipeline:\n{pipeline}");
        let files = [("type.yaml".to_owned(), manifest.into_bytes())].into();
        let folder = PluginFolder { name: "t".into(), files, ..PluginFolder::default() };
        let loaded = Registry::load(&[folder], None);
        assert_eq!(loaded.problems, []);
        loaded.registry
    }

    fn trace(pipeline: &str, draft: Draft, strict: bool) -> (Run, Vec<Step>) {
        let registry = kind(pipeline);
        let kind = registry.find(&TenantId::default(), "t").expect("served");
        let context = Context { now: 0 };
        let plain = kind.run(draft.clone(), &context, strict);
        let (run, steps) = kind.trace(draft, &context, strict);
        assert_eq!(
            (&run.result, &run.warnings),
            (&plain.result, &plain.warnings),
            "who watches changes nothing"
        );
        (run, steps)
    }

    fn draft(metadata: &str) -> Draft {
        let metadata = Metadata::parse(metadata).expect("an object");
        Draft {
            user_id: 1,
            kind: "t".into(),
            title: "T".into(),
            metadata: Some(metadata),
            ..Draft::default()
        }
    }

    #[test]
    fn each_step_tells_what_it_alone_changed() {
        let pipeline = "  - metadata_defaults: {values: {currency: EUR}}\n  - expiry: {ttl: 1m}\n  \
                        - link_template: {template: /x}\n  - severity: {from_metadata: grave}\n";
        let sent = Draft { link: Some("/mine".into()), ..draft(r#"{"a":1,"grave":"error"}"#) };
        let (run, steps) = trace(pipeline, sent, false);
        assert!(run.result.is_ok());
        let found: Vec<_> = steps.iter().map(|s| (s.component, json!(s.changes))).collect();
        assert_eq!(
            found,
            [
                ("metadata_defaults", json!([["metadata.currency", "EUR"]])),
                ("expiry", json!([["expires_at", "1970-01-01T00:01:00Z"]])),
                ("link_template", json!([])),
                ("severity", json!([["severity", "error"]])),
                (Step::TYPE, json!([["icon", "i"]])),
            ]
        );
    }

    #[test]
    fn every_validator_has_its_turn_and_no_enricher_after_a_refusal() {
        let pipeline = "  - required_fields: {fields: [message], mode: warn}\n  \
                        - required_fields: {fields: [link]}\n  - expiry: {ttl: 1m}\n";
        for strict in [false, true] {
            let (run, steps) = trace(pipeline, draft("{}"), strict);
            assert_eq!(run.result.expect_err("refused").len(), if strict { 2 } else { 1 });
            let fields: Vec<_> = steps.iter().map(|s| s.problems[0].field.as_str()).collect();
            assert_eq!(fields, ["message", "link"]);
        }
    }
}
