//! The OpenAPI document: what the typed handlers give, finished where the framework cannot say it.
//!
//! The framework knows parameters, bodies and good answers. Errors and common headers are the same
//! mechanism for every operation (`entry`, `error`), so they are declared here, from one table.

mod examples;
mod finish;
mod problem;

use serde_json::{Map, Value, json};

use super::{
    accept,
    admit::{API_KEY, BEARER},
    service,
};
use crate::domain::{Code, Limits};

/// The whole document, with these limits in its schemas.
pub fn document(limits: &Limits) -> Value {
    // The framework wrote this JSON itself, so it parses.
    let mut document: Value = serde_json::from_str(&service().spec()).unwrap_or_default();
    document["openapi"] = "3.0.3".into();
    document["info"]["description"] =
        "Send notifications to users, and read them. Errors have one shape: `result` is `Failed` and `reason` \
         says why; a 401 has `message` instead. Whoever asks for `application/problem+json` by `Accept` gets problem \
         details (RFC 9457) with a stable `code` ([all of them](/crm/notification/docs/errors)) and all that is wrong \
         with the request. A query parameter that an operation does not take, or one that is there twice, is a 400, \
         except for hooks; so is an unknown field of a body, except in what is sent: there the answer's `warnings` name \
         it. Every answer carries `X-Request-Id`. A request that is not HTTP, \
         or whose line or headers are too long, is answered with an empty 400, 414 or 431."
            .into();
    document["info"]["contact"] = json!({"name": "The operator of this gateway"});
    document["info"]["license"] = json!({"name": "MIT", "url": "https://spdx.org/licenses/MIT.html"});
    finish::simplify(&mut document);
    document["servers"] = json!([{"url": "/", "description": "This gateway."}]);
    add_error_schemas(&mut document);
    add_headers(&mut document);
    for_each_operation(&mut document, |operation| {
        declare_errors(operation);
        declare_headers(operation);
    });
    finish::nullable_requests(&mut document);
    finish::lines(&mut document);
    finish::limits(&mut document, limits);
    finish::known_types(&mut document);
    finish::send(&mut document);
    finish::stream(&mut document);
    finish::deletions(&mut document);
    examples::add(&mut document);
    document
}

fn for_each_operation(document: &mut Value, mut each: impl FnMut(&mut Map<String, Value>)) {
    for path in document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        path.as_object_mut()
            .into_iter()
            .flat_map(Map::values_mut)
            .filter_map(Value::as_object_mut)
            .for_each(&mut each);
    }
}

/// Which errors an operation can give besides 500 and 503, which all can.
fn declare_errors(operation: &mut Map<String, Value>) {
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut statuses = vec![400, 401, 405, 429, 500, 503];
    let takes_body = operation.contains_key("requestBody");
    if takes_body {
        statuses.push(415);
    }
    if takes_body && id != "importUsers" {
        statuses.push(413);
    }
    let takes_keys = operation["security"].as_array().into_iter().flatten().any(|s| s.get(API_KEY).is_some());
    if (takes_keys && id != "listTypes") || id == "receiveEvent" {
        statuses.push(403);
    }
    let never_missing = [
        "sendBatch",
        "tryNotification",
        "listTypes",
        "listUsers",
        "importUsers",
        "putUser",
        "listSent",
        "withdrawNotifications",
        "listAudit",
    ];
    if !never_missing.contains(&id.as_str()) {
        statuses.push(404);
    }
    if id == "sendNotification" {
        statuses.push(422);
    }
    statuses.sort_unstable();
    for status in statuses {
        operation["responses"][status.to_string()] =
            json!({ "$ref": format!("#/components/responses/{}", name(status)) });
    }
}

const ERRORS: [(u16, &str, &str, &str, Code); 11] = [
    (
        400,
        "BadRequest",
        "The request says something that cannot be; the reason names the field.",
        "title is required",
        Code::InvalidFields,
    ),
    (401, "Unauthorized", "No valid credential.", "Invalid API key", Code::InvalidApiKey),
    (
        403,
        "Forbidden",
        "The credential may not do this.",
        "Permission notification.send is required",
        Code::PermissionRequired,
    ),
    (
        404,
        "NotFound",
        "The caller's tenant or inbox has no such thing.",
        "User 999 not found",
        Code::UserNotFound,
    ),
    (
        405,
        "MethodNotAllowed",
        "The path takes other methods.",
        "Method not allowed; use GET, HEAD",
        Code::MethodNotAllowed,
    ),
    (
        413,
        "PayloadTooLarge",
        "The body is larger than the gateway takes.",
        "The body is too large",
        Code::BodyTooLarge,
    ),
    (
        415,
        "UnsupportedMediaType",
        "The body is not of the declared type.",
        "Content-Type must be application/json",
        Code::UnsupportedMediaType,
    ),
    (
        422,
        "UnprocessableContent",
        "The Idempotency-Key was used before with another body; nothing was done.",
        "Idempotency-Key was used before with another body",
        Code::IdempotencyKeyReused,
    ),
    (
        429,
        "TooManyRequests",
        "A rate limit is exceeded, or too many streams are open; nothing was done.",
        "Rate limit exceeded; retry in 1 s",
        Code::RateLimited,
    ),
    (500, "InternalServerError", "The gateway's own fault.", "Internal server error", Code::InternalError),
    (
        503,
        "ServiceUnavailable",
        "The gateway is busy, or an issuer's keys cannot be fetched, and nothing was stored; or the store gave no answer in time, and it is not known whether \
         it was. Try a send again only with an Idempotency-Key, or after looking.",
        "The service is busy; try again",
        Code::Busy,
    ),
];

fn name(status: u16) -> &'static str {
    ERRORS.iter().find(|e| e.0 == status).map_or("", |e| e.1)
}

fn add_error_schemas(document: &mut Value) {
    let text = |description: &str| json!({"type": "string", "description": description});
    // One schema, though a 401 has another body than the rest: several generators take one type of error in an
    // operation, and in the others' clients one is the easier to read.
    document["components"]["schemas"]["ErrorBody"] = json!({
        "type": "object", "title": "ErrorBody",
        "description": "The body of every error: a 401 has `message`, any other `result` and `reason`. As \
                        `application/problem+json` it has the other fields instead.",
        "properties": {
            "result": text("Always `Failed`."),
            "reason": text("Why, in a sentence."),
            "message": text("Why the credential proves nobody."),
            "results": {
                "type": "array", "items": {"$ref": "#/components/schemas/BatchResult"},
                "description": "What became of each item, in their order: only of a batch that was to be stored whole.",
            },
        },
    });
    problem::add_schemas(&mut document["components"]["schemas"]);
    let schema = json!({"$ref": "#/components/schemas/ErrorBody"});
    for (status, name, description, reason, code) in ERRORS {
        let example = match status {
            401 => json!({"message": reason}),
            _ => json!({"result": "Failed", "reason": reason}),
        };
        let mut headers = json!({"X-Request-Id": header("RequestId"), "Vary": header("Vary")});
        // A wrong method is not counted; of the 401s those are that may have been guesses, of the 403s those that are no
        // matter of a permission.
        if status != 405 {
            headers["RateLimit"] = header("RateLimit");
            headers["RateLimit-Policy"] = header("RateLimitPolicy");
        }
        match status {
            401 => headers["WWW-Authenticate"] = header("Authenticate"),
            405 => headers["Allow"] = header("Allow"),
            429 | 503 => headers["Retry-After"] = header("RetryAfter"),
            _ => {}
        }
        document["components"]["responses"][name] = json!({
            "description": description,
            "headers": headers,
            "content": {
                accept::JSON: {"schema": schema, "example": example},
                accept::PROBLEM: {"schema": schema, "example": problem::example(status, code, reason)},
            },
        });
    }
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn add_headers(document: &mut Value) {
    let text = |description: &str, example: &str| json!({"description": description, "schema": {"type": "string"}, "example": example});
    document["components"]["headers"] = json!({
        "RequestId": text("The request's id, as the gateway's log has it; the caller's own when it sent one.", "9f2c4e7a1b3d5f6071829304"),
        "RateLimit": text("What is left of the limit that applies: `r` requests, `t` seconds until it is full again.", "\"key\";r=199;t=1"),
        "RateLimitPolicy": text("The limit that applies: `q` requests in `w` seconds.", "\"key\";q=200;w=2"),
        "Vary": text("An error has two forms, and `Accept` decides which.", "Accept"),
        "Allow": text("The methods that the path takes.", "GET, HEAD"),
        "IdempotencyReplayed": {"description": "`true` where the answer was given before, under the same Idempotency-Key; else absent.", "schema": {"type": "string", "enum": ["true"]}, "example": "true"},
        "EventId": text("The place in the inbox's history that the answer shows: a stream goes on from there when `Last-Event-ID` says so. Opaque.", "6f1c03d2a95e8b47.57"),
        "Inbox": text("Whose inbox the answer is about: the tenant and the user's id, whatever the token's claims are called.", "default/123"),
        "RestorableFor": {"description": "For how many seconds what was deleted can be restored; 0 where it cannot.", "schema": {"type": "integer", "minimum": 0}, "example": 30},
        "CacheControl": text("A stream is neither to be kept nor to be changed on its way.", "no-store, no-transform"),
        "AccelBuffering": {"description": "A proxy is not to hold back a stream.", "schema": {"type": "string", "enum": ["no"]}, "example": "no"},
        "Authenticate": text("How to authenticate instead.", "Bearer"),
        "RetryAfter": {"description": "Seconds to wait before trying again.", "schema": {"type": "integer", "minimum": 1}, "example": 1},
    });
}

/// The headers that every good answer has.
fn declare_headers(operation: &mut Map<String, Value>) {
    // Only operations on one's own inbox take nothing but a user's token.
    let is_inbox = operation.get("security") == Some(&json!([{ BEARER: [] }]));
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if status.starts_with('2') {
            response["description"] = if status == "201" { "Created." } else { "Done." }.into();
            response["headers"] = json!({
                "X-Request-Id": header("RequestId"),
                "RateLimit": header("RateLimit"),
                "RateLimit-Policy": header("RateLimitPolicy"),
            });
            if is_inbox {
                response["headers"]["X-Inbox"] = header("Inbox");
            }
        }
    }
}
