//! Every failure as the contract's body: the one place where errors become HTTP.

mod body;
#[cfg(test)]
mod tests;

use poem::{
    Response,
    error::{MethodNotAllowedError, NotFoundError, ReadBodyError, ResponseError},
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use poem_openapi::error::{ParseParamError, ParsePathError, ParseRequestPayloadError};
use serde_json::Value;

pub use self::body::{CODES_PATH, Part};
use super::{accept, memory};
use crate::domain::{AuthFailure, Code, Error};

/// A use case's error on its way through the framework.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Failure(#[from] pub Error);

impl ResponseError for Failure {
    fn status(&self) -> StatusCode {
        status(self.0.code())
    }
}

/// A body of another media type than this one, which the operation takes.
#[derive(Debug, thiserror::Error)]
#[error("Content-Type must be {0}")]
pub struct WrongContentType(pub &'static str);

impl ResponseError for WrongContentType {
    fn status(&self) -> StatusCode {
        status(Code::UnsupportedMediaType)
    }
}

/// A query parameter that its operation does not take, or not so often.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub struct QueryFault {
    /// Its name, shortened.
    pub parameter: String,
    /// What is wrong with it, in a clause that starts with its name.
    pub reason: String,
}

impl ResponseError for QueryFault {
    fn status(&self) -> StatusCode {
        status(Code::InvalidParameter)
    }
}

/// A body that is not there in time.
#[derive(Debug, thiserror::Error)]
#[error("The body took too long to come")]
pub struct TooSlow;

impl ResponseError for TooSlow {
    fn status(&self) -> StatusCode {
        status(Code::UnreadableBody)
    }
}

/// A batch that was to be stored whole and was not stored at all.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct BatchRefused {
    /// Why.
    pub reason: String,
    /// What became of each item.
    pub results: Value,
}

impl ResponseError for BatchRefused {
    fn status(&self) -> StatusCode {
        status(Code::BatchRefused)
    }
}

/// The status of what is called so.
fn status(code: Code) -> StatusCode {
    match code {
        Code::InvalidRequest
        | Code::InvalidParameter
        | Code::InvalidFields
        | Code::NotificationRefused
        | Code::BatchRefused
        | Code::EventsRefused
        | Code::MalformedBody
        | Code::UnreadableBody => StatusCode::BAD_REQUEST,
        Code::AuthenticationRequired
        | Code::InvalidApiKey
        | Code::InvalidToken
        | Code::ExpiredToken
        | Code::InvalidSignature
        | Code::StaleSignature
        | Code::UserTokenRequired => StatusCode::UNAUTHORIZED,
        Code::PermissionRequired | Code::TypeNotAllowed => StatusCode::FORBIDDEN,
        Code::NoSuchPath | Code::UserNotFound | Code::NotificationNotFound | Code::HookNotFound => {
            StatusCode::NOT_FOUND
        }
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Withheld => StatusCode::FAILED_DEPENDENCY,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited | Code::TooManyStreams => StatusCode::TOO_MANY_REQUESTS,
        Code::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Busy | Code::KeysUnavailable | Code::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What a caller is told of a failure, in whatever form: what it is called, its status, one sentence, all that is wrong
/// with the request, and the headers that go with it.
struct Told {
    code: Code,
    status: StatusCode,
    reason: String,
    problems: Vec<body::Item>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
    /// Of a batch, what became of each item.
    results: Option<Value>,
}

impl Told {
    fn new(code: Code, reason: impl Into<String>) -> Self {
        let (problems, headers) = (Vec::new(), Vec::new());
        Self { code, status: status(code), reason: reason.into(), problems, headers, results: None }
    }

    /// The gateway's own fault, of which nothing is told.
    fn nothing() -> Self {
        Self::new(Code::InternalError, "Internal server error")
    }

    fn with(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Who is told of a failure.
pub struct Asker<'a> {
    request_id: &'a str,
    wants_details: bool,
}

impl<'a> Asker<'a> {
    /// Whoever made a request with these headers and this id.
    pub fn of(headers: &HeaderMap, request_id: &'a str) -> Self {
        Self { request_id, wants_details: accept::asks_for_problem(headers) }
    }

    /// The answer to any error that leaves the framework. `allowed` lists the methods of the path, for a 405; without
    /// them there is no such path, whatever the framework's router says.
    pub fn failed(&self, error: &poem::Error, allowed: Option<&str>) -> Response {
        self.answer(told(error, self.request_id, allowed))
    }

    /// The answer to a panic, which has been logged.
    pub fn panicked(&self) -> Response {
        self.answer(Told::nothing())
    }

    fn answer(&self, told: Told) -> Response {
        let (media_type, body) = match self.wants_details {
            true => (accept::PROBLEM, body::details(&told, self.request_id)),
            false => (accept::JSON, body::contract(&told)),
        };
        let length = body.len();
        let response = Response::builder().status(told.status).content_type(media_type).body(body);
        let mut response = memory::counted(response, length);
        response.headers_mut().extend(told.headers);
        // Whoever keeps the answer must not give it to those who ask for the other form.
        response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
        response
    }
}

/// What a caller is told of one part of a request that failed while others did not.
pub fn of_part(failure: &Error, request_id: &str) -> Part {
    of_failure(failure, request_id).into()
}

/// The same of a part that is good, where another failed and all or none were to be stored.
pub fn withheld() -> Part {
    Told::new(Code::Withheld, "Not stored, as another item cannot be").into()
}

fn told(error: &poem::Error, request_id: &str, allowed: Option<&str>) -> Told {
    if let Some(Failure(failure)) = error.downcast_ref() {
        return of_failure(failure, request_id);
    }
    if let Some(BatchRefused { reason, results }) = error.downcast_ref() {
        return Told { results: Some(results.clone()), ..Told::new(Code::BatchRefused, reason) };
    }
    if error.is::<NotFoundError>() || error.is::<MethodNotAllowedError>() {
        let Some(allowed) = allowed.filter(|_| error.is::<MethodNotAllowedError>()) else {
            return Told::new(Code::NoSuchPath, "No such path");
        };
        let told = Told::new(Code::MethodNotAllowed, format!("Method not allowed; use {allowed}"));
        return match HeaderValue::from_str(allowed) {
            Ok(value) => told.with(header::ALLOW, value),
            Err(_) => told,
        };
    }
    if let Some(e) = error.downcast_ref::<WrongContentType>() {
        return Told::new(Code::UnsupportedMediaType, e.to_string());
    }
    if let Some(e) = error.downcast_ref::<ParseParamError>() {
        let reason = format!("{} {}", e.name, clause(&e.reason));
        let problems = vec![body::Item::of_parameter(e.name, &reason)];
        return Told { problems, ..Told::new(Code::InvalidParameter, reason) };
    }
    if let Some(e) = error.downcast_ref::<QueryFault>() {
        let problems = vec![body::Item::of_parameter(&e.parameter, &e.reason)];
        return Told { problems, ..Told::new(Code::InvalidParameter, e.reason.clone()) };
    }
    if error.is::<ParsePathError>() {
        // The framework knows path parameters by number only.
        let reason = "The id in the path must be between 1 and 9007199254740991";
        return Told::new(Code::InvalidParameter, reason);
    }
    if let Some(e) = error.downcast_ref::<ParseRequestPayloadError>() {
        return Told::new(Code::MalformedBody, e.reason.clone());
    }
    if let Some(e) = error.downcast_ref::<TooSlow>() {
        return Told::new(Code::UnreadableBody, e.to_string());
    }
    if let Some(e) = error.downcast_ref::<ReadBodyError>() {
        return match e {
            ReadBodyError::PayloadTooLarge => Told::new(Code::BodyTooLarge, "The body is too large"),
            _ => Told::new(Code::UnreadableBody, "The body could not be read"),
        };
    }
    let status = error.status();
    if status.is_server_error() {
        tracing::error!(request_id, error = %error, "a request failed");
        return Told::nothing();
    }
    let reason = status.canonical_reason().unwrap_or("The request was refused");
    Told { status, ..Told::new(Code::InvalidRequest, reason) }
}

fn of_failure(failure: &Error, request_id: &str) -> Told {
    let problems = failure.problems().iter().map(body::Item::from).collect();
    let told = || Told { problems, ..Told::new(failure.code(), failure.to_string()) };
    match failure {
        Error::Internal(fault) => {
            tracing::error!(request_id, error = %fault, "a request failed");
            Told::nothing()
        }
        Error::Unauthenticated(why) => told().with(header::WWW_AUTHENTICATE, challenge(*why)),
        Error::RateLimited { retry_after }
        | Error::TooManyStreams { retry_after }
        | Error::Busy { retry_after }
        | Error::KeysUnavailable { retry_after }
        | Error::Unresolved { retry_after } => {
            let seconds = retry_after.as_secs_f64().ceil().max(1.0) as u64;
            told().with(header::RETRY_AFTER, HeaderValue::from(seconds))
        }
        _ => told(),
    }
}

/// How to authenticate instead, as RFC 9110 wants it beside every 401.
fn challenge(why: AuthFailure) -> HeaderValue {
    HeaderValue::from_static(match why {
        AuthFailure::InvalidKey => "ApiKey",
        AuthFailure::Missing => "Bearer, ApiKey",
        AuthFailure::UserRequired => "Bearer",
        AuthFailure::InvalidSignature | AuthFailure::StaleSignature => "Signature",
        AuthFailure::InvalidToken | AuthFailure::RevokedToken => r#"Bearer error="invalid_token""#,
        AuthFailure::ExpiredToken => r#"Bearer error="invalid_token", error_description="expired""#,
    })
}

/// What a parameter's own check says (`must be true or false`), out of the framework's words around it.
fn clause(reason: &str) -> &str {
    let own = reason.split_once("\": ").map_or(reason, |(_, own)| own);
    let own = own.split_once(" (occurred while parsing").map_or(own, |(own, _)| own);
    if own.starts_with("must ") { own } else { "is not valid" }
}
