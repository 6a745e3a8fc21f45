//! A sender's structured data, kept as it was sent.

use std::sync::{LazyLock, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value, value::RawValue};

/// A JSON object that comes back as it was sent: order of keys, digits of numbers.
///
/// The text is the truth; the parsed value is made when a component first asks for it.
#[derive(Clone, Default)]
pub struct Metadata {
    text: String,
    depth: usize,
    /// Always an object.
    value: OnceLock<Value>,
}

static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

impl Metadata {
    /// How keys begin that the JSON library keeps for itself: a value under one would be read as something
    /// else than what its text says, so no metadata may hold one.
    pub const RESERVED: &'static str = "$serde_json::private::";

    /// The deepest nesting that a gateway may be configured to accept.
    pub const MAX_DEPTH: usize = 64;

    /// Takes the text of a JSON object. The error says why it is not one.
    pub fn parse(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        let map: Map<String, Value> = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        Ok(Self { depth: depth(&text), text, value: OnceLock::from(Value::Object(map)) })
    }

    /// Takes text that a decoder has already proved to be a JSON object, without parsing it again.
    pub fn from_checked(text: String) -> Self {
        debug_assert!(text.starts_with('{') && text.ends_with('}'));
        Self { depth: depth(&text), text, value: OnceLock::new() }
    }

    /// The object as text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How deep it nests: `{}` is 1.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The parsed object. Numbers beyond 64 bits are rounded here, never in the text.
    pub fn map(&self) -> &Map<String, Value> {
        self.value().as_object().unwrap_or(&EMPTY)
    }

    /// The parsed object as a value, for what takes any JSON value.
    pub fn value(&self) -> &Value {
        self.value.get_or_init(|| Value::Object(serde_json::from_str(&self.text).unwrap_or_default()))
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.map().get(key)
    }

    /// Adds a key at the end, unless the object has it; the rest of the text stays as it was.
    pub fn insert_default(&mut self, key: &str, value: &Value) {
        if self.map().contains_key(key) {
            return;
        }
        let comma = if self.map().is_empty() { "" } else { "," };
        // The text is a JSON object, so its last brace closes it.
        let end = self.text.rfind('}').unwrap_or(self.text.len());
        let head = self.text[..end].trim_end();
        let value = value.to_string();
        self.text = format!("{head}{comma}{}:{value}}}", Value::from(key));
        self.depth = self.depth.max(1 + depth(&value));
        self.value = OnceLock::new();
    }

    /// An object with no keys.
    pub fn empty() -> Self {
        Self::from_checked("{}".to_owned())
    }
}

/// How deep a JSON text nests: `{}` is 1.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.map() == other.map()
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.text)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Through a value, so that formats other than JSON work too.
        let map = Map::<String, Value>::deserialize(deserializer)?;
        Self::parse(Value::Object(map).to_string()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Metadata;
    use serde_json::json;

    #[test]
    fn text_is_kept_and_defaults_are_appended() {
        let mut metadata =
            Metadata::parse(r#"{"z": 1.50, "a": 12345678901234567890123 }"#).expect("an object");
        metadata.insert_default("z", &json!(2));
        metadata.insert_default("new \"key\"", &json!({"x": []}));
        assert_eq!(metadata.text(), r#"{"z": 1.50, "a": 12345678901234567890123,"new \"key\"":{"x":[]}}"#);
        assert_eq!(metadata.get("new \"key\""), Some(&json!({"x": []})));
        let mut empty = Metadata::parse("{ }").expect("an object");
        empty.insert_default("a", &json!(null));
        assert_eq!(empty.text(), r#"{"a":null}"#);
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        let mut metadata = Metadata::parse(r#"{"a":"[[[\"[","b":[{}]}"#).expect("an object");
        assert_eq!(metadata.depth(), 3);
        metadata.insert_default("c", &serde_json::json!([[[[1]]]]));
        assert_eq!(metadata.depth(), 5);
    }

    #[test]
    fn only_objects_are_metadata() {
        for text in ["[]", "1", "null", "{", r#""x""#] {
            assert!(Metadata::parse(text).is_err(), "{text}");
        }
    }
}
