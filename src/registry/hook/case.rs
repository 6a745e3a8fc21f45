//! Cases of a mapping: requests with what must come of them, run before it is served.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Mapped, Mapping, Planned, Reception, Request, yaml};
use crate::{
    domain::{Limits, UserId},
    registry::{PluginFolder, PluginProblem, case::is_case},
};

/// A file below `cases/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it shows, for people.
    #[serde(rename = "description")]
    _description: String,
    /// The request's body.
    body: Value,
    /// Its headers.
    #[serde(default)]
    headers: HashMap<String, String>,
    /// What the hook says of its own.
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    recipients: HashMap<String, Vec<UserId>>,
    #[serde(default)]
    fallback: Vec<UserId>,
    expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// For each notification, the fields that it must have; null is for absent.
    #[serde(default)]
    notifications: Vec<Map<String, Value>>,
    /// How many events no rule is for.
    #[serde(default)]
    ignored: u64,
    /// How many events name nobody that is known.
    #[serde(default)]
    unknown: usize,
    /// The fields at fault in the other events.
    #[serde(default)]
    problems: BTreeSet<String>,
}

/// Runs every case; one problem for each that does not come out as it says.
pub(super) fn run_all(folder: &PluginFolder, mapping: &Mapping) -> Vec<PluginProblem> {
    let run = |(file, text): (&String, &Vec<u8>)| {
        let fault = match yaml::yaml::<Case>(text) {
            Ok(case) => case.run(mapping).err().map(|fault| (None, fault)),
            Err(fault) => Some(fault),
        };
        fault.map(|(line, fault)| folder.problem(file, line, fault))
    };
    folder.files.iter().filter(|(file, _)| is_case(file)).filter_map(run).collect()
}

impl Case {
    /// Maps the request. The error says what came of it instead.
    fn run(self, mapping: &Mapping) -> Result<(), String> {
        let reception = Reception {
            settings: mapping.settings(&self.settings)?,
            recipients: self.recipients,
            fallback: self.fallback,
        };
        let lower: HashMap<_, _> =
            self.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let header = |name: &'_ String| lower.get(name).cloned();
        let headers =
            mapping.headers.iter().filter_map(|name| Some((name.as_str(), header(name)?))).collect();
        let body = self.body.to_string();
        let request = Request { body: body.as_bytes(), event: self.body, headers };
        let mapped = mapping.map(request, &reception, &Limits::default());
        self.expect.check(&mapped)
    }
}

impl Expect {
    fn check(&self, mapped: &Mapped) -> Result<(), String> {
        let found: BTreeSet<_> = mapped.problems.iter().map(|p| p.field.clone()).collect();
        if found != self.problems {
            let told: Vec<_> = mapped.problems.iter().map(|p| p.message.as_str()).collect();
            let told = if told.is_empty() { "none".to_owned() } else { told.join("; ") };
            return Err(format!("expected problems of {:?}, but found: {told}", self.problems));
        }
        let unknown = mapped.planned.iter().filter(|plan| plan.unknown).count();
        for (what, wanted, found) in [
            ("notifications", self.notifications.len(), mapped.planned.len()),
            ("unknown", self.unknown, unknown),
            ("ignored", number(self.ignored), number(mapped.ignored)),
        ] {
            if wanted != found {
                return Err(format!("expected {what}: {wanted}, but it is {found}"));
            }
        }
        for (n, (wanted, plan)) in self.notifications.iter().zip(&mapped.planned).enumerate() {
            for (name, wanted) in wanted {
                let found = field(plan, name)?;
                if found != *wanted {
                    let n = n + 1;
                    return Err(format!(
                        "expected {name} of notification {n} to be {wanted}, but it is {found}"
                    ));
                }
            }
        }
        Ok(())
    }
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn field(plan: &Planned, name: &str) -> Result<Value, String> {
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    let draft = &plan.draft;
    Ok(match name {
        "users" => plan.users.iter().map(|user| user.get()).collect(),
        "type" => draft.kind.as_str().into(),
        "title" => draft.title.as_str().into(),
        "message" => text(&draft.message),
        "link" => text(&draft.link),
        "metadata" => draft.metadata.as_ref().map_or(Value::Null, |m| m.value().clone()),
        "related_ticket_id" => draft.related_ticket_id.map_or(Value::Null, Value::from),
        "collapse_key" => text(&draft.collapse_key),
        "id" => text(&plan.id),
        _ => {
            return Err(format!(
                "`{name}` cannot be expected: use users, type, title, message, link, metadata, related_ticket_id, \
                 collapse_key or id"
            ));
        }
    })
}
