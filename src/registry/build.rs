//! Makes a type from its folder, or says all that is wrong with it.

use bellboard_builtin::COMPONENTS;
use bellboard_sdk::{Builder, Component, Resources};
use serde_json::value::RawValue;
use serde_saphyr::Spanned;

use super::{
    NotificationType, PluginFolder, PluginProblem, case,
    manifest::{self, Manifest, Step},
    shelf::{Plugin, Source},
};
use crate::config::Sort;

/// The file that says what a type is.
const MANIFEST: &str = Sort::Type.manifest();

/// The schema that is shown to those who ask what a type's metadata is.
const SCHEMA: &str = "metadata.schema.json";

/// The most characters of a description and of an icon's name.
const MAX_DESCRIPTION: usize = 1_000;
const MAX_ICON: usize = 64;

impl Plugin for NotificationType {
    fn build(folder: &PluginFolder) -> Result<Self, Vec<PluginProblem>> {
        build(folder)
    }

    fn source(&self) -> &Source {
        &self.source
    }
}

/// Builds a type and runs its cases.
fn build(folder: &PluginFolder) -> Result<NotificationType, Vec<PluginProblem>> {
    let manifest: Manifest = manifest::read(folder)?;

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
    folder: &PluginFolder,
    manifest: Manifest,
    metadata_schema: Option<Box<RawValue>>,
    problems: &mut Vec<PluginProblem>,
) -> NotificationType {
    let mut made = NotificationType {
        name: folder.name.clone(),
        family: folder.family.clone(),
        description: manifest.description,
        icon: manifest.icon,
        severity: manifest.severity,
        metadata_schema,
        tenants: manifest.tenants,
        source: Source::of(folder, manifest.replaces),
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
