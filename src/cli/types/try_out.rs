//! `bellboard type try`: a draft's way through a type's pipeline, component by component.

use std::{fmt::Write, io::Read, path::Path, sync::Arc};

use serde_json::Value;

use crate::{
    cli::{Failure, print, setup},
    clock::Clock,
    config::Sort,
    domain::{Limits, Problem, Sealed, TenantId, Timestamp},
    http,
    registry::{Context, NotificationType, Registry, Step},
    reload,
    snapshot::Snapshot,
};

/// The options of `type try`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The type's name; a draft may leave its `type` out.
    name: String,
    /// The tenant that the draft is sent in.
    #[arg(long, env = "BELLBOARD_TENANT", default_value = TenantId::DEFAULT)]
    tenant: String,
    /// Refuse what the type would only warn of, as a tenant does that has set the type to strict.
    #[arg(long, env = "BELLBOARD_STRICT")]
    strict: bool,
}

pub fn run(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let tenant = TenantId::new(&arguments.tenant).map_err(|e| format!("--tenant {e}"))?;
    let (inputs, config) = setup::read(path)?;
    let types = reload::load_types(&inputs, None);
    let broken: Vec<_> = types
        .problems
        .iter()
        .filter(|p| p.sort == Sort::Type && p.name == arguments.name)
        .map(ToString::to_string)
        .collect();
    if !broken.is_empty() {
        return Err(broken.join("\n"));
    }
    let snapshot = Snapshot::build(&config, Arc::new(types.registry), None)?;
    let Some(settings) = snapshot.tenants.get(&tenant) else {
        return Err(format!("the configuration has no tenant {tenant}"));
    };
    let kind = find(&snapshot.registry, &tenant, &arguments.name)?;
    let strict = arguments.strict || settings.is_strict(&kind.name);
    let (told, refused) = walk(kind, strict, &draft(snapshot.limits)?, &snapshot.limits)?;
    print(&format!("{} in {tenant}{}\n\n{told}", kind.name, if strict { ", strict" } else { "" }))?;
    match refused {
        Some(problems) => Err(format!("\nRefused: {}", messages(&problems))),
        None => Ok(()),
    }
}

fn find<'r>(registry: &'r Registry, tenant: &TenantId, name: &str) -> Result<&'r NotificationType, Failure> {
    registry.find(tenant, name).map(AsRef::as_ref).ok_or_else(|| {
        let known: Vec<_> = registry.for_tenant(tenant).map(|t| t.name.as_str()).collect();
        format!("{tenant} has no type {name}; there are {}", known.join(", "))
    })
}

/// The standard input, no longer than a request's body may be.
fn draft(limits: Limits) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let most = u64::try_from(limits.body_bytes).unwrap_or(u64::MAX);
    std::io::stdin()
        .lock()
        .take(most.saturating_add(1))
        .read_to_end(&mut body)
        .map_err(|e| format!("the draft cannot be read: {e}"))?;
    if body.len() > limits.body_bytes {
        return Err(format!("the draft has more than {} bytes", limits.body_bytes));
    }
    Ok(body)
}

/// Passes the draft through the pipeline and the seal: what to tell of it, and why it is refused if it is.
fn walk(
    kind: &NotificationType,
    strict: bool,
    body: &[u8],
    limits: &Limits,
) -> Result<(String, Option<Vec<Problem>>), Failure> {
    let draft = http::read_draft(body, limits, Some(&kind.name)).map_err(|e| e.to_string())?;
    if draft.kind != kind.name {
        return Err(format!("the draft is of the type {}, not {}", draft.kind, kind.name));
    }
    let now = Clock::default().now();
    let (run, steps) = kind.trace(draft, &Context { now: now.0 }, strict);
    let mut told = String::new();
    for step in &steps {
        tell(&mut told, step, strict);
    }
    match run.result.and_then(|draft| Sealed::from_draft(draft, limits)) {
        Ok(sealed) => {
            let _ = write!(told, "\nWould be stored:\n{}", stored(&sealed, now));
            Ok((told, None))
        }
        Err(problems) => Ok((told, Some(problems))),
    }
}

/// A line for each thing that the component did.
fn tell(text: &mut String, step: &Step, strict: bool) {
    let mut line = |what: String| {
        let _ = writeln!(text, "{:<18} {what}", step.component);
    };
    for problem in &step.problems {
        let effect = if problem.advisory && !strict { "warns" } else { "refuses" };
        line(format!("{effect}: {}", problem.message));
    }
    for (field, value) in &step.changes {
        line(format!("{field} = {value}"));
    }
    if step.problems.is_empty() && step.changes.is_empty() {
        line("-".into());
    }
}

fn stored(sealed: &Sealed, now: Timestamp) -> String {
    let mut text = String::new();
    http::unstored(&mut text, sealed, now);
    let mut shown: Value = serde_json::from_str(&text).unwrap_or_default();
    if let (Some(key), Some(fields)) = (&sealed.collapse_key, shown.as_object_mut()) {
        fields.insert("collapse_key".into(), key.as_str().into());
    }
    format!("{shown:#}")
}

fn messages(problems: &[Problem]) -> String {
    problems.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; ")
}
