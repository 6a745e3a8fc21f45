//! What a new document breaks for the clients of an old one: those that were generated from it, too.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Words of a schema that say nothing about which values are good.
const DESCRIPTIVE: [&str; 5] = ["title", "description", "example", "deprecated", "x-extensible-enum"];
/// Words of a schema that are compared one by one.
const COMPARED: [&str; 8] =
    ["type", "nullable", "enum", "pattern", "required", "properties", "additionalProperties", "items"];
/// Limits, and whether more of them is wider.
const LIMITS: [(&str, bool); 8] = [
    ("maximum", true),
    ("maxLength", true),
    ("maxItems", true),
    ("maxProperties", true),
    ("minimum", false),
    ("minLength", false),
    ("minItems", false),
    ("minProperties", false),
];

/// Who makes a value: what clients send may be taken more widely, what they get may be given more narrowly.
#[derive(Clone, Copy, PartialEq)]
enum From {
    Client,
    Gateway,
}

/// What breaks, each with its place; empty if nothing does.
pub fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut comparison = Comparison { old, new, seen: BTreeSet::new(), found: Vec::new() };
    comparison.documents();
    comparison.found
}

struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    /// The named schemas that were compared, as they may name themselves.
    seen: BTreeSet<(String, bool)>,
    found: Vec<String>,
}

impl Comparison<'_> {
    fn tell(&mut self, place: &str, fault: impl AsRef<str>) {
        self.found.push(format!("{place}: {}", fault.as_ref()));
    }

    fn documents(&mut self) {
        let (old, new) = (self.old, self.new);
        for (name, scheme) in entries(&old["components"]["securitySchemes"]) {
            let now = &new["components"]["securitySchemes"][name];
            if ["type", "name", "in", "scheme"].iter().any(|word| scheme[word] != now[word]) {
                self.tell(name, "is another way to authenticate");
            }
        }
        for (path, methods) in entries(&old["paths"]) {
            for (method, operation) in entries(methods) {
                let place = format!("{} {path}", method.to_uppercase());
                match &new["paths"][path][method] {
                    Value::Null => self.tell(&place, "is gone"),
                    now => self.operations(&place, operation, now),
                }
            }
        }
    }

    fn operations(&mut self, place: &str, old: &Value, new: &Value) {
        for word in ["operationId", "tags"] {
            if old[word] != new[word] {
                self.tell(place, format!("{word} is {} instead of {}", new[word], old[word]));
            }
        }
        let after = list(&new["security"]);
        for before in list(&old["security"]) {
            // One of the new ways must ask for nothing that the old one did not.
            let goes = |now: &Value| entries(now).all(|(name, _)| before.get(name).is_some());
            if !after.iter().any(goes) && !after.is_empty() {
                self.tell(place, format!("security: {before} no longer suffices"));
            }
        }
        if list(&old["security"]).is_empty() && !after.is_empty() {
            self.tell(place, "security: a credential is asked for");
        }
        self.parameters(place, list(&old["parameters"]), list(&new["parameters"]));
        self.request_bodies(place, &old["requestBody"], &new["requestBody"]);
        for (status, answer) in entries(&old["responses"]) {
            let place = format!("{place} {status}");
            match &new["responses"][status] {
                Value::Null => self.tell(&place, "is gone"),
                now => self.answers(&place, resolve(self.old, answer), resolve(self.new, now)),
            }
        }
        for (status, _) in entries(&new["responses"]) {
            if status.starts_with('2') && old["responses"].get(status).is_none() {
                self.tell(place, format!("{status} is a success that clients do not know"));
            }
        }
    }

    fn parameters(&mut self, place: &str, old: &[Value], new: &[Value]) {
        let same = |a: &Value, b: &Value| a["in"] == b["in"] && a["name"] == b["name"];
        for parameter in new.iter().filter(|p| p["required"] == true) {
            if !old.iter().any(|before| same(before, parameter) && before["required"] == true) {
                self.tell(place, format!("the parameter {} is required", parameter["name"]));
            }
        }
        for parameter in old {
            match new.iter().find(|now| same(parameter, now)) {
                Some(now) => {
                    let place = format!("{place} {}", parameter["name"]);
                    if ["style", "explode"].iter().any(|word| parameter[word] != now[word]) {
                        self.tell(&place, "is written in another way");
                    }
                    self.schemas(&place, &parameter["schema"], &now["schema"], From::Client);
                }
                None => self.tell(place, format!("the parameter {} is gone", parameter["name"])),
            }
        }
    }

    fn request_bodies(&mut self, place: &str, old: &Value, new: &Value) {
        if new["required"] == true && old["required"] != true {
            self.tell(place, "a body is required");
        }
        self.contents(&format!("{place} body"), &old["content"], &new["content"], From::Client);
    }

    fn answers(&mut self, place: &str, old: &Value, new: &Value) {
        for (name, header) in entries(&old["headers"]) {
            match &new["headers"][name] {
                Value::Null => self.tell(place, format!("the header {name} is gone")),
                now => {
                    let (header, now) = (resolve(self.old, header), resolve(self.new, now));
                    let place = format!("{place} {name}");
                    self.schemas(&place, &header["schema"], &now["schema"], From::Gateway);
                }
            }
        }
        self.contents(place, &old["content"], &new["content"], From::Gateway);
    }

    fn contents(&mut self, place: &str, old: &Value, new: &Value, from: From) {
        for (name, media) in entries(old) {
            match &new[name] {
                Value::Null => self.tell(place, format!("{name} is gone")),
                now => {
                    self.schemas(place, &media["schema"], &now["schema"], from);
                    self.schemas(place, &media["x-itemSchema"], &now["x-itemSchema"], from);
                }
            }
        }
    }

    fn schemas(&mut self, place: &str, old: &Value, new: &Value, from: From) {
        if let Some(name) = reference(old) {
            if reference(new) != Some(name) {
                self.tell(
                    place,
                    format!("the type is {} instead of {name}", reference(new).unwrap_or("nameless")),
                );
            }
            if !self.seen.insert((name.to_owned(), from == From::Client)) {
                return;
            }
        }
        let null = |document, value: &Value| {
            value["nullable"] == true || schema(document, value)["nullable"] == true
        };
        let (was_null, is_null) = (null(self.old, old), null(self.new, new));
        let (old, new) = (schema(self.old, old), schema(self.new, new));
        let number = |from: From| from == From::Client && old["type"] == "integer" && new["type"] == "number";
        if old["type"] != new["type"] && !number(from) {
            self.tell(place, format!("the type is {} instead of {}", new["type"], old["type"]));
            return;
        }
        // What clients send must still be taken; what they get must be what they knew.
        let (narrow, wide) = if from == From::Client { (new, old) } else { (old, new) };
        if was_null != is_null && was_null == (from == From::Client) {
            self.tell(place, "null is taken no longer, or may come");
        }
        if let Some(values) = narrow["enum"].as_array()
            && !wide["enum"].as_array().is_some_and(|some| some.iter().all(|value| values.contains(value)))
        {
            self.tell(place, "the enum is closed to a value that was good, or open to a new one");
        }
        if let Some(pattern) = narrow["pattern"].as_str()
            && !wide["pattern"]
                .as_str()
                .is_some_and(|some| alternatives(some).is_subset(&alternatives(pattern)))
        {
            self.tell(place, "the pattern is another");
        }
        for (limit, more) in LIMITS {
            let (Some(bound), other) = (narrow[limit].as_f64(), wide[limit].as_f64()) else { continue };
            if other.is_none_or(|other| if more { other > bound } else { other < bound }) {
                self.tell(place, format!("{limit} is {} instead of {}", new[limit], old[limit]));
            }
        }
        for required in list(&narrow["required"]) {
            if !list(&wide["required"]).contains(required) {
                self.tell(place, format!("{required} is required, or may be absent"));
            }
        }
        for word in other_words(old).union(&other_words(new)) {
            if old[word] != new[word] {
                self.tell(place, format!("{word} is {} instead of {}", new[word], old[word]));
            }
        }
        for (name, property) in entries(&old["properties"]) {
            match &new["properties"][name] {
                Value::Null => self.tell(place, format!("{name} is gone")),
                now => self.schemas(&format!("{place} {name}"), property, now, from),
            }
        }
        if narrow["additionalProperties"] == false && wide["additionalProperties"] != false {
            self.tell(place, "more fields are taken no longer, or may come");
        }
        for word in ["items", "additionalProperties"] {
            match (old[word].is_object(), new[word].is_object()) {
                (true, true) => self.schemas(&format!("{place} {word}"), &old[word], &new[word], from),
                // Even where any value is good then: what was generated has a type of its own for them.
                (true, false) => self.tell(place, format!("the schema of its {word} is gone")),
                (false, true) if old[word] != false && from == From::Client => {
                    self.tell(place, format!("its {word} must be of a schema"));
                }
                (false, _) => {}
            }
        }
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What a pattern takes one of: the parts of `^(a|b)$`, or the pattern itself.
fn alternatives(pattern: &str) -> BTreeSet<&str> {
    let inner = pattern.strip_prefix("^(").and_then(|rest| rest.strip_suffix(")$"));
    match inner.filter(|inner| !inner.contains(['(', ')', '\\'])) {
        Some(inner) => inner.split('|').collect(),
        None => [pattern].into(),
    }
}

/// The words of a schema that no rule above knows.
fn other_words(schema: &Value) -> BTreeSet<&str> {
    let known = |word: &str| {
        DESCRIPTIVE.contains(&word) || COMPARED.contains(&word) || LIMITS.iter().any(|limit| limit.0 == word)
    };
    entries(schema).map(|(word, _)| word.as_str()).filter(|word| !known(word)).collect()
}

/// The name of the schema that another one stands for.
fn reference(schema: &Value) -> Option<&str> {
    let part = match list(&schema["allOf"]) {
        [only] => only,
        _ => schema,
    };
    part["$ref"].as_str()?.rsplit('/').next()
}

fn schema<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    reference(schema).map_or(schema, |name| &document["components"]["schemas"][name])
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let path = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    path.and_then(|path| document.pointer(path)).unwrap_or(value)
}
