//! `type.yaml`: what a type says of itself.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor},
};
use serde_json::Value;
use serde_saphyr::{Options, Spanned, UserMessageFormatter};

use super::{PluginFolder, PluginProblem, build::is_name};
use crate::{
    config::{TYPE_BYTES, one_document},
    domain::{Severity, TenantId},
};

/// The file's content.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// When to send it, in a sentence or two.
    pub description: String,
    /// The name of an icon, such as `check-circle`.
    pub icon: String,
    /// How grave it is, unless a component decides.
    pub severity: Severity,
    /// Who may use it; all tenants where it is left out.
    pub tenants: Option<Vec<TenantId>>,
    /// That it takes the place of the standard type of its name.
    #[serde(default)]
    pub replaces: bool,
    /// Its components: validators, then enrichers.
    #[serde(default)]
    pub pipeline: Vec<Spanned<Step>>,
}

/// One component of a pipeline: `safe_link`, or `safe_link: {hosts: [crm.example]}`.
#[derive(Debug)]
pub(super) struct Step {
    /// The component's name.
    pub name: String,
    /// Its settings, null where there are none.
    pub settings: Value,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StepVisitor)
    }
}

struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = Step;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a component's name, or one with its settings below it")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Step, E> {
        Ok(Step { name: name.to_owned(), settings: Value::Null })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Step, A::Error> {
        let (name, settings) =
            map.next_entry()?.ok_or_else(|| A::Error::custom("a component's name is missing"))?;
        if let Some(second) = map.next_key::<String>()? {
            let message = format!("`{second}` is a second component: start it with a `-` of its own");
            return Err(A::Error::custom(message));
        }
        Ok(Step { name, settings })
    }
}

/// Reads the file that makes a folder what it is, if the folder can be one at all.
pub(super) fn read<T: DeserializeOwned>(folder: &PluginFolder) -> Result<T, Vec<PluginProblem>> {
    let manifest = folder.sort.manifest();
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
    let Some(text) = folder.files.get(manifest) else {
        let misspelt = folder.sort.misspelt();
        return Err(alone("", None, format!("it has no {manifest}: is the file named {misspelt}?")));
    };
    yaml(text).map_err(|(line, text)| alone(manifest, line, text))
}

/// How deep a file may nest: more than the deepest metadata of a case, and no more than the stack has room for.
const DEEPEST: usize = 100;

/// Reads YAML. The error is one line of text, and the line of the file that it is about.
pub(super) fn yaml<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, (Option<u64>, String)> {
    let text = std::str::from_utf8(bytes).map_err(|_| (None, "it is not UTF-8 text".to_owned()))?;
    let mut options = Options::default();
    options.reject_unsupported_tags = true;
    options.budget.get_or_insert_default().max_depth = DEEPEST;
    serde_saphyr::from_str_with_options(one_document(text), options).map_err(|error| {
        let text = error.without_snippet().render_with_formatter(&UserMessageFormatter);
        // The place is told beside the text.
        let end = text.rfind(" at line ").unwrap_or(text.len());
        let text = text[..end].lines().next().unwrap_or_default().to_owned();
        (error.location().map(|l| l.line()).filter(|line| *line > 0), text)
    })
}
