//! Short ways for tests to build a component and run it on a draft.

use std::collections::BTreeMap;

use bellboard_sdk::{Builder, Component, Context, Draft, Metadata, Problem, Problems, Resources};
use serde_json::{Value, json};

/// 2026-01-11T14:30:00Z.
pub const NOW: i64 = 1_768_141_800_000_000;

/// A draft of a user and a title, with this metadata unless it is `null`.
pub fn draft(metadata: Value) -> Draft {
    let metadata = (!metadata.is_null()).then(|| Metadata::parse(metadata.to_string()).expect("an object"));
    Draft { user_id: 1, kind: "custom".into(), title: "Hello".into(), metadata, ..Draft::default() }
}

/// Builds from the settings and no files.
pub fn build(builder: Builder, settings: Value) -> Result<Component, String> {
    build_with(builder, settings, &[])
}

/// Builds from the settings and files.
pub fn build_with(builder: Builder, settings: Value, files: &[(&str, Value)]) -> Result<Component, String> {
    let files: BTreeMap<_, _> =
        files.iter().map(|(name, value)| ((*name).to_owned(), value.to_string().into_bytes())).collect();
    (builder.build)(settings, &Resources::new(files))
}

/// The error of building, which must fail.
pub fn error(builder: Builder, settings: Value) -> String {
    build(builder, settings).err().expect("settings that cannot be")
}

/// What a validator finds.
pub fn problems(component: &Component, draft: &Draft) -> Vec<Problem> {
    let Component::Validator(validator) = component else { panic!("not a validator") };
    let mut problems = Problems::default();
    validator.validate(draft, &Context { now: NOW }, &mut problems);
    problems.into_vec()
}

/// The messages of what a validator finds.
pub fn messages(component: &Component, draft: &Draft) -> Vec<String> {
    problems(component, draft).into_iter().map(|p| p.message).collect()
}

/// The draft after an enricher that must not refuse it.
pub fn enriched(component: &Component, mut draft: Draft) -> Draft {
    let Component::Enricher(enricher) = component else { panic!("not an enricher") };
    enricher.enrich(&mut draft, &Context { now: NOW }).expect("enriched");
    draft
}

/// The draft after an enricher built from the settings.
pub fn enrich(builder: Builder, settings: Value, draft: Draft) -> Draft {
    enriched(&build(builder, settings).expect("good settings"), draft)
}

#[test]
fn the_draft_is_as_described() {
    assert_eq!(draft(Value::Null).metadata, None);
    assert_eq!(draft(json!({"a": 1})).metadata.expect("given").text(), r#"{"a":1}"#);
}
