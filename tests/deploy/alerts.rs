//! Alerts and documentation name metrics that there are.

use std::collections::BTreeSet;

use super::{read, yaml};

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let word = |c: char| c.is_ascii_lowercase() || c == '_';
    let starts = text.match_indices("bellboard_").map(|(at, _)| at);
    let alone = starts.filter(|at| !text[..*at].ends_with(word));
    alone.map(|at| text[at..].split(|c| !word(c)).next().unwrap_or_default()).collect()
}

#[test]
fn every_metric_that_is_named_is_there() {
    let code = read("src/metrics.rs") + &read("src/metrics/configured.rs");
    let alerts = "config/alerts.yaml";
    let rules = yaml(alerts)[0]["groups"][0]["rules"].as_array().expect("rules").len();
    for (file, least) in [(alerts, rules), ("docs/operations.md", 10), ("docs/deployment.md", 1)] {
        let text = read(file);
        let names = named(&text);
        assert!(names.len() >= least, "{file}: {names:?}");
        for name in names {
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
            let short = family.unwrap_or(name).trim_start_matches("bellboard_");
            let there =
                code.contains(&format!("\"{short}\"")) || code.contains(&format!("\"bellboard_{short}\""));
            assert!(there, "{file} names {name}, which is no metric");
        }
    }
}
