//! Every error has its status and its body, in both forms.

use std::time::Duration;

use super::*;
use crate::domain::{NotificationId, Permission, Problem, ProblemCode, UserId};

/// The answer to a client that sends this `Accept`.
fn answer(error: &poem::Error, accept: &'static str) -> Response {
    let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
    Asker::of(&headers, "id").failed(error, None)
}

async fn told(error: Error) -> (u16, String, Response) {
    let mut response = answer(&Failure(error).into(), "*/*");
    assert_eq!(response.content_type(), Some("application/json"));
    assert_eq!(response.header("vary"), Some("Accept"));
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
            Error::Lacks(Permission::UserErase),
            403,
            r#"{"result":"Failed","reason":"Permission user.erase is required"}"#,
        ),
        (
            Error::Invalid("title is required".into()),
            400,
            r#"{"result":"Failed","reason":"title is required"}"#,
        ),
        (Error::Refused(problems), 400, r#"{"result":"Failed","reason":"link is bad; title is \"odd\""}"#),
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
    let body = answer(&odd, "*/*").take_body().into_string().await.unwrap();
    assert_eq!(body, r#"{"result":"Failed","reason":"Internal server error"}"#);
}

#[tokio::test]
async fn who_asks_for_problem_details_is_told_all_that_is_wrong() {
    let problems = vec![
        Problem::new("link", "is bad").coded(ProblemCode::UnsafeLink),
        Problem::new("metadata.a/b", "is odd"),
    ];
    let mut response = answer(&Failure(Error::Refused(problems)).into(), accept::PROBLEM);
    assert_eq!(response.content_type(), Some(accept::PROBLEM));
    assert_eq!(response.header("vary"), Some("Accept"));
    let body = response.take_body().into_string().await.unwrap();
    let wanted = concat!(
        r#"{"type":"/crm/notification/docs/errors#notification_refused","#,
        r#""title":"The type's checks refused the notification","status":400,"#,
        r#""detail":"link is bad; metadata.a/b is odd","code":"notification_refused","request_id":"id","problems":["#,
        r#"{"code":"unsafe_link","field":"/link","detail":"link is bad"},"#,
        r#"{"code":"invalid","field":"/metadata/a~1b","detail":"metadata.a/b is odd"}]}"#,
    );
    assert_eq!(body, wanted);
}

#[test]
fn a_code_is_one_word_and_stands_for_one_status() {
    let names: std::collections::HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        let is_word = |b: u8| b.is_ascii_lowercase() || b == b'_';
        assert!(code.as_str().bytes().all(is_word), "{}", code.as_str());
        assert!(status(*code).is_client_error() || status(*code).is_server_error());
        assert!(!code.title().ends_with('.'));
    }
}

/// The guide that clients are sent to.
const GUIDE: &str = include_str!("../../../docs/errors.md");

#[test]
fn the_guide_has_each_code_with_its_status_and_no_other() {
    let mut told: Vec<_> = GUIDE
        .split("\n### ")
        .skip(1)
        .map(|entry| {
            let (code, text) = entry.split_once("\n\n**").expect("a code and its text");
            (code, text.split_once(".** ").expect("a status and its text").0)
        })
        .collect();
    let statuses: Vec<_> = Code::ALL.iter().map(|code| status(*code).as_str().to_owned()).collect();
    let mut known: Vec<_> =
        Code::ALL.iter().zip(&statuses).map(|(code, status)| (code.as_str(), status.as_str())).collect();
    told.sort_unstable();
    known.sort_unstable();
    assert_eq!(told, known);
}

#[test]
fn the_guide_has_each_kind_of_problem_and_no_other() {
    let table = GUIDE.split_once("\n## Problems\n").expect("the table of problems").1;
    let mut told: Vec<_> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let known = serde_json::to_value(ProblemCode::ALL).unwrap();
    let mut known: Vec<_> = known.as_array().unwrap().iter().filter_map(|code| code.as_str()).collect();
    told.sort_unstable();
    known.sort_unstable();
    assert_eq!(told, known);
}
