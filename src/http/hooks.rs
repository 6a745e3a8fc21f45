//! `POST /crm/notification/hooks/{hook_id}`: admit, read, map, send, respond.

use std::fmt::Write;

use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, OpenApi,
    param::Path,
    registry::{MetaSchema, MetaSchemaRef, MetaSecurityScheme, Registry},
};
use serde_json::Value;

use super::{
    Tag, admit,
    admit::NO_SCHEME,
    answer::Answer,
    body::{Body, FromBody},
    context::{Context, Forwarding, Pending, presented},
    error::Failure,
    json,
    params::HookId,
    shape::shape,
    wire::HookResponse,
};
use crate::{
    admit::{Admitted, Knock, knock, overloaded},
    auth::Shown,
    domain::{Error, Limits, Result},
    registry,
    send::Received,
    snapshot::Count,
};

/// Maximum number of notifications that one delivery comes to.
const MAX_NOTIFICATIONS: usize = 500;

/// Receiving from senders that cannot speak the API.
pub struct HooksApi;

#[OpenApi(prefix_path = "/crm/notification")]
impl HooksApi {
    /// Receive an event
    ///
    /// For senders that cannot speak this API, such as a monitoring system or a payment provider: the hook's
    /// configuration says how the sender proves itself (a token, or a signature over the body), and how its events
    /// become notifications. An event that comes again stores nothing twice where it has an id. What the hook has no
    /// rule for is counted as ignored. Where some of the events cannot be stored the others are, and the answer is
    /// an error: the sender can bring all of them again.
    ///
    /// Each notification costs one request of the hook's rate limit; where it has not as many, nothing is stored. A
    /// delivery comes to 500 at most, or as many as the limit lets pass at once, with summaries in place of the rest.
    #[oai(path = "/hooks/:hook_id", method = "post", operation_id = "receiveEvent", tag = "Tag::Sending")]
    async fn receive(
        &self,
        caller: AtTheDoor,
        /// The hook, as the configuration names it.
        hook_id: Path<HookId>,
        body: Body<Event>,
    ) -> poem::Result<Answer<HookResponse>> {
        // The door was chosen by it.
        let _ = hook_id;
        let AtTheDoor { context, knock, headers, admitted } = caller;
        let Body((), bytes) = body;
        let (snapshot, now) = (context.snapshot(), context.now());
        let client = knock.client();
        let entered = knock
            .enter(snapshot, &bytes, now)
            .map_err(|refusal| admit::refused(&context, refusal, || client))?;
        if let Some(admitted) = &entered {
            admit::note(&context, admitted);
            context.move_body_to_tenant().map_err(Failure)?;
        }
        let account = admitted.or(entered).map(|admitted| admitted.account);
        let account = account.ok_or(Failure(Error::Internal("a sender that nothing admitted".into())))?;
        let hook = &*knock.hook;
        let works =
            hook.works.as_ref().ok_or(Failure(Error::Internal("a hook that does not work".into())))?;
        let event = read_event(&bytes).map_err(Failure)?;
        let names = works.mapping.headers.iter().map(String::as_str);
        let headers = names.zip(headers).filter_map(|(name, value)| Some((name, value?))).collect();
        let request = registry::Request { body: &bytes, event, headers };
        let mapped = works.mapping.map(request, &works.reception, &snapshot.limits);
        let sending = &context.services().sending;
        let most = MAX_NOTIFICATIONS.min(account.burst(snapshot) as usize);
        let spend = |notifications: usize| {
            let Ok(Some(limit)) = account.spend(snapshot, notifications) else { return Ok(()) };
            context.note_limit(limit);
            let Some(retry_after) = limit.retry_after else { return Ok(()) };
            hook.tally.add(Count::Failed, notifications as u64);
            Err(overloaded(works, retry_after))
        };
        let received = sending.receive(snapshot, hook, mapped, now, context.request_id(), most, spend).await;
        Ok(Answer::new(answer(&received.map_err(Failure)?)))
    }
}

/// A sender whose head was looked at. Stands first among the handler's arguments.
struct AtTheDoor {
    context: Context,
    knock: Knock,
    /// The headers that the mapping reads, in its order.
    headers: Vec<Option<String>>,
    /// The verdict, where the head alone gave it.
    admitted: Option<Admitted>,
}

impl<'a> ApiExtractor<'a> for AtTheDoor {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        for (name, header, description) in SCHEMES {
            registry.create_security_scheme(
                name,
                MetaSecurityScheme {
                    ty: "apiKey",
                    description: Some(description),
                    name: Some(header),
                    key_in: Some("header"),
                    ..NO_SCHEME
                },
            );
        }
    }

    fn security_schemes() -> Vec<&'static str> {
        SCHEMES.iter().map(|(name, ..)| *name).collect()
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let context = Context::of(request).map_err(Failure)?.clone();
        let forwarding = Forwarding::of(request.headers());
        let presented = presented(request, &forwarding, context.snapshot());
        let signatures =
            Shown { stripe: one(request, STRIPE), github: one(request, GITHUB), ..Shown::default() };
        // The framework knows path parameters by number only.
        let id = request.uri().path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let (knock, admitted) = knock(context.snapshot(), id, &presented, signatures, context.now())
            .map_err(|refusal| admit::refused(&context, refusal, || admit::client(&context, &presented)))?;
        admitted.iter().for_each(|admitted| admit::note(&context, admitted));
        let snapshot = context.snapshot();
        let most =
            knock.hook.body_bytes.unwrap_or(snapshot.limits.body_bytes).min(snapshot.limits.body_bytes);
        context.bound_body(most);
        if admitted.is_none() {
            let (client, hook) = (knock.client(), knock.hook.id.as_str().into());
            let suspect = snapshot.limiters.is_suspect(client);
            context.note_pending(Pending { hook, client, suspect, most });
        }
        let mapping = knock.hook.works.as_ref().map(|works| &works.mapping);
        let names = mapping.iter().flat_map(|mapping| &mapping.headers);
        let headers = names.map(|name| one(request, name).map(str::to_owned)).collect();
        Ok(Self { context, knock, headers, admitted })
    }
}

const STRIPE: &str = "Stripe-Signature";
const GITHUB: &str = "X-Hub-Signature-256";
/// The ways in which a hook's sender may prove itself: names in the document, headers and what stands there. All are keys
/// there: of two schemes with bearers, clients for Java take any for `setBearerToken`.
const SCHEMES: [(&str, &str, &str); 3] = [
    (
        "HookToken",
        "Authorization",
        "`Bearer SECRET`, the hook's secret as it is; also behind `ApiKey` or as the password of `Basic`, or in `X-API-KEY`.",
    ),
    ("StripeSignature", STRIPE, "`t=SECONDS,v1=HEX`: HMAC with SHA-256 over the time, a point and the body."),
    ("HubSignature", GITHUB, "`sha256=HEX`: HMAC with SHA-256 over the body."),
];

/// A header that stands there once. Twice, it could be read in two ways, and reads as what nothing signs.
fn one<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let mut lines = request.headers().get_all(name).iter();
    let first = lines.next()?;
    Some(if lines.next().is_some() { "" } else { first.to_str().unwrap_or_default() })
}

shape!(
    /// Any JSON object. It is read once its sender is proved.
    Event(()),
    "event",
    MetaSchema {
        additional_properties: Some(Box::new(MetaSchemaRef::Inline(Box::new(MetaSchema::ANY)))),
        ..MetaSchema::new("object")
    }
);

impl FromBody for Event {
    type Output = ();

    fn from_body(_: &[u8], _: &Limits) -> Result<()> {
        Ok(())
    }
}

/// Reads what a sender brings as strictly as any other body.
///
/// # Errors
/// That it is no JSON object, or could be read in two ways.
pub fn read_event(body: &[u8]) -> Result<Value> {
    json::read_object(body, |_, _| ())?;
    serde_json::from_slice(body).map_err(|e| Error::Invalid(format!("Malformed JSON: {e}")))
}

fn answer(received: &Received) -> String {
    let Received { stored, repeated, ignored, unknown, summarized } = received;
    let mut text = String::from(r#"{"result":"Success","message":"Received""#);
    let _ = write!(
        text,
        r#","stored":{stored},"repeated":{repeated},"ignored":{ignored},"unknown_recipients":{unknown}"#
    );
    if *summarized > 0 {
        let _ = write!(text, r#","summarized":{summarized}"#);
    }
    text.push('}');
    text
}
