//! `POST /crm/notification/users/import`: many users as JSON lines, a result for each.

use std::{
    io,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{Stream, StreamExt, stream};
use poem::{Body as HttpBody, IntoResponse, Request, RequestBody, Response};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions, OpenApi,
    registry::{MetaMediaType, MetaRequest, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    sync::mpsc,
    time::{Instant, sleep},
};

use super::{
    Tag,
    admit::{Admitted, MayManageUsers},
    body::announced,
    context::Context,
    error::{Failure, WrongContentType},
    faults, json,
    memory::Reservation,
    users::profile,
    wire::{Id, ImportResult},
};
use crate::{
    admit::Account,
    audit::Audit,
    directory::Directory,
    domain::{Actor, AuditAction, AuditEntry, Error, Profile, Result, TenantId, User, UserId},
};

/// The media type of JSON lines.
const LINES: &str = "application/x-ndjson";
/// The media type that generated clients send a stream as: many know none of JSON lines.
const BYTES: &str = "application/octet-stream";
/// The longest line, in bytes.
const LINE_MAX: u64 = 16 * 1024;
/// How many results wait for a client that sends before it reads, some 8 MiB of them.
const RESULTS_WAITING: usize = 65_536;
/// Maximum number of bytes of those results, and of the results of one byte of a body: an import starts only if there
/// is memory for the smaller.
const RESULTS_BYTES: usize = 8 << 20;
const RESULTS_A_BYTE: u64 = 64;
/// How many lines are on their way to the store at once; they share its commits.
const AT_ONCE: usize = 64;
/// Maximum number of bytes of those lines, which an import reserves until it ends.
const LINES_BYTES: usize = AT_ONCE * LINE_MAX as usize;
/// How often a result looks for memory, when there is none.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The bulk import.
pub struct ImportApi;

#[OpenApi(prefix_path = "/crm/notification/users")]
impl ImportApi {
    /// Import users
    ///
    /// One JSON object a line: `user_id` and the fields of a profile. The answer streams one result a
    /// line, in order, while the body is still being read: a line that fails does not stop the others. A client
    /// that reads nothing before it has sent all should send at most 65,536 lines at a time. Each line costs one
    /// request of the rate limit, and waits until the limit lets it pass. The body may be called `application/octet-stream`, as generated clients
    /// do, or `application/x-ndjson`.
    #[oai(path = "/import", method = "post", operation_id = "importUsers", tag = "Tag::Users")]
    async fn import(&self, caller: Admitted<MayManageUsers>, body: Lines) -> ResultLines {
        let Lines { body, memory } = body;
        let memory = Arc::new(memory);
        let waiting = Arc::clone(&memory);
        let directory = caller.services.directory.clone();
        let tenant = caller.principal.tenant.clone();
        let tally = Arc::new(Tally {
            audit: caller.services.audit.clone(),
            tenant: tenant.clone(),
            by: caller.actor(),
            lines: Default::default(),
        });
        let wait = caller.services.body_timeout;
        let (context, account) = (caller.context.clone(), caller.account());
        let (results, answer) = mpsc::channel(RESULTS_WAITING);
        // The body is read whether or not the answer is: many clients read nothing before they have sent all.
        tokio::spawn(async move {
            let mut lines = pin!(
                lines(body.into_async_read(), wait)
                    .then(|line| paced(line, context.clone(), account.clone()))
                    .map(|line| {
                        let (directory, tenant, tally) =
                            (directory.clone(), tenant.clone(), Arc::clone(&tally));
                        async move { result_line(&directory, &tenant, &tally, line).await }
                    })
                    .buffered(AT_ONCE)
            );
            while let Some(text) = lines.next().await {
                // An empty line has no result.
                let Some(text) = text else { continue };
                // Whoever reads nothing for so long, with so many results waiting, reads no more.
                if !waiting.add(text.len(), wait).await || results.send_timeout(text, wait).await.is_err() {
                    break;
                }
            }
        });
        let texts = stream::unfold((answer, memory), |(mut answer, memory)| async move {
            let text = answer.recv().await?;
            memory.remove(text.len());
            Some((Ok::<_, io::Error>(text), (answer, memory)))
        });
        ResultLines(HttpBody::from_bytes_stream(texts))
    }
}

/// One line of the body: its number, and its text or why it could not be read.
type Line = (u64, Result<Vec<u8>>);

fn lines(body: impl AsyncRead + Send + Unpin + 'static, wait: Duration) -> impl Stream<Item = Line> + Send {
    stream::unfold((BufReader::new(body), 0_u64, false), move |(mut reader, number, done)| async move {
        if done {
            return None;
        }
        let number = number + 1;
        let (line, last) = match tokio::time::timeout(wait, next_line(&mut reader)).await {
            Ok(Ok(None)) => return None,
            Ok(Ok(Some(text))) => (Ok(text), false),
            Ok(Err(fault)) => (Err(fault), true),
            Err(_) => (Err(end("The line took too long to come")), true),
        };
        Some(((number, line), (reader, number, last)))
    })
}

/// Waits until the rate limit lets a line pass. The first was paid for with the request.
async fn paced(line: Line, context: Context, account: Account) -> Line {
    while line.0 > 1
        && let Some(retry_after) = account.spend_one(context.snapshot()).retry_after
    {
        tokio::time::sleep(retry_after).await;
    }
    line
}

async fn next_line(reader: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    match reader.take(LINE_MAX + 1).read_until(b'\n', &mut text).await {
        Ok(0) => Ok(None),
        // What follows cannot be told apart from the rest of this line.
        Ok(read) if read as u64 > LINE_MAX && text.last() != Some(&b'\n') => Err(end("The line is too long")),
        Ok(_) => Ok(Some(text)),
        Err(_) => Err(end("The body could not be read")),
    }
}

fn end(fault: &str) -> Error {
    Error::Invalid(format!("{fault}; the import ends here"))
}

/// Counts an import's lines, and records them when the last of it is gone: at its end, or when its caller
/// hung up.
struct Tally {
    audit: Audit,
    tenant: TenantId,
    by: Actor,
    /// Created, replaced and failed ones.
    lines: [AtomicU64; 3],
}

impl Tally {
    fn count(&self, outcome: &Result<(User, bool)>) {
        let place = match outcome {
            Ok((_, true)) => 0,
            Ok((_, false)) => 1,
            Err(_) => 2,
        };
        self.lines[place].fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let [created, replaced, failed] = self.lines.each_mut().map(|count| *count.get_mut());
        if created + replaced > 0 {
            let entry = AuditEntry::by(&self.by, AuditAction::UsersImported)
                .with("created", created)
                .with("replaced", replaced)
                .with("failed", failed);
            self.audit.note(&self.tenant, entry);
        }
    }
}

/// Stores one line and writes its result; an empty line has none.
async fn result_line(
    directory: &Directory,
    tenant: &TenantId,
    tally: &Tally,
    (number, line): Line,
) -> Option<Vec<u8>> {
    let mut user_id = None;
    let outcome = match line {
        Err(fault) => Err(fault),
        Ok(text) if text.trim_ascii().is_empty() => return None,
        Ok(text) => match read_line(&text, &mut user_id) {
            Ok((user, profile)) => directory.put(tenant, user, profile, None).await,
            Err(e) => Err(e),
        },
    };
    tally.count(&outcome);
    let mut result = Map::new();
    result.insert("line".into(), number.into());
    result.insert("result".into(), if outcome.is_ok() { "Success" } else { "Failed" }.into());
    if let Some(id) = user_id {
        result.insert("user_id".into(), id.into());
    }
    match outcome {
        Ok((_, created)) => result.insert("created".into(), created.into()),
        Err(Error::Internal(fault)) => {
            tracing::error!(error = %fault, line = number, "an import's line failed");
            result.insert("reason".into(), "Internal server error".into())
        }
        Err(e) => result.insert("reason".into(), e.to_string().into()),
    };
    let mut text = Value::Object(result).to_string().into_bytes();
    text.push(b'\n');
    Some(text)
}

fn read_line(text: &[u8], user_id: &mut Option<i64>) -> Result<(UserId, Profile)> {
    let [id, of_profile @ ..] = json::fields(text, ["user_id", "display_name", "locale", "time_zone"])?;
    *user_id = json::id("user_id", id)?;
    let id = user_id.ok_or_else(|| faults::required("user_id"))?;
    let user = UserId::new(id).map_err(|e| Error::Invalid(format!("user_id {e}")))?;
    Ok((user, profile(of_profile)?))
}

/// The body of an import, not yet read, and what the import holds in memory.
pub struct Lines {
    body: HttpBody,
    memory: Memory,
}

/// What an import holds in memory: its lines on their way to the store, and those of its results that wait to be
/// written. An import that the rate limit slows down may last long, and most clients read each result at once.
struct Memory(Mutex<Held>);

struct Held {
    bytes: usize,
    reservation: Reservation,
}

impl Memory {
    /// Starts with this reservation, and keeps so much of it.
    fn new(mut reservation: Reservation, bytes: usize) -> Self {
        reservation.settle(bytes);
        Self(Mutex::new(Held { bytes, reservation }))
    }

    /// Adds a result of that length. Returns whether there was memory for it in that time.
    async fn add(&self, length: usize, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        while !self.try_add(length) {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(POLL_INTERVAL).await;
        }
        true
    }

    fn try_add(&self, length: usize) -> bool {
        let mut held = self.held();
        let bytes = held.bytes + length;
        let is_reserved = held.reservation.reserve(bytes).is_ok();
        if is_reserved {
            held.bytes = bytes;
        }
        is_reserved
    }

    /// Returns the memory of a result that its connection has taken.
    fn remove(&self, length: usize) {
        let mut held = self.held();
        held.bytes -= length;
        let bytes = held.bytes;
        held.reservation.settle(bytes);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // No code that holds the lock can leave the figures half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> ApiExtractor<'a> for Lines {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        ImportLine::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: BYTES, schema: ImportLine::schema_ref() }];
        Some(MetaRequest { description: Some("One JSON object a line."), content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let sent = request.content_type().unwrap_or_default();
        let media_type = sent.split(';').next().unwrap_or_default().trim();
        if [BYTES, LINES, "application/jsonl", "application/json-lines"]
            .iter()
            .any(|known| media_type.eq_ignore_ascii_case(known))
        {
            let length = announced(request).unwrap_or(u64::MAX);
            let bounded = |bytes: u64, most: usize| usize::try_from(bytes).unwrap_or(most).min(most);
            // The results come after the lines are stored, too late to refuse anything. So an import of a client that
            // reads nothing must have memory for them as it begins.
            let results = bounded(length.saturating_mul(RESULTS_A_BYTE), RESULTS_BYTES);
            let mut reservation = Context::of(request).map_err(Failure)?.reservation();
            reservation.reserve(results).map_err(Failure)?;
            Ok(Self { body: body.take()?, memory: Memory::new(reservation, bounded(length, LINES_BYTES)) })
        } else {
            Err(WrongContentType(LINES).into())
        }
    }
}

/// One line of an import.
#[derive(poem_openapi::Object)]
struct ImportLine {
    /// The user's id.
    user_id: Id,
    /// How to address them, in characters.
    #[oai(validator(min_length = 1, max_length = 255))]
    display_name: Option<String>,
    /// A BCP 47 language tag, such as `de-CH`.
    #[oai(validator(max_length = 35))]
    locale: Option<String>,
    /// An IANA time zone, such as `Europe/Zurich`.
    #[oai(validator(max_length = 64))]
    time_zone: Option<String>,
}

/// The results of an import, streamed.
struct ResultLines(HttpBody);

impl IntoResponse for ResultLines {
    fn into_response(self) -> Response {
        Response::builder().content_type(LINES).body(self.0)
    }
}

impl ApiResponse for ResultLines {
    fn meta() -> MetaResponses {
        let response = MetaResponse {
            description: "One result a line.",
            status: Some(200),
            status_range: None,
            content: vec![MetaMediaType { content_type: LINES, schema: ImportResult::schema_ref() }],
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        ImportResult::register(registry);
    }
}
