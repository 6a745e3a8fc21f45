//! Errors as problem details, for those who ask for them: every fault of a body in one answer.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Api, Gateway, api::ask, raw::exchange, settings::*};

const PROBLEM: &str = "application/problem+json";

async fn post(api: &Api, path: &str, body: &Value) -> Answer {
    ask(api.request(Method::POST, path).header("Accept", PROBLEM).json(body)).await
}

/// What is wrong with the request, as code and place.
fn problems(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.header("content-type"), PROBLEM);
    assert_eq!(answer.header("vary"), "Accept");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let body = answer.json();
    let problems = body["problems"].as_array().into_iter().flatten();
    problems.map(|p| (text(&p["code"]), text(&p["field"]) + &text(&p["parameter"]))).collect()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted.iter().map(|(code, field)| ((*code).to_owned(), (*field).to_owned())).collect()
}

#[tokio::test]
async fn every_fault_of_a_send_is_told_and_the_first_answers_others() {
    let api = with_key(SENDER);
    let body = json!({"user_id": "1", "title": "x".repeat(256), "message": 7, "metadata": [], "related_ticket_id": 0});
    let answer = post(&api, "/send", &body).await.expect(400);
    let wanted = [
        ("required", "/type"),
        ("wrong_type", "/user_id"),
        ("too_long", "/title"),
        ("wrong_type", "/message"),
        ("wrong_type", "/metadata"),
        ("out_of_range", "/related_ticket_id"),
    ];
    assert_eq!(problems(&answer), pairs(&wanted));
    let told = answer.json();
    assert_eq!((&told["code"], &told["detail"]), (&"invalid_fields".into(), &"type is required".into()));
    assert_eq!(told["request_id"], answer.header("x-request-id"));
    let plain = ask(api.request(Method::POST, "/send").header("Accept", "*/*").json(&body)).await;
    assert_eq!(plain.header("vary"), "Accept");
    plain.failed(400, "type is required");
}

#[tokio::test]
async fn an_unknown_type_and_an_unsafe_link_are_told_beside_other_fields() {
    let api = with_key(SENDER);
    let body = json!({"user_id": "x", "type": "nosuch", "link": "javascript:alert(1)"});
    let answer = post(&api, "/send", &body).await.expect(400);
    let (title, user) = (("required", "/title"), ("wrong_type", "/user_id"));
    let (kind, link) = (("unknown_type", "/type"), ("unsafe_link", "/link"));
    assert_eq!(problems(&answer), pairs(&[title, user, kind, link]));
    assert_eq!(answer.json()["detail"], "title is required");
    let body = json!({"user_id": 1, "type": "nosuch", "title": "t", "link": "javascript:alert(1)"});
    for path in ["/send", "/send/dry-run"] {
        let answer = post(&api, path, &body).await.expect(400);
        assert_eq!(problems(&answer), pairs(&[kind, link]));
        assert!(answer.json()["detail"].as_str().is_some_and(|told| told.starts_with("type must be one of")));
    }
    let body = json!({"user_ids": [1, 2], "type": "nosuch", "link": "javascript:alert(1)"});
    let answer = post(&api, "/send-batch", &body).await.expect(400);
    assert_eq!(problems(&answer), pairs(&[title, kind, link]));
    // What is too long, or of another type, is told as that alone.
    let body = json!({"user_id": 1, "type": 7, "title": "t", "link": "x".repeat(2_049)});
    let answer = post(&api, "/send", &body).await.expect(400);
    assert_eq!(problems(&answer), pairs(&[("wrong_type", "/type"), ("too_long", "/link")]));
}

#[tokio::test]
async fn the_items_of_a_batch_have_the_same_codes_and_problems() {
    let bad = json!({"user_id": 1, "type": "nosuch", "title": 7});
    let link = json!({"user_id": 1, "type": "custom", "title": "t", "link": "javascript:alert(1)"});
    let answer = post(&with_key(SENDER), "/send-batch", &json!({"items": [bad, link, 7]})).await.expect(200);
    let told = answer.json();
    let of = |place: usize| {
        let result = &told["results"][place];
        let problems = result["problems"].as_array().into_iter().flatten();
        let found: Vec<_> = problems.map(|p| (p["code"].clone(), p["field"].clone())).collect();
        (result["code"].clone(), found)
    };
    let wanted = |code: &str, found: &[(&str, &str)]| {
        let pairs = found.iter().map(|(code, field)| (Value::from(*code), Value::from(*field)));
        (Value::from(code), pairs.collect::<Vec<_>>())
    };
    assert_eq!(of(0), wanted("invalid_fields", &[("wrong_type", "/title"), ("unknown_type", "/type")]));
    assert_eq!(of(1), wanted("notification_refused", &[("unsafe_link", "/link")]));
    assert_eq!(of(2), wanted("invalid_request", &[]));
}

#[tokio::test]
async fn the_types_problems_are_told_where_the_fields_are_good() {
    let body = json!({"user_id": 1, "type": "custom", "title": "t", "link": "javascript:alert(1)"});
    let answer = post(&with_key(SENDER), "/send", &body).await.expect(400);
    assert_eq!(answer.json()["code"], "notification_refused");
    assert_eq!(problems(&answer), pairs(&[("unsafe_link", "/link")]));
    let body = json!({"user_id": 1, "type": "no_such_type", "title": "t"});
    let answer = post(&with_key(SENDER), "/send", &body).await.expect(400);
    assert_eq!(problems(&answer), pairs(&[("unknown_type", "/type")]));
}

#[tokio::test]
async fn other_bodies_and_parameters_are_told_as_well() {
    let api = with_key(ERASER);
    let answer = post(&api, "/withdraw", &json!({"ids": [1, "x", 0]})).await.expect(400);
    assert_eq!(problems(&answer), pairs(&[("wrong_type", "/ids/1"), ("out_of_range", "/ids/2")]));
    let answer = post(&api, "/withdraw", &json!({"sender": "me", "until": "soon"})).await.expect(400);
    let wanted = [("invalid", "/sender"), ("required", "/since"), ("invalid", "/until")];
    assert_eq!(problems(&answer), pairs(&wanted));
    let answer = post(&api, "/withdraw", &json!({"until": "soon"})).await.expect(400);
    assert_eq!(answer.json()["code"], "invalid_request");
    let request = api.request(Method::PUT, "/users/1").header("Accept", PROBLEM);
    let answer = ask(request.json(&json!({"locale": "de_CH", "time_zone": "Mars/Base"}))).await.expect(400);
    assert_eq!(problems(&answer), pairs(&[("invalid", "/locale"), ("invalid", "/time_zone")]));
    let request = as_user(1).request(Method::GET, "/?limit=0").header("Accept", PROBLEM);
    let answer = ask(request).await.expect(400);
    assert_eq!(answer.json()["code"], "invalid_parameter");
    assert_eq!(problems(&answer), pairs(&[("invalid", "limit")]));
}

#[tokio::test]
async fn the_frameworks_own_failures_have_codes_too() {
    let api = with_key(SENDER);
    let ask_for = async |request: reqwest::RequestBuilder| {
        let answer = ask(request.header("Accept", PROBLEM)).await;
        assert_eq!(answer.header("content-type"), PROBLEM, "{answer:?}");
        (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    let post = || api.request(Method::POST, "/send");
    let json = || post().header("Content-Type", "application/json");
    for (request, status, code) in [
        (api.request(Method::GET, "/nowhere"), 404, "no_such_path"),
        (api.request(Method::GET, "/send"), 405, "method_not_allowed"),
        (as_user(1).request(Method::DELETE, "/%FF"), 400, "invalid_parameter"),
        (post().header("Content-Type", "text/plain").body("x"), 415, "unsupported_media_type"),
        (json().body("{"), 400, "malformed_body"),
        (json().body("[]"), 400, "malformed_body"),
        (json().body("x".repeat(262_145)), 413, "body_too_large"),
        (shared().request(Method::GET, "/"), 401, "authentication_required"),
        (api.request(Method::GET, "/"), 401, "user_token_required"),
        (with_key(UNKNOWN).request(Method::GET, "/types"), 401, "invalid_api_key"),
    ] {
        assert_eq!(ask_for(request).await, (status, code.to_owned()));
    }
}

/// Whoever takes anything, or plain JSON rather, is answered as the contract says.
#[tokio::test]
async fn nobody_gets_problem_details_unasked() {
    for accept in
        ["*/*", "application/*", "application/json", "application/problem+json;q=0.4, application/json"]
    {
        let request = shared().request(Method::GET, "/").header("Accept", accept);
        ask(request).await.unauthorized("Authentication required");
    }
    let (status, _, body) = exchange(&SHARED.public, &["GET /crm/notification/types HTTP/1.1"], b"");
    assert_eq!((status, body.as_str()), (401, r#"{"message":"Authentication required"}"#));
}

#[tokio::test]
async fn an_error_leads_to_its_place_on_the_gateways_own_page() {
    let gateway: &Gateway = &SHARED;
    let request = shared().request(Method::GET, "/").header("Accept", PROBLEM);
    let told = ask(request).await.expect(401).json();
    let (page, anchor) = told["type"].as_str().and_then(|r| r.split_once('#')).expect("a reference");
    let page = ask(gateway.api().request_at(Method::GET, page)).await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text.contains(&format!("<h3 id=\"{anchor}\">")), "{anchor}");
    assert!(!page.text.contains("<script") && !page.text.contains("src="));
}
