//! The outermost middleware: every request passes it first and last.
//!
//! It takes the one snapshot of the request, gives it an id, turns every failure into the
//! contract's body, a panic too, adds the headers that every answer has, and reports the request.

use std::{borrow::Cow, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use poem::{
    Endpoint, Request, Response,
    http::{HeaderName, HeaderValue, Method, Uri, header::CACHE_CONTROL},
};
use url::form_urlencoded;

use super::{
    context::Context,
    cors, dry_run,
    error::{Asker, Failure},
    memory::{self, Charge},
    query,
    routes::{Route, Routes},
    send_batch,
    services::Services,
};
use crate::limit::LimitStatus;

const SEND: &str = "/crm/notification/send";
/// The parameter of a query that makes a send a dry run.
const DRY_RUN: &str = "dry_run";

/// Wraps the whole public listener.
pub struct Entry<E> {
    api: E,
    services: Arc<Services>,
    routes: Routes,
}

impl<E: Endpoint<Output = Response>> Entry<E> {
    /// Wraps an endpoint that serves these routes, but for the pages, which serve themselves.
    pub fn new(api: E, services: Arc<Services>, routes: Routes) -> Self {
        Self { api, services, routes }
    }

    /// The answer of the page or the API, or a failure's.
    async fn answer(&self, request: Request, route: Option<&Route>, context: &Context) -> Response {
        let asker = Asker::of(request.headers(), context.request_id());
        let called = async {
            match route.and_then(Route::page) {
                Some(page) => page.call(request).await,
                None => self.api.call(request).await,
            }
        };
        match AssertUnwindSafe(called).catch_unwind().await {
            Ok(Ok(answer)) => answer,
            Ok(Err(failure)) => asker.failed(&failure, route.map(Route::allow)),
            Err(_panic) => {
                tracing::error!(request_id = context.request_id(), "a request panicked");
                asker.panicked()
            }
        }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Entry<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let context = Context::start(&self.services, &request);
        without_trailing_slash(&mut request);
        dry_run_by_query(&mut request);
        request.extensions_mut().insert(context.clone());
        let method = method_label(request.method());
        let route = self.routes.find(request.uri().path());
        check_query(&mut request, route);

        let origin = cors::origin(request.headers(), &context);
        let mut answer = match cors::preflight(&request, &context, route) {
            Some(answer) => answer,
            None => {
                let safe = matches!(*request.method(), Method::GET | Method::HEAD);
                let asker = Asker::of(request.headers(), context.request_id());
                charged(self.answer(request, route, &context).await, safe, &context, &asker)
            }
        };

        if let Some(limit) = context.limit() {
            if limit.retry_after.is_some() {
                self.services.metrics.limit_denials.with_label_values(&[limit.quota]).inc();
            }
            add_limit_headers(&mut answer, &limit);
        }
        if let Ok(value) = HeaderValue::from_str(context.request_id()) {
            answer.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
        }
        if let Some((tenant, user)) = context.inbox().filter(|_| answer.status().is_success())
            && let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(format!("{tenant}/{user}")))
        {
            answer.headers_mut().insert(HeaderName::from_static("x-inbox"), value);
        }
        cors::show(&mut answer, origin, &context);
        // What answers one caller is nobody else's, errors included; pages say for themselves how they are kept.
        answer.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        let route = route.map_or("other", Route::pattern);
        self.services.metrics.request(route, method, answer.status().as_str(), started.elapsed());
        Ok(answer)
    }
}

/// Charges an answer to its caller until it is written. One that tells only what is there is refused where there is no
/// memory for it; what made a change reserved before.
fn charged(mut answer: Response, safe: bool, context: &Context, asker: &Asker<'_>) -> Response {
    let Some(length) = memory::length(&answer) else { return answer };
    let reserved = context.reserved_answer();
    let mut reservation = reserved.unwrap_or_else(|| context.reservation());
    if !safe {
        reservation.settle(length);
    } else if let Err(busy) = reservation.reserve(length) {
        return asker.failed(&Failure(busy).into(), None);
    }
    answer.extensions_mut().insert(Charge::new(reservation));
    answer
}

/// Both forms of a path are served: the contract lists an inbox with a slash at its end.
fn without_trailing_slash(request: &mut Request) {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || trimmed.is_empty() {
        return;
    }
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    if let Ok(uri) = target.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
}

/// Leaves a fault of the query in the request's extensions, for [`super::admit`] to tell once the caller is admitted.
fn check_query(request: &mut Request, route: Option<&Route>) {
    let Some(query) = request.uri().query() else { return };
    let Some(known) = route.and_then(|route| route.query_of(request.method())) else { return };
    let takes_dry_run = matches!(request.uri().path(), SEND | dry_run::PATH);
    let checked = if takes_dry_run {
        query::check(query, &[known, &[DRY_RUN.to_owned()]].concat())
    } else {
        query::check(query, known)
    };
    if let Err(fault) = checked {
        request.extensions_mut().insert(fault);
    }
}

/// `/send?dry_run=true`, for the end of a command line, is `/send/dry-run`; so is what was meant as that, since a send
/// cannot be taken back. It is no parameter of the document's: an operation there has one good answer.
fn dry_run_by_query(request: &mut Request) {
    let dry_run = match request.uri().path() {
        SEND => dry_run::PATH,
        // There is none of a batch: a path that is not there.
        send_batch::PATH => send_batch::NO_DRY_RUN,
        _ => return,
    };
    let query = request.uri().query().unwrap_or_default();
    let asks = |(name, value): (Cow<str>, Cow<str>)| name == DRY_RUN && value != "false";
    if form_urlencoded::parse(query.as_bytes()).any(asks)
        && let Ok(uri) = format!("{dry_run}?{query}").parse()
    {
        *request.uri_mut() = uri;
    }
}

/// A closed list: anyone can invent a method.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

/// `RateLimit-Policy` and `RateLimit`, as the IETF draft on rate limit headers has them.
fn add_limit_headers(answer: &mut Response, limit: &LimitStatus) {
    let policy = format!(r#""{}";q={};w={}"#, limit.quota, limit.limit, limit.window().max(1));
    let state = format!(r#""{}";r={};t={}"#, limit.quota, limit.remaining, limit.reset);
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        // Taken over as it is, with no copy.
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
            answer.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use poem::{EndpointExt, endpoint::make, http::StatusCode};

    use super::*;
    use crate::http::services::fixture;

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_nothing_in_either_form() {
        let folder = tempfile::tempdir().unwrap();
        let services = fixture(folder.path()).await;
        let inner = make(|_: Request| async {
            if true {
                panic!("the secret of the panic");
            }
        });
        let entry = Entry::new(inner.map_to_response(), services, Routes::new(&serde_json::Value::Null, []));
        for (accept, wanted) in [
            ("*/*", r#"{"result":"Failed","reason":"Internal server error"}"#),
            ("application/problem+json", r#""detail":"Internal server error","code":"internal_error""#),
        ] {
            let request = Request::builder().header("accept", accept).finish();
            let mut answer = entry.call(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert!(answer.headers().contains_key("x-request-id"));
            let body = answer.take_body().into_string().await.unwrap();
            assert!(body.contains(wanted) && !body.contains("secret"), "{body}");
        }
    }
}
