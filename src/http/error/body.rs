//! The two forms of an error's body: the contract's, and problem details (RFC 9457) for those who ask for them.

use poem::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::Told;
use crate::domain::{Problem, ProblemCode};

/// Where the page of all codes stands. A problem's `type` is it with the code behind a `#`: a reference with the whole
/// path, as RFC 9457 advises, that leads to this gateway's own page under whatever name it is served.
pub const CODES_PATH: &str = "/crm/notification/docs/errors";

/// One thing that is wrong with a request.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    code: ProblemCode,
    /// A JSON pointer into the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The name of a parameter of the path, the query or the headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    detail: String,
}

impl Item {
    /// What is wrong with a parameter.
    pub fn of_parameter(name: &str, detail: &str) -> Self {
        Self {
            code: ProblemCode::Invalid,
            field: None,
            parameter: Some(name.to_owned()),
            detail: detail.to_owned(),
        }
    }
}

impl From<&Problem> for Item {
    fn from(problem: &Problem) -> Self {
        let (field, detail) = (Some(problem.pointer.clone()), problem.message.clone());
        Self { code: problem.code, field, parameter: None, detail }
    }
}

/// What is told of one part of a request, in one form for all clients.
#[derive(Debug, Serialize)]
pub struct Part {
    status: u16,
    /// Why, in a sentence.
    pub reason: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Item>,
}

impl From<Told> for Part {
    fn from(Told { code, status, reason, problems, .. }: Told) -> Self {
        Self { status: status.as_u16(), reason, code: code.as_str(), problems }
    }
}

/// The members of problem details, in the order of the RFC; behind them the gateway's own.
#[derive(Serialize)]
struct Details<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[Item]>::is_empty")]
    problems: &'a [Item],
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<&'a Value>,
}

/// The contract's body: a 401 has another than the rest.
pub fn contract(told: &Told) -> String {
    let body = match &told.results {
        _ if told.status == StatusCode::UNAUTHORIZED => json!({ "message": told.reason }),
        None => json!({ "result": "Failed", "reason": told.reason }),
        Some(results) => json!({ "result": "Failed", "reason": told.reason, "results": results }),
    };
    body.to_string()
}

/// Problem details.
pub fn details(told: &Told, request_id: &str) -> String {
    let details = Details {
        r#type: format!("{CODES_PATH}#{}", told.code.as_str()),
        title: told.code.title(),
        status: told.status.as_u16(),
        detail: &told.reason,
        code: told.code.as_str(),
        request_id,
        problems: &told.problems,
        results: told.results.as_ref(),
    };
    // Texts and numbers alone: nothing in it can fail to be written.
    serde_json::to_string(&details).unwrap_or_default()
}
