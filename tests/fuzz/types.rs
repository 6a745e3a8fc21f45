//! The folder of a notification type.

use std::collections::BTreeMap;

use bellboard::registry::{PluginFolder, Registry};

use super::breed;

/// Besides what all YAML is made of.
const WORDS: &[&str] = &[
    "\"$ref\": \"#\"",
    "\"pattern\": \"(a+)+$\"",
    "\"type\": \"object\"",
    "{{ ",
    " }}",
    "{% for i in range(10000) %}",
    "{% endfor %}",
    "json_schema: ",
    "safe_link",
    "text_template: ",
    "expiry: ",
    "severity: ",
    "\n=== ",
];

/// A folder is one text here: each file behind a line that names it.
fn files(text: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let text = String::from_utf8_lossy(text);
    let parts = text.split("=== ").filter_map(|part| part.split_once('\n'));
    parts.map(|(name, content)| (name.to_owned(), content.as_bytes().to_vec())).collect()
}

#[test]
fn a_type_is_built_or_refused_in_bounded_words() {
    let folder = |text: &[u8]| {
        let (name, origin) = ("fuzzed".to_owned(), "types/fuzzed".to_owned());
        PluginFolder { name, origin, files: files(text), ..PluginFolder::default() }
    };
    let built = |text: &[u8]| Registry::load(&[folder(text)], None);
    assert!(
        breed::corpus("type").iter().any(|text| built(text).problems.is_empty()),
        "the corpus holds a good type"
    );
    breed::run("type", 1_000, &[breed::YAML, WORDS].concat(), |text| {
        let problems = built(text).problems;
        assert!(problems.len() <= 100, "{} problems", problems.len());
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        let is_one_line = |told: &String| told.len() <= 5_000 && !told.contains('\n');
        assert!(told.iter().all(is_one_line), "{told:?}");
        told.concat()
    });
}
