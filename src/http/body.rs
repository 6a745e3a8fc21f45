//! A request's JSON body: content type, size and shape are checked, in this order.

use std::{net::IpAddr, time::Duration};

use poem::{Request, RequestBody, error::ReadBodyError};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
    types::Type,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, timeout, timeout_at},
};

use super::{
    context::Context,
    error::{Failure, TooSlow, WrongContentType},
    memory::Reservation,
};
use crate::{
    domain::{Limits, Result},
    limit::Limiters,
};

/// The shape of a JSON body in the document, and how to read one.
pub trait FromBody: Type + Sized {
    /// What the body is read into.
    type Output: Send;

    /// Whether a body must be there; where not, an empty one reads as `{}`.
    const REQUIRED: bool = true;

    /// How many bytes a body may have.
    fn most(limits: &Limits) -> usize {
        limits.body_bytes
    }

    /// Reads the body's bytes; the error is a sentence that names the field at fault.
    fn from_body(body: &[u8], limits: &Limits) -> Result<Self::Output>;
}

/// A checked JSON body of the shape `T`, and its bytes as they came.
pub struct Body<T: FromBody>(pub T::Output, pub Vec<u8>);

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
        let length = announced(request);
        let most = T::most(&limits).min(context.body_bytes());
        if length.is_some_and(|bytes| bytes > (most + PASSED_OVER) as u64) {
            return Err(ReadBodyError::PayloadTooLarge.into());
        }
        let mut failure = context.pending().map(|pending| PendingFailure {
            limiters: &context.snapshot().limiters,
            client: Some(pending.client),
        });
        let bytes = read(body.take()?, length, most, context.reservation(), failure.as_mut());
        let read = timeout(context.services().body_timeout, bytes).await;
        let (bytes, reservation) = read.unwrap_or_else(|_| Err(TooSlow.into()))?;
        // From here on the check of its signature counts.
        failure.iter_mut().for_each(PendingFailure::cancel);
        context.keep(reservation);
        let mut text = &*bytes;
        if !T::REQUIRED && text.is_empty() {
            text = b"{}";
        } else if !T::REQUIRED {
            check_content_type(request)?;
        }
        let read = T::from_body(text, &limits).map_err(Failure)?;
        Ok(Self(read, bytes))
    }
}

/// Counts a failed authentication when it is dropped, unless it was cancelled: a sender that holds back the body that is
/// to authenticate it, sends too much, or closes the connection in the middle of it, authenticates nobody. The last of
/// these drops the request's future wherever it waits, so that no code after the wait could count it.
struct PendingFailure<'a> {
    limiters: &'a Limiters,
    /// Where the request comes from; `None` once it was cancelled.
    client: Option<IpAddr>,
}

impl PendingFailure<'_> {
    fn cancel(&mut self) {
        self.client = None;
    }
}

impl Drop for PendingFailure<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client {
            self.limiters.count_failure(client);
        }
    }
}

/// Returns how long after its start the next bytes of a body must arrive that is to authenticate its sender.
fn in_time(received: usize) -> Duration {
    AT_ONCE + Duration::from_millis(received as u64 * 1_000 / SLOWEST)
}

/// How long the first bytes may take of a body that is to authenticate its sender.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Minimum number of bytes a second after that.
const SLOWEST: u64 = 64 << 10;

/// Reads at most so many bytes, as far as there is memory; ends early on a slow one that is to authenticate its sender,
/// for which there is a `failure` to count.
async fn read(
    body: poem::Body,
    announced: Option<u64>,
    limit: usize,
    mut reservation: Reservation,
    failure: Option<&mut PendingFailure<'_>>,
) -> poem::Result<(Vec<u8>, Reservation)> {
    let (start, is_pending) = (Instant::now(), failure.is_some());
    let mut body = body.into_async_read();
    // One more than most have, so that their end is seen without growing. A long one proves itself first.
    let expected = announced.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0).min(4_096);
    let mut bytes = Vec::with_capacity(expected + 1);
    let is_too_long = loop {
        let left = (limit + 1 - bytes.len()) as u64;
        let due = is_pending.then(|| start + in_time(bytes.len()));
        let mut limited = (&mut body).take(left);
        let more = limited.read_buf(&mut bytes);
        let more = match due {
            Some(due) => timeout_at(due, more).await.map_err(|_| TooSlow)?,
            None => more.await,
        };
        if more.map_err(ReadBodyError::from)? == 0 {
            break bytes.len() > limit;
        }
        if let Err(busy) = reservation.reserve(bytes.len()) {
            drop((bytes, reservation));
            // Its sender may be honest: others may have filled the memory.
            failure.into_iter().for_each(PendingFailure::cancel);
            // Not for long: one that comes slowly is not worth it.
            let _ = timeout(BREATH, pass_over(body)).await;
            return Err(Failure(busy).into());
        }
    };
    if is_too_long {
        drop((bytes, reservation));
        // An authenticated sender has the time of any body; the request's own timeout ends it.
        let time = if is_pending { BREATH } else { Duration::MAX };
        let _ = timeout(time, pass_over(body)).await;
        return Err(ReadBodyError::PayloadTooLarge.into());
    }
    Ok((bytes, reservation))
}

/// A client that is still writing when the connection closes does not see the answer.
async fn pass_over(body: impl AsyncRead + Unpin) {
    // Where it breaks off there is nobody to answer.
    let _ = tokio::io::copy(&mut body.take(PASSED_OVER as u64), &mut tokio::io::sink()).await;
}

/// How much of a body that is too long is passed over, in bytes, so that its sender hears of it.
const PASSED_OVER: usize = 4 << 20;

/// How long a body is passed over that finds no memory, or is too long and was to authenticate its sender.
const BREATH: Duration = Duration::from_secs(1);

/// How long the body is by its sender's word: one that is far too long need not come at all.
pub(super) fn announced(request: &Request) -> Option<u64> {
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
