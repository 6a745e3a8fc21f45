//! The layers, and which imports between them are wrong.

use super::{files::Source, paths};

/// The layers from the top. A module imports modules of lower lines only; those of one line are strangers.
///
/// `metrics` and `clock` are leaves: passed in everywhere, above nothing but the domain.
const LAYERS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["app"],
    &["http", "reload"],
    &["admit", "send", "inbox", "directory", "audit"],
    &["snapshot"],
    &["auth", "limit", "registry", "store", "cache", "events"],
    &["config"],
    &["metrics", "clock"],
    &["domain"],
];

/// The crate's root only lists the modules.
const ROOT: &str = "lib";

/// The imports of a file that do not point down.
pub fn faults(source: &Source) -> Vec<String> {
    let module = module_of(&source.path);
    let from = module.first().map_or(ROOT, String::as_str);
    if from == ROOT {
        return Vec::new();
    }
    let Some(own) = layer(from) else {
        return vec![nowhere(&source.path, 1, from)];
    };
    let mut faults = Vec::new();
    for path in paths::absolute(&source.text, &module) {
        let to = path.first.as_str();
        if to == from {
            continue;
        }
        match layer(to) {
            None => faults.push(nowhere(&source.path, path.line, to)),
            Some(layer) if layer > own => {}
            Some(layer) => {
                let place = if layer == own { "beside" } else { "above" };
                let line = path.line;
                faults
                    .push(format!("{}:{line}: {from} may not import {to}, which is {place} it", source.path));
            }
        }
    }
    faults
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|line| line.contains(&module))
}

fn nowhere(path: &str, line: usize, module: &str) -> String {
    format!("{path}:{line}: crate::{module} is in no layer; give it a place in tests/architecture/layers.rs")
}

/// The module that a file under `src` is: `src/http/send.rs` is `http`, `send`; `src/lib.rs` is the root.
fn module_of(path: &str) -> Vec<String> {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let mut module: Vec<_> = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    if module == [ROOT] {
        module.clear();
    }
    module
}
