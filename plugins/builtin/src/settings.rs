//! What the components' settings have in common.

use bellboard_sdk::{Problem, Problems};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Whether a fault refuses the notification or is only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// A fault refuses the notification.
    #[default]
    Strict,
    /// A fault is counted, and refuses only where the tenant has set the type to strict.
    Warn,
}

impl Mode {
    /// Adds a problem, as one of this mode.
    pub fn report(self, problems: &mut Problems, problem: Problem) {
        problems.push(Problem { advisory: self == Self::Warn, ..problem });
    }
}

/// Reads a component's settings; none at all read as an empty object.
pub(crate) fn read<T: DeserializeOwned>(settings: Value) -> Result<T, String> {
    let settings = if settings.is_null() { Value::Object(Map::new()) } else { settings };
    serde_json::from_value(settings).map_err(|e| e.to_string())
}
