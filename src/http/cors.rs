//! Lets pages of other origins in (CORS), as far as the tenants' settings go.
//!
//! A preflight carries no credential, so it is answered for every origin that some tenant allows. An answer is shown to
//! a page of its caller's tenant; one that nobody was admitted for tells of no tenant, and is shown to all of them: so
//! that a page can tell a token that has expired from a network that is down.

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};

use super::{context::Context, routes::Route};

/// What a page may send. Not `X-API-KEY`: a key has no place in a browser.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id";
/// What a page may read besides the body, its type and its length.
const ANSWER_HEADERS: &str = "Idempotency-Replayed, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, \
                              X-Event-Id, X-Inbox, X-Request-Id, X-Restorable-For";

/// The answer to a preflight from an origin that some tenant allows, about a path that there is.
pub fn preflight(request: &Request, context: &Context, route: Option<&Route>) -> Option<Response> {
    if request.method() != Method::OPTIONS {
        return None;
    }
    request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let origin = request.headers().get(header::ORIGIN)?.to_str().ok()?;
    let max_age = context.snapshot().origins.get(origin)?.as_secs();
    let answer = Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, route?.allow())
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS)
        .header(header::ACCESS_CONTROL_MAX_AGE, max_age);
    Some(answer.finish())
}

/// The origin of a request that must be told whether its page may see the answer.
pub fn origin(headers: &HeaderMap, context: &Context) -> Option<HeaderValue> {
    if context.snapshot().origins.is_empty() { None } else { headers.get(header::ORIGIN).cloned() }
}

/// Says whether a page of this origin may see the answer.
pub fn show(answer: &mut Response, origin: Option<HeaderValue>, context: &Context) {
    if context.snapshot().origins.is_empty() {
        return;
    }
    let headers = answer.headers_mut();
    // Whoever keeps the answer must not give it to a page of another origin.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin.filter(|origin| origin.to_str().is_ok_and(|text| context.allows(text))) else {
        return;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let exposed: HeaderName = header::ACCESS_CONTROL_EXPOSE_HEADERS;
    headers.insert(exposed, HeaderValue::from_static(ANSWER_HEADERS));
}
