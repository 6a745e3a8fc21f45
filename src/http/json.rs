//! The checked reading of JSON bodies: one object's fields, each still as text.
//!
//! What a lenient reader would let pass is refused here, because two readers could take it in two
//! ways: a key that stands twice in one object, and the character U+0000.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::faults::Faults;
use crate::domain::{Error, MAX_ID, Metadata, NotificationId, Problem, ProblemCode, Result, closest};

/// Reads a body that must be one JSON object and hands each of its fields to `take`.
pub fn read_object<'a>(body: &'a [u8], mut take: impl FnMut(&str, &'a RawValue)) -> Result<()> {
    let text = std::str::from_utf8(body).map_err(|e| {
        let (line, column) = position(body, e.valid_up_to());
        malformed(format!("not UTF-8 at line {line} column {column}"))
    })?;
    if !text.trim_start().starts_with('{') {
        serde_json::from_str::<de::IgnoredAny>(text).map_err(malformed)?;
        return Err(Error::Malformed("The body must be a JSON object".into()));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let fields = reader.deserialize_map(Fields).map_err(malformed)?;
    reader.end().map_err(malformed)?;
    for (name, value) in fields {
        check_value(text, value)?;
        take(&name, value);
    }
    Ok(())
}

/// Reads a body that must be one JSON object with no other fields than these, each optional; gives them in that order.
///
/// # Errors
/// [`Error::Malformed`], or [`Error::Fields`] with each field that is unknown.
pub fn fields<'a, const N: usize>(body: &'a [u8], names: [&str; N]) -> Result<[Field<'a>; N]> {
    let (mut fields, mut faults) = ([None; N], Faults::default());
    read_object(body, |name, value| match names.iter().position(|known| *known == name) {
        Some(place) => fields[place] = present(value),
        None => faults.push(unknown(name, &names)),
    })?;
    faults.finish(fields)
}

/// The problem of a field that is unknown.
pub fn unknown(name: &str, known: &[&str]) -> Problem {
    let shown: String = name.chars().take(LONGEST_SHOWN).collect();
    let problem = match closest(name, known.iter().copied()) {
        Some(close) => Problem::new(shown, format_args!("is unknown; did you mean {close}?")),
        None => Problem::new(shown, format_args!("is unknown; known: {}", known.join(", "))),
    };
    problem.coded(ProblemCode::UnknownField)
}

/// The longest name that an error repeats, in characters.
const LONGEST_SHOWN: usize = 60;

fn malformed(fault: impl fmt::Display) -> Error {
    Error::Malformed(format!("Malformed JSON: {fault}"))
}

/// The line and column, from 1, of a byte.
fn position(body: &[u8], at: usize) -> (usize, usize) {
    let before = &body[..at.min(body.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
    (line, column)
}

/// Checks one field's value to its depths. Its place in the body makes the error's position right.
fn check_value(body: &str, value: &RawValue) -> Result<()> {
    let text = value.get();
    // A scalar that is not text has been checked by the reading alone.
    if !text.starts_with(['{', '[', '"']) {
        return Ok(());
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    Strict.deserialize(&mut reader).map_err(|e| {
        let offset = (text.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
        let (line, column) = position(body.as_bytes(), offset);
        let full = e.to_string();
        let fault = full.rfind(" at line ").map_or(full.as_str(), |end| &full[..end]);
        let column = if e.line() <= 1 { column + e.column().max(1) - 1 } else { e.column() };
        malformed(format!("{fault} at line {} column {column}", line + e.line().max(1) - 1))
    })
}

/// Collects the fields of the outermost object.
struct Fields;

impl<'a> Visitor<'a> for Fields {
    type Value = Vec<(Cow<'a, str>, &'a RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(12);
        while let Some(name) = map.next_key_seed(Text)? {
            if fields.iter().any(|(earlier, _)| *earlier == name) {
                return Err(duplicate(&name));
            }
            if fields.len() == MAX_FIELDS {
                return Err(de::Error::custom(format_args!("more than {MAX_FIELDS} fields")));
            }
            fields.push((name, map.next_value()?));
        }
        Ok(fields)
    }
}

/// How many fields the outermost object may have: each is compared with those before it.
const MAX_FIELDS: usize = 256;

fn duplicate<E: de::Error>(name: &str) -> E {
    let name: String = name.chars().take(LONGEST_SHOWN).collect();
    E::custom(format_args!("the key {name:?} stands twice in one object"))
}

fn without_nul<E: de::Error>(text: &str) -> Result<(), E> {
    match memchr::memchr(0, text.as_bytes()) {
        Some(_) => Err(E::custom("the character U+0000 is not allowed")),
        None => Ok(()),
    }
}

/// A string without U+0000, borrowed where it has no escapes.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        without_nul(text).map(|()| Cow::Borrowed(text))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        without_nul(text).map(|()| Cow::Owned(text.to_owned()))
    }
}

/// Walks any value and refuses doubled keys and U+0000.
#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // A short object's keys are compared one by one; a long one's are hashed.
        let mut few: Vec<Cow<'de, str>> = Vec::new();
        let mut many: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(name) = map.next_key_seed(Text)? {
            if name.starts_with(Metadata::RESERVED) {
                return Err(de::Error::custom(format_args!("the key {:?} is reserved", Metadata::RESERVED)));
            }
            if few.contains(&name) || many.contains(&name) {
                return Err(duplicate(&name));
            }
            if few.len() < 16 {
                few.push(name);
            } else {
                many.insert(name);
            }
            map.next_value_seed(self)?;
        }
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self)?.is_some() {}
        Ok(())
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        without_nul(text)
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}

/// A field that may be absent; `null` counts as absent.
pub type Field<'a> = Option<&'a RawValue>;

/// The field unless it is `null`.
pub fn present(value: &RawValue) -> Field<'_> {
    (value.get() != "null").then_some(value)
}

/// An id: an integer from 1 to 2^53 − 1. `7.0` and `7e0` are integers, as in JSON Schema.
pub fn id(name: &str, field: Field) -> Result<Option<i64>, Problem> {
    let Some(raw) = field else { return Ok(None) };
    let text = raw.get();
    let number = if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        text.parse::<i64>().ok().or_else(|| whole(text))
    } else {
        None
    };
    match number {
        Some(id) if (1..=MAX_ID).contains(&id) => Ok(Some(id)),
        Some(_) => {
            let fault = format_args!("must be between 1 and {MAX_ID}");
            Err(Problem::new(name, fault).coded(ProblemCode::OutOfRange))
        }
        None => Err(wrong_type(name, "must be an integer")),
    }
}

/// A list that is not empty, of at most `most` elements, which are called so.
pub fn list<'a>(
    name: &str,
    field: &'a RawValue,
    most: usize,
    elements: &str,
) -> Result<Vec<&'a RawValue>, Problem> {
    let list: Vec<&RawValue> = serde_json::from_str(field.get())
        .map_err(|_| wrong_type(name, &format!("must be a list of {elements}")))?;
    if !(1..=most).contains(&list.len()) {
        let fault = format_args!("must hold 1 to {most} {elements}");
        return Err(Problem::new(name, fault).coded(ProblemCode::OutOfRange));
    }
    Ok(list)
}

/// A list of ids that is not empty, of at most `most`.
pub fn ids(name: &str, field: &RawValue, most: usize) -> Result<Vec<i64>> {
    let mut faults = Faults::default();
    let each = |(place, value)| {
        let found = id(name, Some(value));
        let found = found.and_then(|id| id.ok_or_else(|| wrong_type(name, "must be a list of ids")));
        faults.pass(found.map(Some).map_err(|problem| problem.at(format!("/{name}/{place}"))))
    };
    let ids = list(name, field, most, "ids")?.into_iter().enumerate().filter_map(each).collect();
    faults.finish(ids)
}

/// The same of notifications.
pub fn notification_ids(name: &str, field: &RawValue, most: usize) -> Result<Vec<NotificationId>> {
    let typed = |id| NotificationId::new(id).map_err(|e| Problem::new(name, e).into());
    ids(name, field, most)?.into_iter().map(typed).collect()
}

/// `true` or `false`.
pub fn flag(name: &str, field: Field) -> Result<Option<bool>, Problem> {
    let Some(raw) = field else { return Ok(None) };
    serde_json::from_str(raw.get()).map(Some).map_err(|_| wrong_type(name, "must be true or false"))
}

/// The whole number that a decimal stands for; beyond the range, its nearest end.
fn whole(text: &str) -> Option<i64> {
    let number: f64 = text.parse().ok()?;
    // The cast saturates, and every id lies well inside what a float holds exactly.
    (number.fract() == 0.0).then_some(number as i64)
}

/// A string of at most `max` characters.
pub fn string(name: &str, field: Field, max: usize) -> Result<Option<String>, Problem> {
    let Some(raw) = field else { return Ok(None) };
    let text: String = serde_json::from_str(raw.get()).map_err(|_| wrong_type(name, "must be a string"))?;
    if text.len() > max && text.chars().count() > max {
        let fault = format_args!("must be at most {max} characters");
        return Err(Problem::new(name, fault).coded(ProblemCode::TooLong));
    }
    Ok(Some(text))
}

/// The problem of a field that is there and is of another type.
pub fn wrong_type(name: &str, fault: &str) -> Problem {
    Problem::new(name, fault).coded(ProblemCode::WrongType)
}

/// Whether the value is a string in which nothing can be seen.
pub fn is_blank(value: &RawValue) -> bool {
    serde_json::from_str::<Cow<'_, str>>(value.get()).is_ok_and(|text| crate::domain::is_blank(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        read_object(body.as_bytes(), |name, value| {
            names.push(format!("{name}={}", value.get()));
        })
        .map(|()| names)
        .map_err(|e| e.to_string())
    }

    #[test]
    fn fields_come_as_they_were_sent() {
        assert_eq!(
            read(r#" {"a":1.50,"b":{"z": [1 ]}} "#),
            Ok(vec!["a=1.50".into(), r#"b={"z": [1 ]}"#.into()])
        );
    }

    #[test]
    fn faults_say_where() {
        for (body, fault) in [
            ("{\"a\":1,}", "Malformed JSON: trailing comma at line 1 column 8"),
            ("", "Malformed JSON: EOF while parsing a value at line 1 column 0"),
            ("{} x", "Malformed JSON: trailing characters at line 1 column 4"),
            ("[1]", "The body must be a JSON object"),
            ("3", "The body must be a JSON object"),
            (
                "{\"a\":1,\n \"a\":2}",
                "Malformed JSON: the key \"a\" stands twice in one object at line 2 column 4",
            ),
            (
                "{\"m\":\n {\"a\":1,\n  \"a\":2}}",
                "Malformed JSON: the key \"a\" stands twice in one object at line 3 column 5",
            ),
            (
                "{\"a\":\"x\\u0000\"}",
                "Malformed JSON: the character U+0000 is not allowed at line 1 column 14",
            ),
            (
                "{\"a\":[\"\\u0000\"]}",
                "Malformed JSON: the character U+0000 is not allowed at line 1 column 14",
            ),
        ] {
            assert_eq!(read(body), Err(fault.to_owned()), "{body}");
        }
        assert!(read(r#"{"a":"\ud800"}"#).is_err(), "a lone surrogate");
        // The parser would take the text in it for JSON, and checks would see something else than what is stored.
        assert!(
            read(r#"{"m":{"a":{"\u0024serde_json::private::RawValue":"{}"}}}"#).is_err(),
            "a reserved key"
        );
        assert!(read(&format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500))).is_err(), "too deep");
        assert!(read_object(b"{\"a\":\"\xff\"}", |_, _| ()).is_err(), "not UTF-8");
    }

    #[test]
    fn ids_are_whole_numbers_in_range() {
        let parse = |text: &str| {
            let raw: &RawValue = serde_json::from_str(text).expect("JSON");
            id("n", present(raw)).map_err(|problem| problem.message)
        };
        assert_eq!(parse("7"), Ok(Some(7)));
        assert_eq!(parse("7.0"), Ok(Some(7)));
        assert_eq!(parse("1e3"), Ok(Some(1000)));
        assert_eq!(parse("null"), Ok(None));
        assert_eq!(parse("7.5"), Err("n must be an integer".into()));
        assert_eq!(parse("\"7\""), Err("n must be an integer".into()));
        for text in ["0", "-1", "9007199254740992", "1e300", "99999999999999999999"] {
            assert_eq!(parse(text), Err("n must be between 1 and 9007199254740991".into()), "{text}");
        }
    }
}
