//! `POST /crm/notification/send-batch`: many sends in one request.

use poem_openapi::{Object, OpenApi};
use serde_json::{json, value::RawValue};

use super::{
    Tag,
    admit::{Admitted, MaySend},
    answer::Answer,
    body::{Body, FromBody},
    error::{self, BatchRefused, Failure, Part},
    idempotency_key::NoIdempotencyKey,
    json, render,
    send::read_send,
    wire::{Id, JsonObject, SendRequest, SentNotification, Warning},
};
use crate::{
    domain::{Draft, Error, Limits, Result},
    send::{BatchItem, ReadDraft},
};

/// Where batches are sent.
pub const PATH: &str = "/crm/notification/send-batch";
/// Where one would be tried out.
pub const NO_DRY_RUN: &str = "/crm/notification/send-batch/dry-run";

/// Bytes of an item's result beside what the item itself brought, about.
const A_RESULT: usize = 256;

/// Sending many.
pub struct SendBatchApi;

#[OpenApi(prefix_path = "/crm/notification")]
impl SendBatchApi {
    /// Send many notifications
    ///
    /// Either `items`, each a notification as a send takes it, or one notification to many `user_ids`. All are stored
    /// in one transaction, and the answer tells of each, in order: a 200 says that the batch was gone through, not that
    /// every item was stored. With `atomic` all are stored, or none is; then the answer is a 400 whose `results` say
    /// which items are at fault, and the others have the status 424. Where the fields of what goes to many `user_ids`
    /// are at fault, all is refused as a send is.
    ///
    /// Each item costs one request of the rate limit: one is spent before the body is read, the rest once it was.
    /// A 429 for the rest spends and stores nothing further; a batch that could never pass at once is a 400.
    /// It takes no Idempotency-Key, and with one is a 400: after a lost answer, look before you send again.
    #[oai(path = "/send-batch", method = "post", operation_id = "sendBatch", tag = "Tag::Sending")]
    async fn send_batch(
        &self,
        caller: Admitted<MaySend>,
        _no_key: NoIdempotencyKey,
        body: Body<SendBatchRequest>,
    ) -> poem::Result<Answer<SendBatchResponse>> {
        let (context, Body(batch, body)) = (&caller.context, body);
        let (Batch { drafts, atomic, bytes }, length) = (batch, body.len());
        // The drafts take its place in memory.
        drop(body);
        let (snapshot, now, sending) = (context.snapshot(), context.now(), &caller.services.sending);
        // What all have in common is told once.
        if let Drafts::ToMany(read, _) = &drafts {
            sending.check_fields(snapshot, &caller.principal, read).map_err(Failure)?;
        }
        // What is written out of one body for many users takes more than the body did.
        context.reserve_body(bytes).map_err(Failure)?;
        // At most as much as the body may have: `server.max_body_memory` has room for twice that, whatever is sent. An
        // answer that comes to more is counted in full once it is there.
        let answer = (bytes.max(length) + drafts.len() * A_RESULT).min(snapshot.limits.batch_bytes);
        context.reserve_answer(answer).map_err(Failure)?;
        // Last, so that a batch that finds no memory costs no more than the request.
        caller.spend(drafts.len()).map_err(Failure)?;
        let items = sending
            .send_batch(snapshot, &caller.principal, drafts.into_iter(), now, context.request_id(), atomic)
            .await
            .map_err(Failure)?;
        let sent = items.iter().filter(|item| matches!(item, BatchItem::Stored(..))).count();
        if atomic && sent < items.len() {
            return Err(refused(&items, context.request_id()).into());
        }
        let failed = items.len() - sent;
        let mut text = format!(r#"{{"result":"Success","sent":{sent},"failed":{failed},"results":"#);
        render::array(&mut text, &items, |text, item| one(text, item, context.request_id()));
        text.push('}');
        Ok(Answer::new(text))
    }
}

/// Appends what became of an item.
fn one(text: &mut String, item: &BatchItem, request_id: &str) {
    if let BatchItem::Stored(sealed, stored, warnings) = item {
        text.push_str(r#"{"status":201,"notification":"#);
        render::stored_as(text, sealed, *stored);
        if !warnings.is_empty() {
            text.push_str(r#","warnings":"#);
            render::warnings(text, warnings);
        }
        text.push('}');
    } else {
        // Texts and numbers alone: nothing in it can fail to be written.
        text.push_str(&serde_json::to_string(&fault(item, request_id)).unwrap_or_default());
    }
}

/// Why an item was not stored.
fn fault(item: &BatchItem, request_id: &str) -> Part {
    match item {
        BatchItem::Failed(error) => error::of_part(error, request_id),
        _ => error::withheld(),
    }
}

/// The answer where nothing was stored of a batch that was to be stored whole.
fn refused(items: &[BatchItem], request_id: &str) -> BatchRefused {
    let parts: Vec<Part> = items.iter().map(|item| fault(item, request_id)).collect();
    let failed = items.iter().zip(&parts).enumerate();
    let mut failed = failed.filter(|(_, (item, _))| matches!(item, BatchItem::Failed(_)));
    let reason = match failed.next() {
        Some((place, (_, first))) => {
            let (count, all, why) = (1 + failed.count(), items.len(), &first.reason);
            format!("Nothing was stored, as {count} of {all} items cannot be; item {place}: {why}")
        }
        None => "Nothing was stored".to_owned(),
    };
    BatchRefused { reason, results: json!(parts) }
}

/// Sends: `items`, or one notification to many `user_ids`.
#[derive(Object)]
struct SendBatchRequest {
    /// The notifications.
    #[oai(validator(min_items = 1, max_items = 1000))]
    items: Option<Vec<SendRequest>>,
    /// The users to notify of one and the same; who stands there twice gets two.
    #[oai(validator(min_items = 1, max_items = 1000))]
    user_ids: Option<Vec<Id>>,
    /// With `user_ids`: the notification's type.
    #[oai(rename = "type", validator(min_length = 1, max_length = 64))]
    kind: Option<String>,
    /// With `user_ids`: one line for the reader, in characters; it must have something that can be seen.
    #[oai(validator(min_length = 1, max_length = 255))]
    title: Option<String>,
    /// With `user_ids`: more text, in characters.
    #[oai(validator(max_length = 10000))]
    message: Option<String>,
    /// With `user_ids`: where a click leads.
    #[oai(validator(max_length = 2048))]
    link: Option<String>,
    /// With `user_ids`: structured data.
    metadata: Option<JsonObject>,
    /// With `user_ids`: the ticket it is about.
    related_ticket_id: Option<Id>,
    /// With `user_ids`: the user who caused it.
    related_user_id: Option<Id>,
    /// Whether all are to be stored or none; without it, each that can be.
    atomic: Option<bool>,
}

/// What became of a batch.
#[derive(Object)]
struct SendBatchResponse {
    /// Always `Success`: the batch was gone through.
    result: String,
    /// How many were stored.
    sent: u64,
    /// How many were not.
    failed: u64,
    /// What became of each item, in their order.
    results: Vec<BatchResult>,
}

/// What became of one item of a batch.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct BatchResult {
    /// What a send of the item alone would have been answered with: 201 where it was stored, 400, 403, 404 and so on.
    /// 424 where it was good and another item was not, and all or none were to be stored.
    status: u32,
    /// What was stored.
    notification: Option<SentNotification>,
    /// What is wrong with what was stored, as in the answer to a send.
    warnings: Option<Vec<Warning>>,
    /// Why it was not stored.
    reason: Option<String>,
}

/// A batch as it was read.
struct Batch {
    drafts: Drafts,
    atomic: bool,
    /// How much it comes to, each notification written out.
    bytes: usize,
}

enum Drafts {
    /// What is wrong with one is told of it alone.
    Each(Vec<Result<ReadDraft>>),
    ToMany(Box<ReadDraft>, Vec<i64>),
}

impl Drafts {
    fn len(&self) -> usize {
        match self {
            Self::Each(drafts) => drafts.len(),
            Self::ToMany(_, users) => users.len(),
        }
    }

    fn into_iter(self) -> Box<dyn Iterator<Item = Result<ReadDraft>> + Send> {
        match self {
            Self::Each(drafts) => Box::new(drafts.into_iter()),
            Self::ToMany(read, users) => Box::new(
                users.into_iter().map(move |user_id| Ok(Draft { user_id, ..read.draft.clone() }.into())),
            ),
        }
    }
}

impl FromBody for SendBatchRequest {
    type Output = Batch;

    fn most(limits: &Limits) -> usize {
        limits.batch_bytes
    }

    fn from_body(body: &[u8], limits: &Limits) -> Result<Batch> {
        let [items, user_ids, atomic, of_one @ ..] = json::fields(body, FIELDS)?;
        let of_one = of_one.iter().any(Option::is_some);
        let atomic = json::flag("atomic", atomic)?.unwrap_or(false);
        match (items, user_ids) {
            (Some(items), None) if !of_one => {
                let items = json::list("items", items, limits.batch_items, "sends")?;
                let drafts = Drafts::Each(items.into_iter().map(|item| read_item(item, limits)).collect());
                Ok(Batch { drafts, atomic, bytes: 0 })
            }
            (None, Some(user_ids)) => to_many(body, user_ids, atomic, limits),
            (Some(_), None) => Err(Error::Invalid("type, title and so on stand in each of items".into())),
            _ => Err(Error::Invalid("Give either items or user_ids".into())),
        }
    }
}

/// The fields of a batch: its own, then those of what goes to many users.
const FIELDS: [&str; 10] = [
    "items",
    "user_ids",
    "atomic",
    "type",
    "title",
    "message",
    "link",
    "metadata",
    "related_ticket_id",
    "related_user_id",
];

fn read_item(item: &RawValue, limits: &Limits) -> Result<ReadDraft> {
    if !item.get().starts_with('{') {
        return Err(Error::Invalid("An item must be an object".into()));
    }
    read_send(None, item.get().as_bytes(), limits, None)
}

fn to_many(body: &[u8], user_ids: &RawValue, atomic: bool, limits: &Limits) -> Result<Batch> {
    let users = json::ids("user_ids", user_ids, limits.batch_items)?;
    let bytes = (body.len() - user_ids.get().len()) * users.len();
    if bytes > limits.batch_bytes {
        return Err(Error::Invalid(format!(
            "user_ids must be fewer: the rest of the body counts for each, and may come to {} bytes",
            limits.batch_bytes
        )));
    }
    let read = read_send(users.first().copied(), body, limits, None)?;
    // Those that are unknown in a send are the batch's own.
    let read = ReadDraft { unknown: Vec::new(), ..read };
    Ok(Batch { drafts: Drafts::ToMany(Box::new(read), users), atomic, bytes })
}
