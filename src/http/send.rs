//! `POST /crm/notification/send`: admit, decode, send, respond.

use poem::http::HeaderValue;
use poem_openapi::OpenApi;

use super::{
    Tag,
    admit::{Admitted, MaySend},
    answer::{Answer, Headed},
    body::{Body, FromBody},
    error::Failure,
    faults::Faults,
    idempotency_key::IdempotencyKey,
    json, render,
    wire::{SendRequest, SendResponse},
};
use crate::{
    domain::{Draft, Limits, Metadata, Problem, ProblemCode, Problems, Result},
    send::{Once, ReadDraft, Sent},
    store::ANSWER_LIFETIME,
};

/// Bytes of an answer beside what the body brought, about.
const A_RESULT: usize = 512;

/// Sending.
pub struct SendApi;

#[OpenApi(prefix_path = "/crm/notification")]
impl SendApi {
    /// Send a notification
    ///
    /// Stores a notification in a user's inbox. A 201 means that it is durable. What the type's
    /// pipeline refuses is a 400 that names every problem.
    #[oai(path = "/send", method = "post", operation_id = "sendNotification", tag = "Tag::Sending")]
    async fn send(
        &self,
        caller: Admitted<MaySend>,
        /// Names the send, so that it can be sent again when its answer was lost: as a string of RFC 9651, or bare.
        /// For 24 hours the same key and body from the same principal give the first 201 again, and store nothing;
        /// with another body it is a 422. What was answered otherwise leaves the key free.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: Body<SendRequest>,
    ) -> poem::Result<Headed<Answer<SendResponse, 201>>> {
        let (context, Body(draft, bytes)) = (&caller.context, body);
        let (snapshot, now, sending) = (context.snapshot(), context.now(), &caller.services.sending);
        context
            .reserve_answer(bytes.len().min(snapshot.limits.notification_bytes()) + A_RESULT)
            .map_err(Failure)?;
        let once = key.0.as_ref().map(|key| Once {
            key: &key.0,
            body: &bytes,
            keep: ANSWER_LIFETIME,
            answer: render::sent,
        });
        let sent = sending
            .send(snapshot, &caller.principal, draft, now, context.request_id(), once)
            .await
            .map_err(Failure)?;
        let (text, replayed) = match sent {
            Sent::Now(sealed, stored, warnings) => (render::sent(&sealed, stored, &warnings), false),
            Sent::Before(text) => (text, true),
        };
        let replayed = replayed.then_some(HeaderValue::from_static("true"));
        Ok(Headed::new(Answer::new(text), "idempotency-replayed", replayed))
    }
}

impl FromBody for SendRequest {
    /// What is wrong with it is told only where it repeats nothing.
    type Output = Result<ReadDraft>;

    fn from_body(body: &[u8], limits: &Limits) -> Result<Self::Output> {
        Ok(read_send(None, body, limits, None))
    }
}

/// The fields of a send.
pub const FIELDS: [&str; 8] =
    ["user_id", "type", "title", "message", "link", "metadata", "related_ticket_id", "related_user_id"];

/// Reads a draft as a send takes it. `default_kind` stands in for a `type` that is left out.
///
/// # Errors
/// That the body is malformed, or all that is wrong with its fields.
pub fn read_draft(body: &[u8], limits: &Limits, default_kind: Option<&str>) -> Result<Draft> {
    read_send(None, body, limits, default_kind)?.whole()
}

/// The same of what goes to this user whatever the body says. The faults of its fields stand beside it: first what must
/// be there and is not, then each field in the contract's order.
pub fn read_send(
    user: Option<i64>,
    body: &[u8],
    limits: &Limits,
    default_kind: Option<&str>,
) -> Result<ReadDraft> {
    let (mut user_id, mut kind, mut title, mut message) = (None, None, None, None);
    let (mut link, mut metadata, mut ticket, mut cause) = (None, None, None, None);
    let mut unknown = Problems::default();
    json::read_object(body, |name, value| {
        let field = match name {
            "user_id" => &mut user_id,
            "type" => &mut kind,
            "title" => &mut title,
            "message" => &mut message,
            "link" => &mut link,
            "metadata" => &mut metadata,
            "related_ticket_id" => &mut ticket,
            "related_user_id" => &mut cause,
            // Senders may send more than the contract names, and hear of it.
            _ => return unknown.push(Problem { advisory: true, ..json::unknown(name, &FIELDS) }),
        };
        *field = json::present(value);
    })?;
    let mut faults = Faults::default();
    faults.require("user_id", user.is_some() || user_id.is_some());
    faults.require("type", kind.is_some() || default_kind.is_some());
    title = title.filter(|t| !json::is_blank(t));
    faults.require("title", title.is_some());
    let draft = Draft {
        user_id: user.or_else(|| faults.pass(json::id("user_id", user_id))).unwrap_or_default(),
        kind: faults
            .pass(json::string("type", kind, 64))
            .or(default_kind.map(str::to_owned))
            .unwrap_or_default(),
        title: faults.pass(json::string("title", title, limits.title)).unwrap_or_default(),
        message: faults.pass(json::string("message", message, limits.message)),
        link: faults.pass(json::string("link", link, limits.link)),
        metadata: faults.pass(read_metadata(metadata, limits)),
        related_ticket_id: faults.pass(json::id("related_ticket_id", ticket)),
        related_user_id: faults.pass(json::id("related_user_id", cause)),
        ..Draft::default()
    };
    Ok(ReadDraft { draft, problems: faults.into_vec(), unknown: unknown.into_vec() })
}

fn read_metadata(field: json::Field, limits: &Limits) -> Result<Option<Metadata>, Problem> {
    let Some(text) = field.map(serde_json::value::RawValue::get) else { return Ok(None) };
    let fault = |code, fault: String| Err(Problem::new("metadata", fault).coded(code));
    if !text.starts_with('{') {
        return Err(json::wrong_type("metadata", "must be an object"));
    }
    if text.len() > limits.metadata_bytes {
        return fault(ProblemCode::TooLarge, format!("must be at most {} bytes", limits.metadata_bytes));
    }
    let metadata = Metadata::from_checked(text.to_owned());
    limits.too_deep(&metadata).map_or(Ok(Some(metadata)), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Draft, String> {
        read_draft(body.as_bytes(), &Limits::default(), None).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_missing_comes_before_what_is_wrong() {
        for (body, fault) in [
            (r#"{"type":5,"title":7}"#, "user_id is required"),
            (r#"{"user_id":"x","title":"t"}"#, "type is required"),
            (r#"{"user_id":"x","type":"custom","title":" \n\u00a0"}"#, "title is required"),
            (r#"{"user_id":"x","type":"custom","title":null}"#, "title is required"),
            (r#"{"user_id":"x","type":7,"title":"t"}"#, "user_id must be an integer"),
            (r#"{"user_id":1,"type":7,"title":8}"#, "type must be a string"),
            (r#"{"user_id":1,"type":"custom","title":8}"#, "title must be a string"),
            (r#"{"user_id":1,"type":"custom","title":"t","metadata":[]}"#, "metadata must be an object"),
            (r#"{"user_id":1,"type":"custom","title":"t","link":1,"message":2}"#, "message must be a string"),
        ] {
            assert_eq!(read(body).map(|_| ()), Err(fault.to_owned()), "{body}");
        }
    }

    #[test]
    fn every_fault_is_told_once() {
        let body = r#"{"user_id":0,"title":" ","message":1,"metadata":[],"related_user_id":"x"}"#;
        let error = read_draft(body.as_bytes(), &Limits::default(), None).expect_err("faults");
        let found: Vec<_> = error.problems().iter().map(|p| (p.pointer.as_str(), p.code)).collect();
        let (required, wrong_type) = (ProblemCode::Required, ProblemCode::WrongType);
        let wanted = [
            ("/type", required),
            ("/title", required),
            ("/user_id", ProblemCode::OutOfRange),
            ("/message", wrong_type),
            ("/metadata", wrong_type),
            ("/related_user_id", wrong_type),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn metadata_is_bounded_in_size_and_depth() {
        let body =
            |metadata: &str| format!(r#"{{"user_id":1,"type":"custom","title":"t","metadata":{metadata}}}"#);
        let nested =
            |levels: usize| format!("{}{{}}{}", r#"{"a":"#.repeat(levels - 1), "}".repeat(levels - 1));
        assert!(read(&body(&nested(32))).is_ok());
        assert_eq!(read(&body(&nested(33))), Err("metadata must nest at most 32 levels deep".into()));
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(16 * 1024));
        assert_eq!(read(&body(&large)), Err("metadata must be at most 16384 bytes".into()));
    }

    #[test]
    fn unknown_fields_and_nulls_are_passed_over() {
        let draft = read(r#"{"user_id":1,"type":"custom","title":"t","link":null,"extra":{"a":1}}"#);
        assert_eq!(draft.expect("a draft").link, None);
    }
}
