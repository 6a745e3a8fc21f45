//! Walks every operation of the OpenAPI document: who may not, who may, and what it answers, which must all
//! be declared. An operation without its cases fails.

mod cases;
mod document;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, header::HeaderMap};
use serde_json::Value;

use crate::support::{Answer, Api, Gateway, Token, api::ask, settings::*};
use cases::{CASES, Cases, Ground, Need, Request};
use schema::Schemas;

/// What any answer has, by HTTP itself.
const OF_HTTP: [&str; 6] =
    ["content-type", "content-length", "transfer-encoding", "date", "connection", "cache-control"];

const PROBLEM: &str = "application/problem+json";

/// Where nobody may ask twice in a second.
const MEAN: &str = r#"
roles: {directory: [user.erase]}
rate_limits: {per_user: {per_second: 1, burst: 1}, failed_auth: {per_second: 1000000}}
tenants:
  default:
    users: open
    hooks:
      walk: {mapping: generic, secrets: [{secret: secret-of-the-hook-of-the-walk-000001}], rate_limit: {per_second: 1, burst: 1}}
    issuers: [{algorithm: HS256, secret: signing-secret-of-the-default-tenant-0001}]
api_keys: {}
"#;

/// An operation of the document, and which of its statuses were answered.
struct Operation<'a> {
    id: &'a str,
    method: Method,
    path: &'a str,
    declared: &'a Value,
    schemas: &'a Schemas<'a>,
    seen: BTreeSet<String>,
}

#[tokio::test]
async fn every_operation_refuses_and_answers_as_it_declares() {
    let document = shared().get("/openapi.json").await.expect(200).json();
    let schemas = Schemas::of(&document);
    let mut operations: BTreeMap<&str, Operation> = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, declared) in methods.as_object().expect("methods") {
            let id = declared["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id"));
            let method = method.to_uppercase().parse().expect("a method");
            let operation =
                Operation { id, method, path, declared, schemas: &schemas, seen: BTreeSet::new() };
            assert!(operations.insert(id, operation).is_none(), "{id} stands twice");
        }
    }
    let known: BTreeSet<&str> = operations.keys().copied().collect();
    let written: BTreeSet<&str> = CASES.iter().map(|cases| cases.operation).collect();
    assert_eq!(known, written, "each operation of the document needs its cases in tests/http/walk/cases.rs");

    let mean = Gateway::start(MEAN);
    for cases in CASES {
        let operation = operations.get_mut(cases.operation).expect("both are the same");
        operation.nobody(cases).await;
        operation.other_tenant(cases).await;
        operation.over_its_limit(cases, &mean).await;
        operation.answers(cases).await;
        operation.declares_no_more();
    }
}

/// Both forms of an error say the same.
fn is_the_same(plain: &Answer, problem: &Answer) {
    assert_eq!((plain.status, problem.header("content-type")), (problem.status, PROBLEM));
    let (told, body) = (plain.json(), problem.json());
    let reason = if plain.status == 401 { &told["message"] } else { &told["reason"] };
    let code = body["code"].as_str().expect("a code");
    assert_eq!((&body["detail"], &body["status"]), (reason, &Value::from(plain.status)));
    assert_eq!(body["type"], format!("/crm/notification/docs/errors#{code}"));
    assert_eq!(body["request_id"], problem.header("x-request-id"));
    for name in ["www-authenticate", "allow"] {
        assert_eq!(plain.header(name), problem.header(name));
    }
}

impl Operation<'_> {
    /// The request as this caller makes it; the answer must be declared. A refusal is asked for in its other form too.
    async fn ask(&mut self, api: &Api, ground: &Ground, request: &Request) -> Answer {
        let answer = self.ask_in(api, ground, request, None).await;
        // A limit may have room again by then.
        if answer.status >= 400 && answer.status != 429 {
            let problem = self.ask_in(api, ground, request, Some(PROBLEM)).await;
            is_the_same(&answer, &problem);
        }
        answer
    }

    async fn ask_in(&mut self, api: &Api, ground: &Ground, request: &Request, form: Option<&str>) -> Answer {
        let id = |own: i64| request.id.map_or_else(|| own.to_string(), str::to_owned);
        let path = self.path.replace("{id}", &id(ground.id)).replace("{user_id}", &id(ground.user));
        let path = path.replace("{hook_id}", request.id.unwrap_or("walk"));
        let mut asked = api.request_at(self.method.clone(), &format!("{path}{}", request.query));
        if let Some(form) = form {
            asked = asked.header("Accept", form);
        }
        if let Some(key) = request.key {
            asked = asked.header("Idempotency-Key", key);
        }
        if let Some((media_type, body)) = &request.body {
            asked = asked.header("Content-Type", *media_type).body(body.clone());
        }
        let answer = ask(asked).await;
        self.check(&answer);
        answer
    }

    /// Those whom no operation serves, or not this one.
    async fn nobody(&mut self, cases: &Cases) {
        let ground = Ground::make().await;
        let request = (cases.good)(&ground);
        self.ask(&shared(), &ground, &request).await.unauthorized("Authentication required");
        if matches!(cases.need, Need::Hook) {
            // Neither keys nor users: it has a secret of its own.
            self.ask(&with_key(ADMIN), &ground, &request).await.unauthorized("Invalid API key");
            self.ask(&as_user(ground.user), &ground, &request).await.unauthorized("Invalid token");
            return ground.is_untouched().await;
        }
        for key in [UNKNOWN, DISABLED, EXPIRED, ELSEWHERE] {
            self.ask(&with_key(key), &ground, &request).await.unauthorized("Invalid API key");
        }
        let token = |token: Token| shared().bearer(token.sign());
        let good = || Token::of(DEFAULT_SECRET, ground.user).roles(&["admin", "directory"]);
        let forged =
            Token::of("signing-secret-of-nobody-that-is-known-1", ground.user).roles(&["admin", "directory"]);
        self.ask(&token(forged), &ground, &request).await.unauthorized("Invalid token");
        self.ask(&token(good().expired()), &ground, &request).await.unauthorized("Token has expired");
        match cases.need {
            Need::Inbox => {
                let answer = self.ask(&with_key(ERASER), &ground, &request).await;
                answer.unauthorized("A user's bearer token is required");
            }
            Need::Permission(permission) => {
                let reason = format!("Permission {permission} is required");
                self.ask(&with_key(NOBODY), &ground, &request).await.failed(403, &reason);
                self.ask(&as_user(ground.user), &ground, &request).await.failed(403, &reason);
                let other = token(Token::of(DEFAULT_SECRET, ground.user).roles(&["nobody", "no such role"]));
                self.ask(&other, &ground, &request).await.failed(403, &reason);
            }
            Need::Anyone => {
                self.ask(&with_key(NOBODY), &ground, &request).await.expect(200);
                self.ask(&as_user(ground.user), &ground, &request).await.expect(200);
            }
            Need::Hook => unreachable!("returned above"),
        }
        ground.is_untouched().await;
    }

    /// Another tenant's admin, and its user of the same id: nothing of the first tenant shows or moves.
    async fn other_tenant(&mut self, cases: &Cases) {
        let ground = Ground::make().await;
        let request = (cases.good)(&ground);
        let admin = acme_token(ground.user).claim("groups", serde_json::json!(["admin", "directory"])).sign();
        let answer = self.ask(&shared().bearer(admin), &ground, &request).await;
        (cases.other_tenant)(&answer, &ground);
        if !matches!(cases.need, Need::Inbox) {
            let answer = self.ask(&with_key(ACME), &ground, &request).await;
            assert!(!answer.text.contains(ground.secret()), "{}: {}", self.id, answer.text);
        }
        assert!(!answer.text.contains(ground.secret()), "{}: {}", self.id, answer.text);
        ground.is_untouched().await;
    }

    async fn over_its_limit(&mut self, cases: &Cases, mean: &Gateway) {
        let ground = Ground { user: fresh_id(), id: 1 };
        let request = (cases.good)(&ground);
        let api = match cases.need {
            Need::Hook => mean.api().key(WALK),
            _ => mean
                .api()
                .bearer(Token::of(DEFAULT_SECRET, ground.user).roles(&["admin", "directory"]).sign()),
        };
        for _ in 0..50 {
            let answer = self.ask_in(&api, &ground, &request, None).await;
            if answer.status == 429 {
                answer.failed(429, "Rate limit exceeded; retry in 1 s");
                return;
            }
        }
        panic!("{}: no limit in fifty requests", self.id);
    }

    /// Those who may, well and badly.
    async fn answers(&mut self, cases: &Cases) {
        let ground = Ground::make().await;
        let api = match cases.need {
            Need::Inbox => as_user(ground.user),
            Need::Hook => with_key(WALK),
            Need::Anyone | Need::Permission(_) => with_key(ERASER),
        };
        for (status, request) in (cases.bad)(&ground) {
            let api = request.sender.map_or_else(|| api.clone(), with_key);
            self.ask(&api, &ground, &request).await.expect(status);
        }
        if !matches!(cases.need, Need::Hook) {
            self.takes_no_other_query(cases).await;
        }
        let missing = Ground { user: 999, id: 9_007_199_254_740_991 };
        for (status, request) in (cases.missing)(&missing) {
            let api = if matches!(cases.need, Need::Inbox) { as_user(999) } else { api.clone() };
            self.ask(&api, &missing, &request).await.expect(status);
        }
        for status in cases.done {
            self.ask(&api, &ground, &(cases.good)(&ground)).await.expect(*status);
        }
    }

    /// A parameter that nothing reads would pass for one that was heeded, and one that is there twice means two things.
    async fn takes_no_other_query(&mut self, cases: &Cases) {
        let ground = &Ground::make().await;
        let api = &if matches!(cases.need, Need::Inbox) { as_user(ground.user) } else { with_key(ERASER) };
        let good = (cases.good)(ground);
        let with = |query: &str| {
            let mark = if good.query.is_empty() { '?' } else { '&' };
            Request { query: format!("{}{mark}{query}", good.query), ..good.clone() }
        };
        let answer = self.ask(api, ground, &with("nosuch=1")).await.expect(400);
        let reason = answer.json()["reason"].as_str().unwrap_or_default().to_owned();
        assert!(reason.starts_with("nosuch is not a parameter of this operation"), "{}: {reason}", self.id);
        let parameters = self.declared["parameters"].as_array().into_iter().flatten();
        let parameters: Vec<_> = parameters.filter(|one| one["in"] == "query").cloned().collect();
        for name in parameters.iter().filter_map(|one| one["name"].as_str()) {
            let answer = self.ask(api, ground, &with(&format!("{name}=1&{name}=1"))).await;
            answer.failed(400, &format!("{name} must be there once"));
        }
        ground.is_untouched().await;
    }

    /// A status that never comes is one that a client handles for nothing.
    fn declares_no_more(&self) {
        let declared = self.declared["responses"].as_object().expect("responses").keys();
        let unseen: Vec<_> = declared
            .filter(|status| {
                !["405", "500", "503"].contains(&status.as_str()) && !self.seen.contains(*status)
            })
            .collect();
        assert!(unseen.is_empty(), "{}: declared, but no case gives {unseen:?}", self.id);
    }

    /// Status, headers and body must be declared, and what is declared must be there.
    fn check(&mut self, answer: &Answer) {
        let (id, status) = (self.id, answer.status.to_string());
        let declared = self.schemas.resolve(&self.declared["responses"][&status]);
        assert!(declared.is_object(), "{id}: {status} is not declared: {answer:?}");
        self.check_headers(&declared["headers"], &answer.headers, &status);
        let is_stream = answer.header("content-type") == "text/event-stream";
        let kept = if is_stream { "no-store, no-transform" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), kept, "{id}: {status}");
        let varies = answer.status >= 400;
        assert_eq!(answer.header("vary"), if varies { "Accept" } else { "" }, "{id}: {status}");
        let media_type = answer.header("content-type");
        let media = &declared["content"][media_type];
        let (schema, bodies): (_, Vec<&str>) = match media_type {
            "application/x-ndjson" => (&media["x-itemSchema"], answer.text.lines().collect()),
            _ => (&media["schema"], vec![&answer.text]),
        };
        assert!(schema.is_object(), "{id}: {status} as {media_type:?} is not declared");
        for body in bodies {
            let body = serde_json::from_str(body).expect("JSON");
            self.schemas.check(schema, &body, &format!("{id}: {status}"));
        }
        self.seen.insert(status);
    }

    fn check_headers(&self, declared: &Value, headers: &HeaderMap, status: &str) {
        let declared: BTreeMap<String, &Value> = declared
            .as_object()
            .map(|headers| headers.iter().map(|(name, header)| (name.to_lowercase(), header)).collect())
            .unwrap_or_default();
        for name in headers.keys().map(|name| name.as_str()) {
            let known = declared.contains_key(name) || OF_HTTP.contains(&name);
            assert!(known, "{}: {status}: the header {name} is not declared", self.id);
        }
        for (name, header) in declared {
            // Only a 401 that may have been a guess is counted under a limit, and a 403 that no permission would mend.
            if ["401", "403"].contains(&status)
                && name.starts_with("ratelimit")
                && !headers.contains_key(&name)
            {
                continue;
            }
            // Only what was sent before is a repetition.
            if name == "idempotency-replayed" && !headers.contains_key(&name) {
                continue;
            }
            let value = headers.get(&name).and_then(|value| value.to_str().ok());
            let value = value.unwrap_or_else(|| panic!("{}: {status}: {name} is missing", self.id));
            let schema = &self.schemas.resolve(header)["schema"];
            let value = match schema["type"].as_str() {
                Some("integer") => Value::from(value.parse::<i64>().expect("a number")),
                _ => Value::from(value),
            };
            self.schemas.check(schema, &value, &format!("{}: {status}: {name}", self.id));
        }
    }
}
