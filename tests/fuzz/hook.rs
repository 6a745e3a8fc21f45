//! What a hook's sender brings, through the mappings that come with the gateway.

use std::collections::BTreeSet;

use bellboard::{
    domain::{Draft, Limits, Result, Sealed, UserId},
    http::read_event,
    registry::{Mapped, Reception, Registry, Request, standard_hooks},
};

use super::breed;

const MAPPINGS: [&str; 4] = ["alertmanager", "generic", "github", "stripe"];
/// What GitHub says its events are; each body is tried as one of them.
const EVENTS: [&str; 3] = ["issues", "pull_request", "workflow_run"];

const WORDS: [&str; 24] = [
    "\"alerts\":[",
    "\"labels\":{",
    "\"status\":\"firing\"",
    "\"user_id\":",
    "\"title\":",
    "\"type\":",
    "\"link\":",
    "\"javascript:alert(1)\"",
    "\"action\":\"assigned\"",
    "\"metadata\":",
    "\"currency\":\"jpy\"",
    "{{ event }}",
    "{% for i in range(10000) %}",
    "null",
    "true",
    "1e999",
    "9007199254740993",
    "-0.0",
    "\"\"",
    "{}",
    "[]",
    ",",
    "\\ud800",
    "\u{202e}",
];

/// What all mappings make of a body.
fn mapped(registry: &Registry, body: &[u8], limits: &Limits) -> Result<Vec<(&'static str, Mapped)>> {
    let event = read_event(body)?;
    let mut all = Vec::new();
    for name in MAPPINGS {
        let mapping = registry.mapping(name).expect("a standard mapping");
        let settings = mapping.settings(&serde_json::Map::default()).expect("its own settings");
        let fallback = vec![UserId::new(1).expect("an id")];
        let reception = Reception { settings, fallback, ..Reception::default() };
        let kind = EVENTS[body.len() % EVENTS.len()].to_owned();
        let headers = mapping.headers.iter().map(|header| (header.as_str(), kind.clone())).collect();
        all.push((name, mapping.map(Request { body, event: event.clone(), headers }, &reception, limits)));
    }
    Ok(all)
}

#[test]
fn an_event_becomes_drafts_within_the_limits_or_is_refused_in_bounded_words() {
    let loaded = Registry::load(&standard_hooks(), None);
    let limits = Limits::default();
    let made: BTreeSet<_> = breed::corpus("hook")
        .iter()
        .flat_map(|body| mapped(&loaded.registry, body, &limits).unwrap_or_default())
        .filter(|(_, mapped)| !mapped.planned.is_empty())
        .map(|(name, _)| name)
        .collect();
    assert!(made.iter().eq(&MAPPINGS), "the corpus holds good events of all: {made:?}");

    breed::run("hook", 3_000, &WORDS, |body| {
        let all = match mapped(&loaded.registry, body, &limits) {
            Ok(all) => all,
            Err(error) => return error.to_string(),
        };
        let mut told = String::new();
        for (name, mapped) in all {
            assert!(mapped.planned.len() + mapped.problems.len() <= 500, "{name}");
            for problem in &mapped.problems {
                assert!(problem.field.len() <= 300 && problem.message.len() <= 500, "{name}: {problem:?}");
            }
            told.push_str(&format!("{name} {} ", u8::from(mapped.ignored > 0)));
            told.extend(mapped.problems.into_iter().map(|problem| problem.message));
            for planned in mapped.planned {
                assert!(!planned.users.is_empty(), "{name}");
                let has =
                    [planned.draft.link.is_some(), planned.draft.message.is_some(), planned.id.is_some()];
                told.push_str(&format!(
                    "{has:?} {}",
                    planned.draft.title.split(' ').next().unwrap_or_default()
                ));
                let draft = Draft { user_id: 1, ..planned.draft };
                // Titles, messages and links that are too long or bad never get so far.
                let problems = Sealed::from_draft(draft, &limits).err().into_iter().flatten();
                for problem in problems {
                    assert!(!["title", "message", "link"].contains(&&*problem.field), "{name}: {problem:?}");
                    told.push_str(&problem.message);
                }
            }
        }
        told
    });
}
