//! The architecture holds: imports point down, frameworks stay in their places, files stay small.
//!
//! The sources are read as text, so that inline paths count as well as `use`, and what a build leaves out
//! counts too. `docs/architecture.md` draws what this enforces.

mod files;
mod layers;
mod paths;
mod tokens;

use files::Source;

/// The longest a file may be, in lines.
const LONGEST_FILE: usize = 400;

/// Where each framework may be named; everywhere else under `src` and `plugins` it may not.
const PLACES: &[(&str, &[&str])] = &[
    ("sqlx", &["src/store"]),
    ("poem", &["src/http"]),
    ("poem_openapi", &["src/http"]),
    ("hyper", &["src/http"]),
];

/// What the domain, being pure, never names.
const NOT_IN_DOMAIN: &[&str] = &["tokio", "tracing", "prometheus", "moka", "governor"];

/// The only dependencies of the contract that plug-ins build against.
const SDK_DEPENDENCIES: &[&str] = &["serde", "serde_json"];

#[test]
fn imports_point_down() {
    none(files::under(&["src"]).iter().flat_map(layers::faults));
}

#[test]
fn frameworks_stay_in_their_places() {
    none(files::under(&["src", "plugins"]).iter().flat_map(misplaced));
}

#[test]
fn every_promise_of_the_security_page_names_tests_that_exist() {
    let page = files::text("docs/security.md");
    let mut faults = Vec::new();
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let mut file = String::new();
        for name in row.split('`').skip(1).step_by(2) {
            if name.ends_with(".rs") {
                file = files::text(name);
            } else if !file.is_empty() && !file.contains(&format!("fn {name}(")) {
                faults.push(format!("docs/security.md: no test {name}"));
            }
        }
    }
    none(faults);
}

#[test]
fn the_plugin_contract_depends_on_serde_alone() {
    let manifest = files::text("plugins/sdk/Cargo.toml");
    let mut section = "";
    let mut faults = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if section.ends_with("dependencies")
            && let Some((name, _)) = line.split_once(['=', '.'])
            && !SDK_DEPENDENCIES.contains(&name.trim())
        {
            faults.push(format!("plugins/sdk/Cargo.toml: [{section}] has {}", name.trim()));
        }
        if section.contains("dependencies.") {
            faults.push(format!("plugins/sdk/Cargo.toml: write [{section}] as one line"));
        }
    }
    none(faults);
}

#[test]
fn files_are_small_and_say_their_purpose() {
    let sources = files::under(&["src", "plugins", "bench", "tests"]);
    none(sources.iter().flat_map(|source| {
        let lines = source.text.lines().count();
        let long = (lines > LONGEST_FILE)
            .then(|| format!("{}: {lines} lines; split it at {LONGEST_FILE}", source.path));
        let mute = (!source.text.starts_with("//!"))
            .then(|| format!("{}:1: open with a `//!` line that says the file's purpose", source.path));
        long.into_iter().chain(mute)
    }));
}

/// Frameworks named where they may not be.
fn misplaced(source: &Source) -> Vec<String> {
    let within = |places: &[&str]| places.iter().any(|place| source.is_under(place));
    let mut faults = Vec::new();
    for token in tokens::of(&source.text) {
        let Some((name, places)) = PLACES.iter().find(|(name, _)| token.text == *name) else {
            if source.is_under("src/domain") && NOT_IN_DOMAIN.contains(&token.text) {
                faults.push(format!("{}:{}: the domain names {}", source.path, token.line, token.text));
            }
            continue;
        };
        if !within(places) {
            let places = places.join(", ");
            faults.push(format!("{}:{}: {name} may appear only under {places}", source.path, token.line));
        }
    }
    faults
}

#[track_caller]
fn none(faults: impl IntoIterator<Item = String>) {
    let faults: Vec<_> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{} faults\n{}\n", faults.len(), faults.join("\n"));
}

/// The test itself is tested: what it must catch, and what it must let pass.
mod proof {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    fn lines_of(faults: &[String]) -> Vec<&str> {
        faults.iter().filter_map(|fault| fault.split(':').nth(1)).collect()
    }

    #[test]
    fn an_upward_path_is_caught_however_it_is_written() {
        let text = r#"//! A part.
use crate::app;
use crate::{
    domain::UserId,
    http::{self, send},
    clock::Clock,
};
fn f() -> crate::snapshot::Snapshot { super::super::inbox::list() }
mod tests {
    use super::super::super::reload;
    use super::{row, super::super::send::Sender};
}
"#;
        let faults = layers::faults(&source("src/store/sqlite.rs", text));
        assert_eq!(lines_of(&faults), ["2", "5", "8", "8", "10", "11"], "{faults:#?}");
        assert_eq!(faults[0], "src/store/sqlite.rs:2: store may not import app, which is above it");
    }

    #[test]
    fn a_sibling_is_caught_and_so_is_a_module_of_no_layer() {
        let text = "//! A part.\nuse crate::cache::Cache;\nuse crate::helpers::x;\n";
        let faults = layers::faults(&source("src/store/mod.rs", text));
        assert_eq!(
            faults,
            [
                "src/store/mod.rs:2: store may not import cache, which is beside it",
                "src/store/mod.rs:3: crate::helpers is in no layer; give it a place in tests/architecture/layers.rs",
            ]
        );
        assert_eq!(layers::faults(&source("src/helpers.rs", "//! Odds and ends.\n")).len(), 1);
    }

    #[test]
    fn what_points_down_passes_and_so_do_comments_and_strings() {
        let text = r##"//! See `crate::app`.
use crate::{config::Config, domain::*, store::Store as Itself};
use super::writer;
/* crate::http /* crate::app */ crate::http */
pub(crate) const TEXT: &str = "crate::app \" crate::http";
const RAW: &str = r#"crate::app "crate::http""#;
const QUOTE: char = '"';
fn f<'a>(x: &'a str) -> &'a str { self::g(x) } // use crate::app;
fn h() { let krate = std::process::id(); }
"##;
        assert_eq!(layers::faults(&source("src/store/sqlite.rs", text)), Vec::<String>::new());
    }

    #[test]
    fn a_framework_out_of_its_place_is_caught() {
        let text = "//! x\nuse sqlx::Row; // poem\nfn f() -> poem::Result<()> { \"poem\"; }\n";
        assert_eq!(misplaced(&source("src/http/list.rs", text)).len(), 1);
        assert_eq!(misplaced(&source("src/store/list.rs", text)).len(), 1);
        assert_eq!(misplaced(&source("src/storeroom/list.rs", text)).len(), 2);
        assert_eq!(misplaced(&source("src/domain/id.rs", "//! x\nuse tokio::time;")).len(), 1);
    }
}
