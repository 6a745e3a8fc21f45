//! Templates: compiled once, bounded in work and length, all or nothing.
//!
//! Only text, numbers and booleans can be written. What is absent, null, empty (in a link), a list or an object makes
//! the whole template produce nothing; conditions and the `default` filter may ask about absent values.

mod data;
mod draft;

use std::{fmt, sync::Arc};

use minijinja::{
    Environment, Error, ErrorKind, Output, State, UndefinedBehavior,
    value::{Enumerator, Object, Value, ValueKind},
};

pub use data::{Data, DataTemplate};
pub(crate) use draft::Template;

/// What one run may use up: about so many instructions, or 64 bytes of text each.
const FUEL: u64 = 5_000;
const NAME: &str = "template";

/// How a value is written into the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// As it is.
    Plain,
    /// Percent-encoded but for letters, digits, `-`, `.`, `_` and `~`, so that it cannot become
    /// part of a link's structure.
    Link,
    /// As JSON, lists and objects too.
    Json,
}

/// A compiled template, whatever it reads.
struct Engine {
    environment: Environment<'static>,
    max: usize,
}

impl Engine {
    /// Compiles a template whose result has at most `max` characters. The error says what is
    /// wrong with the source.
    fn compile(source: &str, max: usize) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        // These make text from nothing; the rest work on what they are given.
        for name in ["range", "dict", "debug", "namespace"] {
            environment.remove_global(name);
        }
        environment.add_template_owned(NAME, source.to_owned()).map_err(|e| fault(&e))?;
        Ok(Self { environment, max })
    }

    /// The paths of all that it reads, such as `metadata.id`, or only their first parts.
    fn reads(&self, whole: bool) -> Result<Vec<String>, String> {
        let compiled = self.environment.get_template(NAME).map_err(|e| fault(&e))?;
        let mut paths: Vec<_> = compiled.undeclared_variables(whole).into_iter().collect();
        paths.sort_unstable();
        Ok(paths)
    }

    /// Runs the template with each of these values: a filter, test or function that does not exist
    /// shows only then.
    fn try_names(&mut self, values: impl IntoIterator<Item = Value>) -> Result<(), String> {
        self.environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        let compiled = self.environment.get_template(NAME).map_err(|e| fault(&e))?;
        for value in values {
            use ErrorKind::{UnknownFilter, UnknownFunction, UnknownMethod, UnknownTest};
            if let Err(error) = compiled.render(value)
                && matches!(error.kind(), UnknownFilter | UnknownTest | UnknownFunction | UnknownMethod)
            {
                return Err(fault(&error));
            }
        }
        Ok(())
    }

    /// Ready to run.
    fn writing(mut self, writing: Writing) -> Self {
        self.environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        self.environment.set_formatter(match writing {
            Writing::Plain => write_plain,
            Writing::Link => write_encoded,
            Writing::Json => write_json,
        });
        self
    }

    /// The text; `None` when something it needs is absent, or the text comes out empty or too long.
    fn render(&self, values: Value) -> Option<String> {
        let text = self.environment.get_template(NAME).ok()?.render(values).ok()?;
        let fits = !text.trim().is_empty() && text.chars().nth(self.max).is_none();
        fits.then_some(text)
    }
}

/// An object of few fields.
#[derive(Debug)]
struct Fields(Vec<(Arc<str>, Value)>);

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        self.0.iter().find(|(name, _)| **name == *key).map(|(_, value)| value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Value::from(name)).collect())
    }
}

type Written = Result<(), Error>;

fn write_plain(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Written {
    write_scalar(out, value, false)
}

fn write_encoded(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Written {
    write_scalar(out, value, true)
}

fn write_json(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Written {
    if value.is_undefined() || value.is_none() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let text = serde_json::to_string(value).map_err(|_| Error::from(ErrorKind::BadSerialization))?;
    out.write_str(&text).map_err(Error::from)
}

fn write_scalar(out: &mut Output<'_>, value: &Value, encode: bool) -> Written {
    let written = match value.kind() {
        ValueKind::String if encode => {
            let text = value.as_str().unwrap_or_default();
            // An empty part of a link would lead elsewhere: `/services/` and not a service.
            if text.is_empty() {
                return Err(Error::new(ErrorKind::BadSerialization, "an empty part"));
            }
            encode_part(out, text)
        }
        ValueKind::String => out.write_str(value.as_str().unwrap_or_default()),
        ValueKind::Number => out.write_fmt(format_args!("{value}")),
        // As JSON writes them.
        ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Undefined | ValueKind::None => return Err(Error::from(ErrorKind::UndefinedError)),
        _ => return Err(Error::new(ErrorKind::BadSerialization, "not text, a number or a boolean")),
    };
    written.map_err(Error::from)
}

fn encode_part(out: &mut Output<'_>, text: &str) -> fmt::Result {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if text.bytes().all(plain) {
        return out.write_str(text);
    }
    for byte in text.bytes() {
        if plain(byte) {
            out.write_str(char::from(byte).encode_utf8(&mut [0; 4]))?;
        } else {
            out.write_fmt(format_args!("%{byte:02X}"))?;
        }
    }
    Ok(())
}

/// A template's error as one sentence.
fn fault(error: &Error) -> String {
    let detail = error.detail().map(|d| format!(": {d}")).unwrap_or_default();
    let line = error.line().filter(|line| *line > 1).map(|l| format!(" (its line {l})")).unwrap_or_default();
    format!("template does not compile: {}{detail}{line}", error.kind())
}
