//! Secrets that stand in the file, in a file of their own, or in the environment.

use std::path::Path;

use super::{
    Config, Secret,
    decode::{Decoder, resolved},
    field::{Field, Section},
    inputs::{Answer, Ask},
    value,
};
use crate::domain::is_control;

impl Config {
    /// Returns the secret files that every user of this machine can read. Asks the disk.
    pub fn readable_secrets(&self) -> impl Iterator<Item = &Path> {
        self.origin.secret_files.iter().map(AsRef::as_ref).filter(|path| is_readable_by_all(path))
    }
}

#[cfg(unix)]
fn is_readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    // Kubernetes and compose mount secrets for a group: only a file that is open to all is a mistake.
    path.metadata().is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_all(_: &Path) -> bool {
    false
}

/// The secret that one of three fields gives: inline, by environment variable, by file, in this order.
/// `None` when no field is given, or after a problem.
pub(super) fn one_of<'a>(
    decoder: &Decoder<'_>,
    section: &Section<'a>,
    [inline, env, file]: [&'static str; 3],
) -> Option<(Secret, Field<'a>)> {
    let mut given = [inline, env, file].into_iter().filter_map(|name| Some((name, section.get(name)?)));
    let (name, field) = given.next()?;
    if let Some((other, again)) = given.next() {
        again.fail(format!("stands beside {name}: give one of them, not {name} and {other}"));
        return None;
    }
    let bytes = if name == inline {
        field.text()?.as_bytes().to_vec()
    } else if name == env {
        from_env(decoder, &field)?
    } else {
        match &*decoder.file(&field)? {
            Answer::File(bytes) => {
                decoder.secret_files.borrow_mut().push(resolved(&field, field.text()?));
                bytes.clone()
            }
            _ => return None,
        }
    };
    match checked(bytes) {
        Ok(bytes) => Some((Secret(bytes), field)),
        Err(message) => {
            field.fail(message);
            None
        }
    }
}

/// The secret itself, or why the bytes are something else than the one who wrote them meant.
fn checked(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    // Bytes that are no text are all meant.
    let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(bytes) };
    // Files and variables come with a line end that nobody means.
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    if text.is_empty() {
        return Err("gives nothing".into());
    }
    if let Some(message) = value::placeholder(text) {
        return Err(message);
    }
    if text.contains(['\n', '\r']) && !text.starts_with("-----BEGIN ") {
        return Err("holds more than one line: a secret must stand alone, on one line".into());
    }
    if text.contains(is_control) {
        return Err("holds a control character: is it the right file, and text?".into());
    }
    Ok(text.as_bytes().to_vec())
}

fn from_env(decoder: &Decoder<'_>, field: &Field<'_>) -> Option<Vec<u8>> {
    let name = field.read(|name| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.is_empty() || name.len() > 128 || !name.bytes().all(fits) {
            return Err("must be the name of an environment variable".into());
        }
        Ok(name.to_owned())
    })?;
    match &*decoder.source.ask(Ask::Env(name)) {
        Answer::Env(text) => Some(text.as_bytes().to_vec()),
        // Not even the name: someone may have put the secret itself here.
        _ => {
            field.fail("names an environment variable that is not set");
            None
        }
    }
}
