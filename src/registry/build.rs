//! Makes a type from its folder, or says all that is wrong with it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bellboard_builtin::COMPONENTS;
use bellboard_sdk::{Builder, Component, Resources};
use serde_json::value::RawValue;
use serde_saphyr::Spanned;

use super::{
    NotificationType, TypeFolder, TypeProblem, case,
    manifest::{self, Manifest, Step},
};
use crate::config::{MANIFEST, TYPE_BYTES};

/// The schema that is shown to those who ask what a type's metadata is.
const SCHEMA: &str = "metadata.schema.json";

/// The most characters of a description and of an icon's name.
const MAX_DESCRIPTION: usize = 1_000;
const MAX_ICON: usize = 64;

/// The most problems of one type that are kept.
const MOST_PROBLEMS: usize = 100;

/// Whether a type that was built replaces a standard one exactly as it says.
pub(super) fn check_replaces(
    built: &NotificationType,
    folder: &TypeFolder,
    shadows: bool,
) -> Result<(), Vec<TypeProblem>> {
    let message = match (built.replaces, shadows) {
        (false, true) => "a standard type has this name; say `replaces: true` to take its place",
        (true, false) => "it says `replaces: true`, but there is no standard type of this name",
        _ => return Ok(()),
    };
    Err(vec![folder.problem(MANIFEST, None, message)])
}

/// Builds a type and runs its cases.
pub(super) fn build(folder: &TypeFolder) -> Result<NotificationType, Vec<TypeProblem>> {
    // A component that panics is a fault of its type alone, never of the load.
    catch_unwind(AssertUnwindSafe(|| try_build(folder)))
        .unwrap_or_else(|_| Err(vec![folder.problem("", None, "a component panicked on it")]))
        .map_err(|mut problems| {
            problems.truncate(MOST_PROBLEMS);
            problems
        })
}

fn try_build(folder: &TypeFolder) -> Result<NotificationType, Vec<TypeProblem>> {
    let alone = |file: &str, line, message: String| vec![folder.problem(file, line, message)];
    if !folder.faults.is_empty() {
        return Err(folder.faults.iter().map(|(file, why)| folder.problem(file, None, why)).collect());
    }
    if !is_name(&folder.name) {
        let message =
            "its folder must be named in 1 to 64 characters of a-z, 0-9, _, - and ., a letter first";
        return Err(alone("", None, message.into()));
    }
    let bytes: usize = folder.files.values().map(Vec::len).sum();
    if bytes as u64 > TYPE_BYTES {
        return Err(alone("", None, format!("its files have {bytes} bytes; {TYPE_BYTES} are the most")));
    }
    let Some(text) = folder.files.get(MANIFEST) else {
        return Err(alone("", None, format!("it has no {MANIFEST}: is the file named type.yml?")));
    };
    let manifest: Manifest = manifest::yaml(text).map_err(|(line, text)| alone(MANIFEST, line, text))?;

    let mut problems = Vec::new();
    for fault in faults(&manifest) {
        problems.push(folder.problem(MANIFEST, None, fault));
    }
    let metadata_schema = match folder.files.get(SCHEMA).map(|bytes| serde_json::from_slice(bytes)) {
        Some(Err(error)) => {
            let line = u64::try_from(error.line()).ok();
            problems.push(folder.problem(SCHEMA, line, format!("not JSON: {error}")));
            None
        }
        Some(Ok(schema)) => Some(schema),
        None => None,
    };
    let notification_type = assemble(folder, manifest, metadata_schema, &mut problems);
    // Cases of a type that is not whole would only repeat what is wrong with it.
    if problems.is_empty() {
        // With cases or without: a schema whose checking has no end shows here, where it is waited for so long.
        case::rehearse(&notification_type);
        problems = case::run_all(folder, &notification_type);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(notification_type)
}

/// The type, as far as its components can be built.
fn assemble(
    folder: &TypeFolder,
    manifest: Manifest,
    metadata_schema: Option<Box<RawValue>>,
    problems: &mut Vec<TypeProblem>,
) -> NotificationType {
    let mut made = NotificationType {
        name: folder.name.clone(),
        family: folder.family.clone(),
        description: manifest.description,
        icon: manifest.icon,
        severity: manifest.severity,
        metadata_schema,
        tenants: manifest.tenants,
        standard: folder.standard,
        fingerprint: folder.fingerprint(),
        origin: folder.origin.clone(),
        replaces: manifest.replaces,
        validators: Vec::new(),
        enrichers: Vec::new(),
    };
    let resources = Resources::new(folder.files.clone());
    for Spanned { value: step, referenced, .. } in manifest.pipeline {
        let line = Some(referenced.line()).filter(|line| *line > 0);
        match component(step, &resources) {
            Ok((builder, Component::Validator(validator))) => {
                if let Some((enricher, _)) = made.enrichers.first() {
                    let message =
                        format!("`{}` checks what was sent: list it before `{enricher}`", builder.name);
                    problems.push(folder.problem(MANIFEST, line, message));
                }
                made.validators.push((builder.name, validator));
            }
            Ok((builder, Component::Enricher(enricher))) => made.enrichers.push((builder.name, enricher)),
            Err(message) => problems.push(folder.problem(MANIFEST, line, message)),
        }
    }
    made
}

fn component(step: Step, resources: &Resources) -> Result<(&'static Builder, Component), String> {
    let Step { name, settings } = step;
    let builder = COMPONENTS.iter().find(|b| b.name == name).ok_or_else(|| {
        let known: Vec<_> = COMPONENTS.iter().map(|b| b.name).collect();
        format!("there is no component `{name}`; there are {}", known.join(", "))
    })?;
    let component = (builder.build)(settings, resources).map_err(|e| format!("`{name}`: {e}"))?;
    Ok((builder, component))
}

fn faults(manifest: &Manifest) -> Vec<String> {
    let mut faults = Vec::new();
    let mut text = |field: &str, text: &str, max: usize| {
        if text.trim().is_empty() || text.chars().count() > max {
            faults.push(format!("{field} must have 1 to {max} characters"));
        }
    };
    text("description", &manifest.description, MAX_DESCRIPTION);
    text("icon", &manifest.icon, MAX_ICON);
    if manifest.tenants.as_ref().is_some_and(Vec::is_empty) {
        faults.push("tenants names none: leave it out to serve all".into());
    }
    faults
}

/// Whether a type or a family may be named so: 1 to 64 characters of `a-z`, `0-9`, `_`, `-` and `.`, a
/// letter first.
pub fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.');
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(fits)
}
