//! The mapping of a hook: from what a sender brings to drafts and who is to have them.

mod case;
mod manifest;
mod rule;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use bellboard_builtin::Data;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    PluginFolder, PluginProblem, manifest as yaml,
    shelf::{Plugin, Source},
};
use crate::{
    config::{Overload, Scheme},
    domain::{Draft, Limits, Problem, UserId},
};
use manifest::Manifest;
use rule::Rule;

/// Events in one request, and names of settings and headers in one mapping.
const MOST_EVENTS: usize = 500;
const MOST_NAMES: usize = 64;
/// Headers that are credentials, or may hold one.
const CREDENTIALS: [&str; 4] = ["authorization", "x-api-key", "cookie", "proxy-authorization"];

/// A mapping, compiled.
pub struct Mapping {
    /// What it was made from.
    pub source: Source,
    /// How the sender proves itself, unless the hook says otherwise.
    pub authentication: Scheme,
    /// What a sender that comes too often is answered, unless the hook says otherwise.
    pub overload: Overload,
    /// The request's headers that it reads, in lower case.
    pub headers: Vec<String>,
    settings: Map<String, Value>,
    for_each: Option<String>,
    rules: Vec<Rule>,
}

/// What a sender brought.
pub struct Request<'a> {
    /// The body's bytes as they came.
    pub body: &'a [u8],
    /// The same, read.
    pub event: Value,
    /// Those headers that the mapping reads, by their name in lower case.
    pub headers: Vec<(&'a str, String)>,
}

/// What a hook says of its own.
#[derive(Debug, Clone, Default)]
pub struct Reception {
    /// The mapping's settings, as this hook has them.
    pub settings: Map<String, Value>,
    /// Users by the names that events have for them.
    pub recipients: HashMap<String, Vec<UserId>>,
    /// Who gets what is for nobody that is known.
    pub fallback: Vec<UserId>,
}

/// What a request comes to.
#[derive(Debug, Default)]
pub struct Mapped {
    /// What is to be sent.
    pub planned: Vec<Planned>,
    /// How many events no rule is for.
    pub ignored: u64,
    /// What is wrong with the other events.
    pub problems: Vec<Problem>,
}

/// One draft and who is to have it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The draft, without its user.
    pub draft: Draft,
    /// Its recipients, each once.
    pub users: Vec<UserId>,
    /// The event named nobody that is known, so it is for those who stand in.
    pub unknown: bool,
    /// What tells the event from every other of this sender.
    pub id: Option<String>,
    /// Where in the body it stands, such as `alerts[2]`; empty for the whole body.
    pub place: String,
}

impl Plugin for Mapping {
    fn build(folder: &PluginFolder) -> Result<Self, Vec<PluginProblem>> {
        let manifest: Manifest = yaml::read(folder)?;
        let file = folder.sort.manifest();
        let mut problems: Vec<_> =
            faults(&manifest).into_iter().map(|fault| folder.problem(file, None, fault)).collect();
        let mut rules = Vec::new();
        for text in manifest.rules {
            let line = Some(text.referenced.line()).filter(|line| *line > 0);
            match Rule::compile(text.value) {
                Ok(rule) => rules.push(rule),
                Err(faults) => problems.extend(faults.into_iter().map(|f| folder.problem(file, line, f))),
            }
        }
        let mapping = Self {
            source: Source::of(folder, manifest.replaces),
            authentication: manifest.authentication,
            overload: manifest.overload,
            headers: manifest.headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
            settings: manifest.settings,
            for_each: manifest.for_each,
            rules,
        };
        if problems.is_empty() {
            problems = case::run_all(folder, &mapping);
        }
        if problems.is_empty() { Ok(mapping) } else { Err(problems) }
    }

    fn source(&self) -> &Source {
        &self.source
    }
}

fn faults(manifest: &Manifest) -> Vec<String> {
    let mut faults = Vec::new();
    if manifest.description.trim().is_empty() {
        faults.push("description must not be empty".to_owned());
    }
    if manifest.rules.is_empty() {
        faults.push("rules must hold at least one".to_owned());
    }
    if manifest.headers.len() > MOST_NAMES || manifest.settings.len() > MOST_NAMES {
        faults.push(format!("headers and settings may have {MOST_NAMES} names each"));
    }
    let is_secret = |name: &&String| CREDENTIALS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
    if let Some(name) = manifest.headers.iter().find(is_secret) {
        faults.push(format!("headers names {name}, which holds a credential"));
    }
    faults
}

impl Mapping {
    /// The settings with what a hook sets otherwise, of an object each entry by itself. The error names a setting that there is not.
    pub fn settings(&self, own: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        if let Some(other) = own.keys().find(|name| !self.settings.contains_key(*name)) {
            let known: Vec<_> = self.settings.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(format!("{other} is no setting of the mapping; known: {known}"));
        }
        let mut settings = self.settings.clone();
        for (name, value) in own {
            match (settings.get_mut(name), value) {
                (Some(Value::Object(entries)), Value::Object(own)) => entries.extend(own.clone()),
                _ => drop(settings.insert(name.clone(), value.clone())),
            }
        }
        Ok(settings)
    }

    /// Maps what a sender brought.
    pub fn map(&self, request: Request<'_>, reception: &Reception, limits: &Limits) -> Mapped {
        let digest: String = Sha256::digest(request.body).iter().map(|byte| format!("{byte:02x}")).collect();
        let headers = request.headers.into_iter().map(|(name, value)| (name.replace('-', "_"), value.into()));
        let mut mapped = Mapped::default();
        let events = match self.events(&request.event) {
            Ok(events) => events,
            Err(problem) => {
                mapped.problems.push(problem);
                return mapped;
            }
        };
        let data = Data::new([
            ("event", request.event.clone()),
            ("headers", Value::Object(headers.collect())),
            ("digest", digest.into()),
            ("settings", Value::Object(reception.settings.clone())),
        ]);
        let mut ids = HashSet::new();
        for (place, item) in events {
            let data = data.with("item", item.clone());
            let Some(rule) = self.rules.iter().find(|rule| rule.holds(&data)) else {
                mapped.ignored += 1;
                continue;
            };
            match plan(rule, &data, place, reception, limits) {
                // They would pass for one, and one of them be lost.
                Ok(plan) if plan.id.as_ref().is_some_and(|id| !ids.insert(id.clone())) => {
                    let fault = "is the same as that of another event";
                    mapped.problems.push(plan.placed(Problem::new("id", fault)));
                }
                Ok(plan) => mapped.planned.push(plan),
                Err(problem) => mapped.problems.push(problem),
            }
        }
        mapped
    }

    /// The events in a body, each with its place.
    fn events<'e>(&self, event: &'e Value) -> Result<Vec<(String, &'e Value)>, Problem> {
        let Some(path) = &self.for_each else { return Ok(vec![(String::new(), event)]) };
        let found = path.split('.').try_fold(event, |value, step| value.get(step));
        let Some(Value::Array(items)) = found else {
            return Err(Problem::new(path.as_str(), "must be a list"));
        };
        if items.len() > MOST_EVENTS {
            return Err(Problem::new(path.as_str(), format!("must have at most {MOST_EVENTS} elements")));
        }
        Ok(items.iter().enumerate().map(|(n, item)| (format!("{path}[{n}]"), item)).collect())
    }
}

fn plan(
    rule: &Rule,
    data: &Data,
    place: String,
    reception: &Reception,
    limits: &Limits,
) -> Result<Planned, Problem> {
    let ruled = rule.apply(data, limits).map_err(|problem| placed(&place, problem))?;
    let mut users = Vec::new();
    for user in ruled.recipients.iter().flat_map(|name| reception.users(name)) {
        if !users.contains(&user) {
            users.push(user);
        }
    }
    let unknown = users.is_empty();
    if unknown {
        users.clone_from(&reception.fallback);
    }
    if users.is_empty() {
        let fault = "name nobody that is known, and nobody stands in";
        return Err(placed(&place, Problem::new("recipients", fault)));
    }
    Ok(Planned { draft: ruled.draft, users, unknown, id: ruled.id, place })
}

/// What is wrong with a field of the notification that an event at a place comes to. The body may have no such field,
/// so it points at the event.
fn placed(place: &str, problem: Problem) -> Problem {
    if place.is_empty() {
        return problem.at("");
    }
    let pointer = format!("/{}", place.replace(['.', '['], "/").replace(']', ""));
    let (field, message) = (format!("{place}.{}", problem.field), format!("{place}.{}", problem.message));
    Problem { field, message, ..problem }.at(pointer)
}

impl Planned {
    /// A problem of the notification, told by the event's place in the body.
    pub fn placed(&self, problem: Problem) -> Problem {
        placed(&self.place, problem)
    }
}

impl Reception {
    /// The users of a name: those that the hook lists for it, or the one whose id it is.
    fn users(&self, name: &str) -> Vec<UserId> {
        match self.recipients.get(name) {
            Some(users) => users.clone(),
            None => name.parse().ok().and_then(|id| UserId::new(id).ok()).into_iter().collect(),
        }
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").field("source", &self.source).finish_non_exhaustive()
    }
}
