//! What the gateway is built from: licences that `deny.toml` allows, and no source but the registry.

mod expression;

use std::{collections::BTreeSet, fs, process::Command};

use expression::satisfied;
use serde_json::Value;

/// Where every dependency comes from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[test]
fn every_dependency_has_an_allowed_licence() {
    let (allowed, exceptions) = (allowed(), exceptions());
    let mut faults = Vec::new();
    for package in packages() {
        let (name, version) = (text(&package, "name"), text(&package, "version"));
        match package["license"].as_str() {
            Some(licence) if satisfied(licence, &|name| allowed.contains(name)) => {}
            Some(licence) if exceptions.contains(&(name.to_owned(), licence.to_owned())) => {}
            licence => faults.push(format!("{name} {version}: {}", licence.unwrap_or("names no licence"))),
        }
    }
    assert!(faults.is_empty(), "deny.toml does not allow\n{}\n", faults.join("\n"));
}

#[test]
fn every_dependency_comes_from_the_registry() {
    let lock = file("Cargo.lock");
    let members: BTreeSet<_> = members();
    let mut faults = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let field = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))?;
            Some(line.trim_matches('"').to_owned())
        };
        let name = field("name").unwrap_or_default();
        match field("source") {
            Some(source) if source == REGISTRY => {}
            None if members.contains(&name) => {}
            source => faults
                .push(format!("{name}: {}", source.as_deref().unwrap_or("a folder outside the workspace"))),
        }
    }
    assert!(faults.is_empty(), "Cargo.lock takes from elsewhere\n{}\n", faults.join("\n"));
}

fn text<'a>(package: &'a Value, field: &str) -> &'a str {
    package[field].as_str().unwrap_or_default()
}

/// Every package that this machine builds or tests with, from what is already here.
fn packages() -> Vec<Value> {
    let mut metadata = metadata();
    match metadata["packages"].take() {
        Value::Array(packages) if !packages.is_empty() => packages,
        _ => panic!("cargo metadata names no package"),
    }
}

fn members() -> BTreeSet<String> {
    let local = |package: &Value| package["source"].is_null();
    packages()
        .iter()
        .filter(|package| local(package))
        .map(|package| text(package, "name").to_owned())
        .collect()
}

fn metadata() -> Value {
    // Only this platform's packages: those of others need not have been fetched.
    let version = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo runs");
    let version = String::from_utf8(version.stdout).expect("text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

/// The list `allow` in the section `[licenses]` of `deny.toml`.
fn allowed() -> BTreeSet<String> {
    let deny = file("deny.toml");
    let section = deny.split("\n[licenses]").nth(1).expect("deny.toml has [licenses]");
    let list = section.split("\nallow = [").nth(1).and_then(|rest| rest.split("\n]").next());
    let lines = list.expect("[licenses] has allow, one licence a line").lines();
    let names = lines.filter_map(|line| line.trim().strip_prefix('"')?.split('"').next());
    names.map(str::to_owned).collect()
}

/// The crates that `exceptions` names, each with the licence that it alone may have.
fn exceptions() -> BTreeSet<(String, String)> {
    let deny = file("deny.toml");
    let lines = deny.lines().filter_map(|line| line.trim().strip_prefix("{ crate = \""));
    let exception = |line: &str| {
        let (name, rest) = line.split_once('"')?;
        let licence = rest.strip_prefix(", allow = [\"")?.split('"').next()?;
        Some((name.to_owned(), licence.to_owned()))
    };
    lines.filter_map(exception).collect()
}

fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"))
}
