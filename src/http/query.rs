//! The query of a request, checked against the parameters that its operation declares.

use std::collections::HashSet;

use url::form_urlencoded;

use super::error::QueryFault;
use crate::domain::closest;

/// The longest name that an error repeats, in characters.
const LONGEST_NAME: usize = 60;

/// Checks that each parameter is one of `known`, and is there once.
///
/// # Errors
/// The first that is not.
pub fn check(query: &str, known: &[String]) -> Result<(), QueryFault> {
    let mut seen = HashSet::new();
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        let fault = if !known.iter().any(|known| *known == name) {
            unknown(&name, known)
        } else if !seen.insert(name.clone()) {
            "must be there once".to_owned()
        } else {
            continue;
        };
        let parameter: String = name.chars().take(LONGEST_NAME).collect();
        return Err(QueryFault { reason: format!("{parameter} {fault}"), parameter });
    }
    Ok(())
}

fn unknown(name: &str, known: &[String]) -> String {
    match closest(name, known.iter().map(String::as_str)) {
        Some(close) => format!("is not a parameter of this operation; did you mean {close}?"),
        None if known.is_empty() => "is not a parameter of this operation, which takes none".into(),
        None => format!("is not a parameter of this operation, which takes {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_is_known_and_there_once() {
        let known = ["limit", "unread"].map(str::to_owned);
        let check = |query: &str| check(query, &known).map_err(|fault| fault.reason);
        for query in ["", "limit=1", "unread=x&limit=", "%6Cimit=1"] {
            assert_eq!(check(query), Ok(()), "{query}");
        }
        for (query, told) in [
            ("limt=1", "limt is not a parameter of this operation; did you mean limit?"),
            ("limit=1&x", "x is not a parameter of this operation, which takes limit, unread"),
            ("limit=1&limit=1", "limit must be there once"),
        ] {
            assert_eq!(check(query), Err(told.to_owned()));
        }
        let long = check(&"y".repeat(5_000)).expect_err("unknown");
        assert!(long.len() < 200, "{long}");
    }
}
