//! Secrets that stand in the file, in a file of their own, or in the environment.

use super::{
    Secret,
    decode::Decoder,
    field::{Field, Section},
    inputs::{Answer, Ask},
};

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
            Answer::File(bytes) => bytes.clone(),
            _ => return None,
        }
    };
    // Files and variables come with a line end that nobody means; bytes that are no text are all meant.
    let bytes = if std::str::from_utf8(&bytes).is_ok() { bytes.trim_ascii().to_vec() } else { bytes };
    if bytes.is_empty() {
        field.fail("gives nothing");
        return None;
    }
    Some((Secret(bytes), field))
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
