//! Cases: drafts with what must become of them, run before their type is served.

use std::collections::BTreeSet;

use bellboard_sdk::Context;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{NotificationType, PluginFolder, PluginProblem, Run, manifest};
use crate::domain::{Draft, Limits, Metadata, Problem, Sealed, Timestamp};

/// The time at which cases happen: 2026-01-11T14:30:00Z.
const NOW: Timestamp = Timestamp(1_768_141_800_000_000);

/// A file below `cases/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What it shows, for people.
    #[serde(rename = "description")]
    _description: String,
    /// What the sender sends.
    draft: Sent,
    /// Whether the tenant has set the type to strict.
    #[serde(default)]
    strict: bool,
    /// What must become of it.
    expect: Expect,
}

/// What a sender can give, as `POST` takes it but for the type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    user_id: i64,
    title: String,
    message: Option<String>,
    link: Option<String>,
    metadata: Option<Metadata>,
    related_ticket_id: Option<i64>,
    related_user_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    /// Stored, with no problem at all. These fields must result; null is for absent.
    Accepted(Map<String, Value>),
    /// Stored, with advisory problems of exactly these fields.
    Warned(BTreeSet<String>),
    /// Refused, with problems of exactly these fields.
    Refused(BTreeSet<String>),
}

/// Every case of the folder with its file, those that cannot be read as problems.
pub(super) fn read_all(folder: &PluginFolder) -> Vec<(&str, Result<Case, PluginProblem>)> {
    let files = folder.files.iter().filter(|(file, _)| is_case(file));
    files
        .map(|(file, text)| {
            let case = manifest::yaml(text).map_err(|(line, text)| folder.problem(file, line, text));
            (file.as_str(), case)
        })
        .collect()
}

/// Whether a file of a folder is a case.
pub(super) fn is_case(file: &str) -> bool {
    file.starts_with("cases/") && (file.ends_with(".yaml") || file.ends_with(".yml"))
}

/// Runs every case; one problem for each that does not come out as it says.
pub(super) fn run_all(folder: &PluginFolder, kind: &NotificationType) -> Vec<PluginProblem> {
    let failed = |(file, case): (&str, Result<Case, PluginProblem>)| match case {
        Ok(case) => case.run(kind).err().map(|fault| folder.problem(file, None, fault)),
        Err(problem) => Some(problem),
    };
    read_all(folder).into_iter().filter_map(failed).collect()
}

/// Runs the pipeline once on a small draft, whatever comes out.
pub(super) fn rehearse(kind: &NotificationType) {
    let draft = Draft {
        user_id: 1,
        kind: kind.name.clone(),
        title: "A rehearsal".into(),
        metadata: Some(Metadata::empty()),
        ..Draft::default()
    };
    let _ = kind.run(draft, &Context { now: NOW.0 }, false);
}

impl Case {
    /// Whether it shows a good draft rather than a bad one.
    #[cfg(test)]
    pub(super) fn is_good(&self) -> bool {
        matches!(self.expect, Expect::Accepted(_))
    }

    /// Runs the pipeline and the seal. The error says what came out instead.
    fn run(self, kind: &NotificationType) -> Result<(), String> {
        let draft = self.draft.into_draft(kind.name.clone());
        let Run { result, warnings } = kind.run(draft, &Context { now: NOW.0 }, self.strict);
        // What is checked is what would be stored.
        let result =
            result.and_then(|draft| Sealed::from_draft(draft.clone(), &Limits::default()).map(|_| draft));
        match (self.expect, result) {
            (Expect::Accepted(fields), Ok(draft)) => {
                same("no warnings", &BTreeSet::new(), &warnings)?;
                fields.iter().try_for_each(|(name, wanted)| check(&draft, name, wanted))
            }
            (Expect::Warned(fields), Ok(_)) => same("warned", &fields, &warnings),
            (Expect::Refused(fields), Err(problems)) => same("refused", &fields, &problems),
            (Expect::Refused(_), Ok(_)) => Err("expected refused, but it was accepted".into()),
            (_, Err(problems)) => Err(format!("it was refused: {}", join(&problems))),
        }
    }
}

impl Sent {
    fn into_draft(self, kind: String) -> Draft {
        Draft {
            user_id: self.user_id,
            kind,
            title: self.title,
            message: self.message,
            link: self.link,
            metadata: self.metadata,
            related_ticket_id: self.related_ticket_id,
            related_user_id: self.related_user_id,
            ..Draft::default()
        }
    }
}

fn same(what: &str, fields: &BTreeSet<String>, problems: &[Problem]) -> Result<(), String> {
    if problems.iter().map(|p| &p.field).collect::<BTreeSet<_>>() == fields.iter().collect() {
        return Ok(());
    }
    let wanted: Vec<_> = fields.iter().map(String::as_str).collect();
    let found = if problems.is_empty() { "no problem".to_owned() } else { join(problems) };
    Err(format!("expected {what} {}, but found: {found}", wanted.join(", ")).replace("  ", " "))
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; ")
}

fn check(draft: &Draft, name: &str, wanted: &Value) -> Result<(), String> {
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    let found = match name {
        "title" => Value::from(draft.title.as_str()),
        "message" => text(&draft.message),
        "link" => text(&draft.link),
        "icon" => text(&draft.icon),
        "collapse_key" => text(&draft.collapse_key),
        "metadata" => draft.metadata.as_ref().map_or(Value::Null, |m| m.value().clone()),
        "severity" => draft.severity.map_or(Value::Null, |s| s.as_str().into()),
        "expires_at" => draft.expires_at.map_or(Value::Null, |at| Timestamp(at).to_string().into()),
        _ => {
            return Err(format!(
                "`{name}` cannot be expected: use title, message, link, metadata, severity, icon, \
                 expires_at or collapse_key"
            ));
        }
    };
    if found == *wanted { Ok(()) } else { Err(format!("expected {name} {wanted}, but it is {found}")) }
}
