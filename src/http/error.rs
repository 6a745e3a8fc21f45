//! Every failure as the contract's body: the one place where errors become HTTP.

use poem::{
    Response,
    error::{MethodNotAllowedError, NotFoundError, ReadBodyError, ResponseError},
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::error::{ParseParamError, ParsePathError, ParseRequestPayloadError};
use serde_json::{Value, json};

use crate::domain::{AuthFailure, Error};

/// A use case's error on its way through the framework.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Failure(#[from] pub Error);

impl ResponseError for Failure {
    fn status(&self) -> StatusCode {
        status(&self.0)
    }
}

/// A body of another media type than this one, which the operation takes.
#[derive(Debug, thiserror::Error)]
#[error("Content-Type must be {0}")]
pub struct WrongContentType(pub &'static str);

impl ResponseError for WrongContentType {
    fn status(&self) -> StatusCode {
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    }
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::RateLimited { .. } | Error::TooManyStreams { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Invalid(_) | Error::Refused(_) => StatusCode::BAD_REQUEST,
        Error::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Error::UserNotFound(_) | Error::NotificationNotFound(_) | Error::HookNotFound => {
            StatusCode::NOT_FOUND
        }
        Error::Busy { .. } | Error::Unresolved { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
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
        StatusCode::BAD_REQUEST
    }
}

/// What a caller is told of a failure: the status, one sentence, and the headers that go with it.
struct Told {
    status: StatusCode,
    reason: String,
    headers: Vec<(header::HeaderName, HeaderValue)>,
    /// Of a batch, what became of each item.
    results: Option<Value>,
}

impl Told {
    fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), headers: Vec::new(), results: None }
    }
}

/// Maps any error that leaves the framework. `allowed` lists the methods of the path, for a 405; without them
/// there is no such path, whatever the framework's router says.
pub fn response(error: &poem::Error, request_id: &str, allowed: Option<&str>) -> Response {
    let told = told(error, request_id, allowed);
    let body = match told.results {
        _ if told.status == StatusCode::UNAUTHORIZED => json!({ "message": told.reason }),
        None => json!({ "result": "Failed", "reason": told.reason }),
        Some(results) => json!({ "result": "Failed", "reason": told.reason, "results": results }),
    };
    let mut response =
        Response::builder().status(told.status).content_type("application/json").body(body.to_string());
    response.headers_mut().extend(told.headers);
    response
}

/// What a caller is told of one part of a request that failed while others did not.
pub fn of_part(failure: &Error, request_id: &str) -> (StatusCode, String) {
    let Told { status, reason, .. } = of_failure(failure, request_id);
    (status, reason)
}

/// The answer to a panic, which has been logged.
pub fn panicked() -> Response {
    Response::builder()
        .status(StatusCode::INTERNAL_SERVER_ERROR)
        .content_type("application/json")
        .body(r#"{"result":"Failed","reason":"Internal server error"}"#)
}

fn told(error: &poem::Error, request_id: &str, allowed: Option<&str>) -> Told {
    if let Some(Failure(failure)) = error.downcast_ref() {
        return of_failure(failure, request_id);
    }
    if let Some(BatchRefused { reason, results }) = error.downcast_ref() {
        return Told { results: Some(results.clone()), ..Told::new(StatusCode::BAD_REQUEST, reason) };
    }
    if error.is::<NotFoundError>() || error.is::<MethodNotAllowedError>() {
        let Some(allowed) = allowed.filter(|_| error.is::<MethodNotAllowedError>()) else {
            return Told::new(StatusCode::NOT_FOUND, "No such path");
        };
        let mut told =
            Told::new(StatusCode::METHOD_NOT_ALLOWED, format!("Method not allowed; use {allowed}"));
        if let Ok(value) = HeaderValue::from_str(allowed) {
            told.headers.push((header::ALLOW, value));
        }
        return told;
    }
    if let Some(e) = error.downcast_ref::<WrongContentType>() {
        return Told::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, e.to_string());
    }
    if let Some(e) = error.downcast_ref::<ParseParamError>() {
        return Told::new(StatusCode::BAD_REQUEST, format!("{} {}", e.name, clause(&e.reason)));
    }
    if error.is::<poem::error::ParsePathError>() {
        return Told::new(StatusCode::BAD_REQUEST, "The path is not UTF-8");
    }
    if error.is::<ParsePathError>() {
        // The framework knows path parameters by number only.
        return Told::new(
            StatusCode::BAD_REQUEST,
            "The id in the path must be between 1 and 9007199254740991",
        );
    }
    if let Some(e) = error.downcast_ref::<ParseRequestPayloadError>() {
        return Told::new(StatusCode::BAD_REQUEST, e.reason.clone());
    }
    if let Some(e) = error.downcast_ref::<ReadBodyError>() {
        return match e {
            ReadBodyError::PayloadTooLarge => {
                Told::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large")
            }
            _ => Told::new(StatusCode::BAD_REQUEST, "The body could not be read"),
        };
    }
    let status = error.status();
    if status.is_server_error() {
        tracing::error!(request_id, error = %error, "a request failed");
        return Told::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error");
    }
    Told::new(status, status.canonical_reason().unwrap_or("The request was refused"))
}

fn of_failure(failure: &Error, request_id: &str) -> Told {
    let status = status(failure);
    match failure {
        Error::Internal(fault) => {
            tracing::error!(request_id, error = %fault, "a request failed");
            Told::new(status, "Internal server error")
        }
        Error::Unauthenticated(why) => {
            let mut told = Told::new(status, why.to_string());
            told.headers.push((header::WWW_AUTHENTICATE, challenge(*why)));
            told
        }
        Error::RateLimited { retry_after }
        | Error::TooManyStreams { retry_after }
        | Error::Busy { retry_after }
        | Error::Unresolved { retry_after } => {
            let seconds = retry_after.as_secs_f64().ceil().max(1.0) as u64;
            let mut told = Told::new(status, failure.to_string());
            told.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
            told
        }
        _ => Told::new(status, failure.to_string()),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{NotificationId, Permission, Problem, UserId};

    async fn told(error: Error) -> (u16, String, Response) {
        let mut response = response(&Failure(error).into(), "id", None);
        let body = response.take_body().into_string().await.unwrap();
        (response.status().as_u16(), body, response)
    }

    #[tokio::test]
    async fn every_error_has_its_status_and_the_contracts_body() {
        let problems = vec![Problem::new("link", "is bad"), Problem::new("title", "is \"odd\"")];
        let second = Duration::from_secs(1);
        for (error, status, body) in [
            (AuthFailure::InvalidKey.into(), 401, r#"{"message":"Invalid API key"}"#),
            (
                Error::lacks(Permission::UserErase),
                403,
                r#"{"result":"Failed","reason":"Permission user.erase is required"}"#,
            ),
            (
                Error::Invalid("title is required".into()),
                400,
                r#"{"result":"Failed","reason":"title is required"}"#,
            ),
            (
                Error::Refused(problems),
                400,
                r#"{"result":"Failed","reason":"link is bad; title is \"odd\""}"#,
            ),
            (
                Error::KeyReused,
                422,
                r#"{"result":"Failed","reason":"Idempotency-Key was used before with another body"}"#,
            ),
            (
                Error::UserNotFound(UserId::new(999).unwrap()),
                404,
                r#"{"result":"Failed","reason":"User 999 not found"}"#,
            ),
            (
                Error::NotificationNotFound(NotificationId::new(77).unwrap()),
                404,
                r#"{"result":"Failed","reason":"Notification 77 not found"}"#,
            ),
            (
                Error::RateLimited { retry_after: second },
                429,
                r#"{"result":"Failed","reason":"Rate limit exceeded; retry in 1 s"}"#,
            ),
            (
                Error::Busy { retry_after: second },
                503,
                r#"{"result":"Failed","reason":"The service is busy; try again"}"#,
            ),
        ] {
            let (found, text, response) = told(error).await;
            assert_eq!((found, text.as_str()), (status, body));
            assert_eq!(response.headers().contains_key("retry-after"), status == 429 || status == 503);
            assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
        }
    }

    #[tokio::test]
    async fn the_gateways_own_faults_say_nothing() {
        let (status, body, _) = told(Error::Internal("SELECT secret FROM /var/lib/x.db".into())).await;
        assert_eq!((status, body.as_str()), (500, r#"{"result":"Failed","reason":"Internal server error"}"#));
        let odd = poem::Error::from_string("disk /dev/sda1", StatusCode::INTERNAL_SERVER_ERROR);
        let body = response(&odd, "id", None).take_body().into_string().await.unwrap();
        assert_eq!(body, r#"{"result":"Failed","reason":"Internal server error"}"#);
    }
}
