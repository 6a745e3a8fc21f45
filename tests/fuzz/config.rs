//! The settings.

use bellboard::config::{self, Inputs};

use super::breed;

/// Besides what all YAML is made of.
const WORDS: &[&str] =
    &["<<: ", "!!str ", "| ", "> ", "~", "1e999", "${HOME}", "api_keys: ", "tenants: ", "sha256:", "---\n"];

/// What stands in the corpus in places of secrets.
const SECRET: &str = "a-secret-that-no-error-may-repeat-0001";

/// The settings that are paths.
const PATHS: [&str; 3] = ["include", "api_keys_from", "plugins"];

#[test]
fn settings_are_taken_or_refused_in_bounded_words_without_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bellboard.yaml");
    assert!(breed::corpus("config").iter().any(|text| String::from_utf8_lossy(text).contains(SECRET)));
    breed::run("config", 4_000, &[breed::YAML, WORDS].concat(), |text| {
        std::fs::write(&file, text).expect("a file");
        let inputs = Inputs::read(&file, &|_| None);
        let parsed = inputs.and_then(|inputs| {
            let parsed = config::parse(&inputs);
            assert_eq!(
                config::parse(&inputs).map_err(|e| e.to_string()).err(),
                parsed.as_ref().map_err(|e| e.to_string()).err()
            );
            parsed
        });
        match parsed {
            Ok(_) => "taken".into(),
            Err(problems) => {
                let told = problems.to_string();
                assert!((1..=100).contains(&problems.0.len()));
                let is_one_line = |told: String| told.len() <= 4_000 && !told.contains('\n');
                assert!(problems.0.iter().all(|problem| is_one_line(problem.to_string())), "{told}");
                // A path is shown, whatever stands in its place.
                let mut shown = problems.0.iter().filter(|problem| !PATHS.contains(&&*problem.field));
                assert!(!shown.any(|problem| problem.to_string().contains(SECRET)), "{told}");
                problems.0.into_iter().map(|problem| problem.message).collect()
            }
        }
    });
}
