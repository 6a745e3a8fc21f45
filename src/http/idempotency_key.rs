//! The header `Idempotency-Key`, as the IETF draft of that name has it.

use poem::{FromRequest, Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    error::ParseParamError,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef},
    types::Type,
};

use super::{error::Failure, shape::shape};
use crate::domain::Error;

/// The longest key, in characters.
const LONGEST: usize = 255;
const NAME: &str = "Idempotency-Key";
const FAULT: &str = "must be one key of 1 to 255 visible ASCII characters, in quotes or without";

shape!(
    /// A key as the document shows it.
    Text(String),
    "idempotency key",
    MetaSchema {
        max_length: Some(2 * LONGEST + 2),
        pattern: Some(r#"^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$"#.to_owned()),
        ..MetaSchema::new("string")
    }
);

/// The key, without its quotes. The framework's own extractor of headers takes one that it cannot read for absent.
pub struct IdempotencyKey(pub Option<Text>);

impl<'a> ApiExtractor<'a> for IdempotencyKey {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = false;

    type ParamType = Option<Text>;
    type ParamRawType = Text;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(Text::schema_ref())
    }

    fn param_raw_type(&self) -> Option<&Text> {
        self.0.as_ref()
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let mut lines = request.headers().get_all(NAME).iter();
        let Some(line) = lines.next() else { return Ok(Self(None)) };
        let key = read(line.as_bytes()).filter(|_| lines.next().is_none());
        match key {
            Some(key) => Ok(Self(Some(Text(key)))),
            None => Err(ParseParamError { name: NAME, reason: FAULT.to_owned() }.into()),
        }
    }
}

/// Stands among the arguments of what takes no key: to pass over one would promise what does not hold.
pub struct NoIdempotencyKey;

impl<'a> FromRequest<'a> for NoIdempotencyKey {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        if request.headers().contains_key(NAME) {
            let fault = "A batch takes no Idempotency-Key: after a lost answer, look before you send again";
            return Err(Failure(Error::Invalid(fault.into())).into());
        }
        Ok(Self)
    }
}

/// A structured field's string, or the same without quotes.
fn read(line: &[u8]) -> Option<String> {
    let quoted = line.strip_prefix(b"\"");
    let mut rest = match quoted {
        Some(rest) => rest.strip_suffix(b"\"")?,
        None => line,
    }
    .iter();
    let mut key = String::with_capacity(rest.len());
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'\\' if quoted.is_some() => rest.next().filter(|byte| matches!(byte, b'"' | b'\\'))?,
            b'"' if quoted.is_some() => return None,
            byte => byte,
        };
        key.push(byte.is_ascii_graphic().then(|| char::from(*byte))?);
    }
    (1..=LONGEST).contains(&key.len()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_string_in_quotes_or_bare() {
        let longest = "k".repeat(LONGEST);
        for (line, key) in [
            (r#""8e03978e-40d5""#, "8e03978e-40d5"),
            ("8e03978e-40d5", "8e03978e-40d5"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (r#"a"b\c"#, r#"a"b\c"#),
            (&longest, &longest),
            (&format!("\"{longest}\""), &longest),
        ] {
            assert_eq!(read(line.as_bytes()).as_deref(), Some(key), "{line}");
        }
        for line in ["", "\"", "\"\"", "\"a", "\"a\"b\"", "\"a\\\"", r#""a\b""#, "a b", "\"a b\"", "ä", "a\t"]
        {
            assert_eq!(read(line.as_bytes()), None, "{line}");
        }
        assert_eq!(read(format!("{longest}k").as_bytes()), None);
        assert_eq!(read(format!("\"{longest}k\"").as_bytes()), None);
    }
}
