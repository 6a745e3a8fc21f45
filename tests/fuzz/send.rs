//! The body of a send.

use bellboard::{
    domain::{Draft, Limits, Problems, Sealed},
    http::read_draft,
};

use super::breed;

const WORDS: [&str; 24] = [
    "\"user_id\":",
    "\"type\":",
    "\"title\":",
    "\"message\":",
    "\"link\":",
    "\"metadata\":",
    "\"related_ticket_id\":",
    "\"related_user_id\":",
    "null",
    "true",
    "1e3",
    "9007199254740991",
    "9007199254740992",
    "-0",
    "1.50",
    "\"\"",
    "{}",
    "[]",
    "{\"a\":",
    ",",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "$serde_json::private::RawValue",
];

#[test]
fn a_body_is_read_or_refused_and_reads_the_same_again() {
    breed::run("send", 20_000, &WORDS, |body| {
        let limits = Limits::default();
        let draft = match read_draft(body, &limits, None) {
            Ok(draft) => draft,
            Err(error) => {
                let told = error.to_string();
                assert!(told.chars().count() <= 300, "{told}");
                assert!(error.problems().len() <= Problems::MAX);
                return told;
            }
        };
        match Sealed::from_draft(draft.clone(), &limits) {
            Ok(sealed) => {
                let again = read_draft(written(&sealed).as_bytes(), &limits, None);
                assert_eq!(again.expect("a body"), draft);
                "sealed".into()
            }
            Err(problems) => {
                assert!(problems.len() <= Problems::MAX);
                let told: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
                assert!(told.iter().all(|told| told.len() <= 300), "{told:?}");
                told.concat()
            }
        }
    });
}

/// What is stored, as a body that sends the same.
fn written(sealed: &Sealed) -> String {
    let kind = serde_json::Value::from(sealed.kind.as_str());
    let mut body = format!(r#"{{"user_id":{},"type":{kind},{}"#, sealed.user, sealed.content.fields());
    if let Some(user) = sealed.related_user {
        body.push_str(&format!(r#","related_user_id":{user}"#));
    }
    body + "}"
}

#[test]
fn the_corpus_holds_drafts_that_are_good() {
    let read = |body: &Vec<u8>| read_draft(body, &Limits::default(), None);
    let good: Vec<Draft> = breed::corpus("send").iter().filter_map(|body| read(body).ok()).collect();
    assert!(good.len() >= 3);
}
