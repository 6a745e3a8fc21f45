//! YAML as a tree whose nodes know their places.

use std::{fmt, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{
    DuplicateKeyPolicy, Location, NonFiniteFloatPolicy, Options, Spanned, Tagged, budget::BudgetBreach,
};

use super::problem::{ConfigProblem, scrubbed};

/// A place in a file: line and column from 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub line: u64,
    pub column: u64,
}

/// A value and where it stands. Not `Debug`: it can hold secrets.
pub(super) struct Node {
    pub at: Place,
    /// A tag that YAML's core schema does not define. YAML parsers pass it over, so the value is not what it says.
    pub tag: Option<String>,
    pub value: Value,
}

/// The values that YAML has here.
pub(super) enum Value {
    Null,
    Flag(bool),
    Integer(i64),
    /// A number that no setting takes: a fraction, or one beyond 64 bits.
    OtherNumber,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One entry of a map. The same key can come again: whoever reads the map decides.
pub(super) struct Entry {
    pub key: String,
    pub at: Place,
    pub value: Node,
}

/// Parses one file. The only problem that it finds is text that is not one YAML document.
pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<Node, ConfigProblem> {
    let problem = |at: Option<Place>, message: String| ConfigProblem {
        line: at.map(|at| at.line),
        column: at.map(|at| at.column),
        ..ConfigProblem::new(file, "", message)
    };
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = 1 + memchr::memchr_iter(b'\n', &bytes[..e.valid_up_to()]).count() as u64;
        problem(Some(Place { line, column: 1 }), "is not UTF-8 text".into())
    })?;
    serde_saphyr::from_str_with_options::<Tagged<Spanned<Tree>>>(one_document(text), options())
        .map(node)
        .map_err(|e| {
            let at = e.location().map(place);
            problem(at, format!("is not valid YAML: {}", scrubbed(&without_place(&e))))
        })
}

/// Returns the text without a `---` at its end, behind which no second document follows.
pub(crate) fn one_document(text: &str) -> &str {
    let mut rest = text.trim_end();
    while let Some(line) = rest.lines().next_back() {
        let before = &rest[..rest.len() - line.len()];
        match line.split('#').next().unwrap_or_default().trim_end() {
            "---" => return before,
            // Comments, empty lines, the mark of a document's end.
            "" | "..." => rest = before.trim_end(),
            _ => break,
        }
    }
    text
}

/// How deep a file may nest. Each level takes of the stack, up to 50 KB of it where nothing is optimised, and a thread may
/// have 2 MB: one that overflows is the end of the process.
const DEEPEST: usize = 32;

/// The bounds are the parser's own, with tighter ones on depth and on what aliases may unfold to.
fn options() -> Options {
    let mut options = Options::default();
    options.budget.get_or_insert_default().max_depth = DEEPEST;
    options.alias_limits.max_total_replayed_events = 50_000;
    options.emit_comments = false;
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.non_finite_float_policy = NonFiniteFloatPolicy::PassThrough;
    options.strict_booleans = true;
    // A tag is refused where the value is used; see `Node::tag`.
    options.ignore_binary_tag_for_string = true;
    options.with_snippet = false;
    options
}

fn without_place(error: &serde_saphyr::Error) -> String {
    match error.without_snippet() {
        serde_saphyr::Error::Message { msg, .. } => msg.clone(),
        serde_saphyr::Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            format!("it nests more than {DEEPEST} levels deep")
        }
        serde_saphyr::Error::MultipleDocuments { .. } => "it holds more than one document".into(),
        other => {
            let text = other.render();
            text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.into())
        }
    }
}

fn place(location: Location) -> Place {
    Place { line: location.line().max(1), column: location.column().max(1) }
}

fn node(Tagged(spanned, tag): Tagged<Spanned<Tree>>) -> Node {
    Node { at: place(spanned.referenced), tag: foreign(tag), value: spanned.value.0 }
}

/// The tag, unless it is one of YAML's core schema.
fn foreign(tag: Option<String>) -> Option<String> {
    const CORE: [&str; 7] = ["map", "seq", "str", "null", "bool", "int", "float"];
    tag.filter(|tag| {
        tag != "!" && !tag.strip_prefix("tag:yaml.org,2002:").is_some_and(|name| CORE.contains(&name))
    })
}

struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Tree)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or(Value::OtherNumber, Value::Integer))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Value, E> {
        Ok(Value::OtherNumber)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value, E> {
        Ok(Value::OtherNumber)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::OtherNumber)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(item) = list.next_element::<Tagged<Spanned<Tree>>>()? {
            nodes.push(node(item));
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(Tagged(key, tag)) = map.next_key::<Tagged<Spanned<String>>>()? {
            let mut value = node(map.next_value::<Tagged<Spanned<Tree>>>()?);
            value.tag = foreign(tag).or(value.tag);
            entries.push(Entry { at: place(key.referenced), key: key.value, value });
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn map(node: &Node) -> &[Entry] {
        match &node.value {
            Value::Map(entries) => entries,
            _ => panic!("not a map"),
        }
    }

    #[test]
    fn nodes_know_their_places() {
        let yaml = "# a comment\na:\n  b: 1\n  c: [x, 2.5]\n\nd: true\ne:\n0123: '5'\nd: no\n";
        let tree = parse(Path::new("t"), yaml.as_bytes()).unwrap();
        let top = map(&tree);
        let keys: Vec<_> = top.iter().map(|e| (e.key.as_str(), e.at.line, e.at.column)).collect();
        assert_eq!(keys, [("a", 2, 1), ("d", 6, 1), ("e", 7, 1), ("0123", 8, 1), ("d", 9, 1)]);
        let inner = map(&top[0].value);
        assert!(matches!(inner[0].value.value, Value::Integer(1)));
        assert_eq!(inner[0].value.at.column, 6);
        assert!(matches!(&inner[1].value.value, Value::List(l) if l[1].at.line == 4));
        assert!(matches!(top[1].value.value, Value::Flag(true)));
        assert!(matches!(top[2].value.value, Value::Null));
        assert!(matches!(&top[3].value.value, Value::Text(t) if t == "5"));
        assert!(matches!(&top[4].value.value, Value::Text(t) if t == "no"));
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place_and_without_its_text() {
        let key = "k".repeat(40);
        for (yaml, line) in [
            (format!("a: 1\nb: [1, {key}\n"), None),
            (format!("a: 1\n{key}: x: y\n"), Some(2)),
            (format!("a: 1\nb: *{key}\n"), Some(2)),
            (format!("a: 1\nb: !{key} [\n"), None),
            (format!("? [{key}]\n: 1\n"), Some(1)),
            ("a: 1\n---\nb: 2\n".into(), Some(3)),
        ] {
            let problem = parse(Path::new("t"), yaml.as_bytes()).err().expect(&yaml);
            assert!(problem.line.is_some() && (line.is_none() || problem.line == line), "{problem}");
            assert!(!problem.to_string().contains(&key), "{problem}");
        }
        let problem = parse(Path::new("t"), b"a: 1\nb: \xff\n").err().unwrap();
        assert_eq!(problem.to_string(), "t:2: is not UTF-8 text");
    }

    #[test]
    fn the_deepest_file_fits_the_stack_of_a_thread() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse(Path::new("t"), nested(DEEPEST).as_bytes()).is_ok());
        assert!(parse(Path::new("t"), nested(20_000).as_bytes()).is_err());
        let problem = parse(Path::new("t"), nested(DEEPEST + 1).as_bytes()).err().unwrap();
        assert!(problem.to_string().contains("nests more than 32 levels"), "{problem}");
    }

    #[test]
    fn aliases_cannot_blow_up() {
        let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let last = format!("*a{}", n - 1);
            yaml += &format!("a{n}: &a{n} [{}]\n", vec![last; 10].join(", "));
        }
        assert!(parse(Path::new("t"), yaml.as_bytes()).is_err());
    }
}
