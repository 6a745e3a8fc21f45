//! Reads fields out of a tree: each value is checked where it stands, and every problem is noted with its
//! file, line and path. A problem never repeats a value.

use std::{ops::RangeInclusive, path::Path, time::Duration};

use super::{
    problem::{ConfigProblem, Report, shown},
    tree::{Entry, Node, Place, Value},
    value,
};
use crate::domain::closest;

/// One value in a file.
#[derive(Clone)]
pub(super) struct Field<'a> {
    report: &'a Report,
    file: &'a Path,
    path: String,
    at: Place,
    node: &'a Node,
}

impl<'a> Field<'a> {
    /// A whole file.
    pub fn root(report: &'a Report, file: &'a Path, node: &'a Node) -> Self {
        Self { report, file, path: String::new(), at: node.at, node }
    }

    /// The file that it stands in.
    pub fn file(&self) -> &'a Path {
        self.file
    }

    /// Its file and line, for a problem elsewhere that points here.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.at.line)
    }

    /// Its path, such as `tenants.default.users`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Notes a problem here.
    pub fn fail(&self, message: impl Into<String>) {
        self.fail_at(self.at, self.path.clone(), message.into());
    }

    fn fail_at(&self, at: Place, field: String, message: String) {
        let (line, column) = (Some(at.line), Some(at.column));
        self.report.add(ConfigProblem { line, column, field, ..ConfigProblem::new(self.file, "", message) });
    }

    /// Notes a problem for each tag in it that YAML's core schema does not define, such as `!secret` or `!vault`.
    pub fn refuse_tags(&self) {
        if let Some(tag) = &self.node.tag {
            let name = self.path.rsplit(['.', ']']).next().unwrap_or_default();
            let way_out = match name {
                "secret" | "public_key" | "admin_token" | "url" => {
                    format!("give {name}_env, the name of an environment variable, or {name}_file, a path")
                }
                _ => "only secret, public_key, admin_token and url can come from elsewhere: by a field such as \
                      secret_env or secret_file; write anything else out"
                    .to_owned(),
            };
            self.fail(format!("has the tag {}, which is not evaluated: {way_out}", shown(tag)));
        }
        match &self.node.value {
            Value::List(_) => self.list().iter().for_each(Self::refuse_tags),
            Value::Map(_) => self.entries().iter().for_each(|(_, field)| field.refuse_tags()),
            _ => {}
        }
    }

    /// Whether it is written as `{}`.
    pub fn is_empty_map(&self) -> bool {
        matches!(&self.node.value, Value::Map(entries) if entries.is_empty())
    }

    /// Whether it is written as `[]`.
    pub fn is_empty_list(&self) -> bool {
        matches!(&self.node.value, Value::List(nodes) if nodes.is_empty())
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// The whole value, whatever it is.
    pub fn data(&self) -> Option<serde_json::Value> {
        Some(match &self.node.value {
            Value::Null => serde_json::Value::Null,
            Value::Flag(flag) => (*flag).into(),
            Value::Integer(number) => (*number).into(),
            Value::OtherNumber => {
                self.fail("must be a whole number: put it in quotes");
                return None;
            }
            Value::Text(text) => text.as_str().into(),
            Value::List(_) => self.list().iter().filter_map(Field::data).collect(),
            Value::Map(_) => {
                let entries = self.entries().into_iter();
                entries.filter_map(|(name, field)| Some((name.to_owned(), field.data()?))).collect()
            }
        })
    }

    /// Whether nothing stands here.
    pub fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// Whether it is a map.
    pub fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// One text of a map, read ahead of the rest; what is wrong with it is told by the later reading.
    pub fn peek(&self, name: &str) -> Option<&'a str> {
        let Value::Map(entries) = &self.node.value else { return None };
        match &entries.iter().find(|e| e.key == name)?.value.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its text, if it is text; no problem is noted.
    pub fn peek_text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same value under another path.
    pub fn named(self, path: String) -> Self {
        Self { path, ..self }
    }

    /// Text.
    pub fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            Value::Flag(_) | Value::Integer(_) | Value::OtherNumber => {
                self.fail("must be text: put it in quotes");
                None
            }
            _ => {
                self.fail("must be text");
                None
            }
        }
    }

    /// Text that means something; the error completes the clause "FIELD …".
    pub fn read<T>(&self, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        read(self.text()?).map_err(|message| self.fail(message)).ok()
    }

    /// `true` or `false`.
    pub fn flag(&self) -> Option<bool> {
        match self.node.value {
            Value::Flag(flag) => Some(flag),
            _ => {
                self.fail("must be true or false");
                None
            }
        }
    }

    /// A whole number in a range.
    pub fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        match self.node.value {
            Value::Integer(n) if range.contains(&n) => return Some(n),
            Value::Integer(n) if n < *range.start() => {
                self.fail(format!("must be at least {}", range.start()))
            }
            Value::Integer(_) => self.fail(format!("must be at most {}", range.end())),
            _ => self.fail("must be a whole number"),
        }
        None
    }

    /// The elements of a list; none where nothing stands.
    pub fn list(&self) -> Vec<Field<'a>> {
        match &self.node.value {
            Value::Null => Vec::new(),
            Value::List(nodes) => nodes
                .iter()
                .enumerate()
                .map(|(n, node)| Field {
                    path: format!("{}[{n}]", self.path),
                    at: node.at,
                    node,
                    ..self.clone()
                })
                .collect(),
            _ => {
                self.fail("must be a list");
                Vec::new()
            }
        }
    }

    /// The elements of a list, or the one value that stands in a list's place.
    pub fn one_or_many(&self) -> Vec<Field<'a>> {
        match &self.node.value {
            Value::Text(_) => vec![self.clone()],
            _ => self.list(),
        }
    }

    /// The entries of a map whose keys are not fixed; none where nothing stands.
    pub fn entries(&self) -> Vec<(&'a str, Field<'a>)> {
        match &self.node.value {
            Value::Null => Vec::new(),
            Value::Map(entries) => entries.iter().map(|e| (e.key.as_str(), self.child(e))).collect(),
            _ => {
                self.fail("must hold named entries, each on a line of its own and indented below it");
                Vec::new()
            }
        }
    }

    fn child(&self, entry: &'a Entry) -> Field<'a> {
        let path = match self.path.as_str() {
            "" => shown(&entry.key),
            path => format!("{path}.{}", shown(&entry.key)),
        };
        Field { path, at: entry.at, node: &entry.value, ..self.clone() }
    }

    /// A map with fixed fields. Other fields and fields that stand twice are problems.
    pub fn section(&self, known: &'static [&'static str]) -> Option<Section<'a>> {
        let entries = match &self.node.value {
            Value::Null => &[][..],
            Value::Map(entries) => entries,
            _ => {
                self.fail(format!("must hold fields: {}", known.join(", ")));
                return None;
            }
        };
        for (n, entry) in entries.iter().enumerate() {
            let (name, path) = (entry.key.as_str(), self.child(entry).path);
            if self.path.is_empty() && name.starts_with("x-") {
                // Of a file's own making: a place for anchors.
                continue;
            }
            if !known.contains(&name) {
                self.fail_at(entry.at, path, unknown(name, known));
            } else if let Some(first) = entries[..n].iter().find(|e| e.key == name) {
                self.fail_at(entry.at, path, format!("stands here again, after line {}", first.at.line));
            }
        }
        Some(Section { field: self.clone(), entries, known })
    }
}

/// What to say of a field that is not known.
fn unknown(name: &str, known: &[&str]) -> String {
    if name.chars().count() >= value::SHORTEST_KEY {
        return "is no field here; should it be an API key, then indent it below api_keys".into();
    }
    match closest(name, known.iter().copied()) {
        Some(close) => format!("is no field here; did you mean {close}?"),
        None => format!("is no field here; known: {}", known.join(", ")),
    }
}

/// A map with fixed fields.
pub(super) struct Section<'a> {
    field: Field<'a>,
    entries: &'a [Entry],
    known: &'static [&'static str],
}

impl<'a> Section<'a> {
    /// The section itself.
    pub fn field(&self) -> &Field<'a> {
        &self.field
    }

    /// One of its fields, when something stands there.
    pub fn get(&self, name: &'static str) -> Option<Field<'a>> {
        self.given(name).filter(|field| !field.is_null())
    }

    /// One of its fields, also when nothing stands behind its name.
    pub fn given(&self, name: &'static str) -> Option<Field<'a>> {
        debug_assert!(self.known.contains(&name), "{name} is not declared");
        self.entries.iter().find(|e| e.key == name).map(|e| self.field.child(e))
    }

    /// A field that must be there.
    pub fn required(&self, name: &'static str) -> Option<Field<'a>> {
        let field = self.get(name);
        if field.is_none() {
            self.field.fail(format!("{name} is required"));
        }
        field
    }

    /// A field with fixed fields of its own.
    pub fn section(&self, name: &'static str, known: &'static [&'static str]) -> Option<Section<'a>> {
        self.get(name)?.section(known)
    }

    /// Text that means something.
    pub fn read<T>(&self, name: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.get(name)?.read(read)
    }

    /// A whole number in a range.
    pub fn integer(&self, name: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        self.get(name)?.integer(range)
    }

    /// A size or a count, no less than `least`.
    pub fn size(&self, name: &'static str, range: RangeInclusive<i64>, default: usize) -> usize {
        self.integer(name, range).and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &'static str) -> bool {
        self.get(name).and_then(|field| field.flag()).unwrap_or(false)
    }

    /// A duration in a range, such as `30s`.
    pub fn duration(&self, name: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.read(name, |text| value::duration(text, &range))
    }

    /// A list of texts that mean something.
    pub fn list<T>(&self, name: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let items = self.get(name).map(|field| field.list()).unwrap_or_default();
        items.iter().filter_map(|item| item.read(&read)).collect()
    }
}
