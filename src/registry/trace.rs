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
