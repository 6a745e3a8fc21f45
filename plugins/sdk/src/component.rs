//! What a component is, and how one is built.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Draft, Problem, Problems};

/// What a component may know besides the draft.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Context {
    /// The time of the request, in microseconds since 1970-01-01T00:00:00Z.
    pub now: i64,
}

/// Looks at a draft and reports what is wrong with it. Never changes it.
pub trait Validator: Send + Sync {
    /// Adds one problem for each fault found; all faults, not only the first.
    fn validate(&self, draft: &Draft, context: &Context, problems: &mut Problems);
}

/// Changes a draft: fills what the sender left out, or adds what readers see.
pub trait Enricher: Send + Sync {
    /// Changes the draft in place. An error refuses the notification with that problem.
    fn enrich(&self, draft: &mut Draft, context: &Context) -> Result<(), Problem>;
}

/// A component of a type's pipeline, built and ready to run.
pub enum Component {
    /// Runs before every enricher.
    Validator(Box<dyn Validator>),
    /// Runs after every validator, in the order the type declares.
    Enricher(Box<dyn Enricher>),
}

/// The other files of a type's folder, by their path relative to it (`metadata.schema.json`).
#[derive(Debug, Clone, Default)]
pub struct Resources {
    files: BTreeMap<String, Vec<u8>>,
}

impl Resources {
    /// Wraps the files of one type's folder.
    pub fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { files }
    }

    /// The text of a file. The error says which file is missing or not UTF-8.
    pub fn text(&self, path: &str) -> Result<&str, String> {
        let bytes = self.files.get(path).ok_or_else(|| format!("the type's folder has no file `{path}`"))?;
        std::str::from_utf8(bytes).map_err(|_| format!("`{path}` is not UTF-8 text"))
    }
}

/// Makes a component from its settings: one entry of the gateway's list of components.
#[derive(Clone, Copy)]
pub struct Builder {
    /// The name that a type's pipeline uses, such as `safe_link`. Unique in the list.
    pub name: &'static str,
    /// One sentence for people: what the component does.
    pub summary: &'static str,
    /// Builds the component. `settings` is what stands under the name in `type.yaml`, `null` when
    /// nothing does. The error is one sentence that names the setting at fault.
    pub build: fn(settings: serde_json::Value, resources: &Resources) -> Result<Component, String>,
}
