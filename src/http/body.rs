//! A request's JSON body: content type, size and shape are checked, in this order.

use poem::{Request, RequestBody, error::ReadBodyError};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};

use tokio::io::AsyncReadExt;

use super::{
    context::Context,
    error::{Failure, WrongContentType},
    services::Services,
};
use crate::domain::{Error, Limits, Result};

/// The shape of a JSON body in the document, and how to read one.
pub trait FromBody: Type + Sized {
    /// What the body is read into.
    type Output: Send;

    /// Whether a body must be there; where not, an empty one reads as `{}`.
    const REQUIRED: bool = true;

    /// Counts a body that could not be read.
    fn refused(_services: &Services) {}

    /// Reads the body's bytes; the error is a sentence that names the field at fault.
    fn from_body(body: &[u8], limits: &Limits) -> Result<Self::Output>;
}

/// A checked JSON body of the shape `T`.
pub struct Body<T: FromBody>(pub T::Output);

impl<'a, T: FromBody> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
        Some(MetaRequest { description: None, content, required: T::REQUIRED })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let context = Context::of(request).map_err(Failure)?;
        let limits = context.snapshot().limits;
        if T::REQUIRED {
            check_content_type(request)?;
        }
        if announced(request).is_some_and(|bytes| bytes > (limits.body_bytes + PASSED_OVER) as u64) {
            return Err(ReadBodyError::PayloadTooLarge.into());
        }
        let bytes = read(body.take()?, limits.body_bytes);
        let bytes = tokio::time::timeout(context.services().body_timeout, bytes)
            .await
            .map_err(|_| Failure(Error::Invalid("The body took too long to come".into())))??;
        let mut bytes = &*bytes;
        if !T::REQUIRED && bytes.is_empty() {
            bytes = b"{}";
        } else if !T::REQUIRED {
            check_content_type(request)?;
        }
        let read = T::from_body(bytes, &limits).inspect_err(|_| T::refused(context.services()));
        Ok(Self(read.map_err(Failure)?))
    }
}

/// Reads at most so many bytes.
async fn read(body: poem::Body, limit: usize) -> Result<Vec<u8>, ReadBodyError> {
    let mut body = body.into_async_read();
    let mut bytes = Vec::new();
    (&mut body).take(limit as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() > limit {
        // A client that is still writing when the connection closes does not see the answer.
        tokio::io::copy(&mut body.take(PASSED_OVER as u64), &mut tokio::io::sink()).await?;
        return Err(ReadBodyError::PayloadTooLarge);
    }
    Ok(bytes)
}

/// How much of a body that is too long is passed over, in bytes, so that its sender hears of it.
const PASSED_OVER: usize = 4 << 20;

/// How long the body is by its sender's word: one that is far too long need not come at all.
fn announced(request: &Request) -> Option<u64> {
    request.header("content-length")?.parse().ok()
}

fn check_content_type(request: &Request) -> poem::Result<()> {
    // Parameters such as `charset` say nothing more: JSON is always UTF-8.
    let sent = request.content_type().unwrap_or_default();
    let media_type = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = media_type == "application/json"
        || media_type.strip_prefix("application/").is_some_and(|kind| kind.ends_with("+json"));
    if is_json { Ok(()) } else { Err(WrongContentType("application/json").into()) }
}
