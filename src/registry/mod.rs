//! The notification types: loaded from folders of data, compiled once, run for each send.
//!
//! A type is served only when its folder is whole and all of its cases pass. One that is broken
//! keeps its last good version, and is absent when there never was one.

mod build;
mod case;
mod folder;
mod manifest;
mod notification_type;
mod problem;
#[cfg(test)]
mod tests;
mod trace;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use bellboard_sdk::Context;
pub use build::is_name;
pub use folder::{TypeFolder, folders, standard};
pub use notification_type::{NotificationType, Run};
pub use problem::TypeProblem;
pub use trace::Step;

use crate::domain::TenantId;

/// The most types there may be, standard ones included.
const MAX_TYPES: usize = 1_000;

/// Every type that is served. Immutable: a reload makes another.
#[derive(Debug, Default)]
pub struct Registry {
    /// By name; a site's version comes before the standard one that it replaces.
    types: BTreeMap<String, Vec<Arc<NotificationType>>>,
    quarantined: BTreeSet<String>,
    kept: BTreeSet<String>,
}

/// What a load made.
#[derive(Debug)]
pub struct Loaded {
    /// The types that can be served.
    pub registry: Registry,
    /// Everything that is wrong with the others.
    pub problems: Vec<TypeProblem>,
}

impl Registry {
    /// Builds every type and runs its cases. All problems are collected; a broken type keeps its
    /// version in `previous`, or else is quarantined: absent by its name, and with it the standard
    /// type that it was to replace.
    pub fn load(type_folders: &[TypeFolder], previous: Option<&Self>) -> Loaded {
        let mut loaded = Loaded { registry: Self::default(), problems: Vec::new() };
        let mut by_name: BTreeMap<&str, Vec<&TypeFolder>> = BTreeMap::new();
        for (number, folder) in type_folders.iter().enumerate() {
            if number < MAX_TYPES {
                by_name.entry(&folder.name).or_default().push(folder);
            } else if number == MAX_TYPES {
                let message =
                    format!("this folder and those after it are ignored: {MAX_TYPES} types are the most");
                loaded.problems.push(folder.problem("", None, message));
            }
        }
        for (name, named) in by_name {
            loaded.add(name, &named, previous);
        }
        loaded
    }

    /// The type of that name as the tenant has it.
    pub fn find(&self, tenant: &TenantId, name: &str) -> Option<&Arc<NotificationType>> {
        self.types.get(name)?.iter().find(|t| t.serves(tenant))
    }

    /// The types that the tenant may use, by name.
    pub fn for_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<NotificationType>> {
        self.types.values().filter_map(|versions| versions.iter().find(|t| t.serves(tenant)))
    }

    /// How many names are served.
    pub fn count(&self) -> usize {
        self.types.len()
    }

    /// The names of broken types that are absent, as they never had a good version.
    pub fn quarantined(&self) -> impl Iterator<Item = &str> {
        self.quarantined.iter().map(String::as_str)
    }

    /// The names of broken types whose last good version is served.
    pub fn kept(&self) -> impl Iterator<Item = &str> {
        self.kept.iter().map(String::as_str)
    }

    /// The site's or the standard version of a type, whoever may use it.
    fn version(&self, name: &str, standard: bool) -> Option<&Arc<NotificationType>> {
        self.types.get(name)?.iter().find(|t| t.standard == standard)
    }
}

impl Loaded {
    /// Adds what the folders of one name make.
    fn add(&mut self, name: &str, named: &[&TypeFolder], previous: Option<&Registry>) {
        let (standard, site): (Vec<&TypeFolder>, Vec<&TypeFolder>) = named.iter().partition(|f| f.standard);
        let mut versions = Vec::new();
        let mut absent = false;
        for (folders, is_standard) in [(&site, false), (&standard, true)] {
            let [first, more @ ..] = folders.as_slice() else { continue };
            let shadows = !is_standard && !standard.is_empty();
            let built = match more.first() {
                Some(second) => {
                    let message = format!("another folder has the same name: {}", first.origin);
                    Err(vec![second.problem("", None, message)])
                }
                None => build::build(first),
            };
            // A folder that did not ask to replace a standard type leaves it alone.
            let unasked = matches!(&built, Ok(b) if shadows && !b.replaces);
            match built.and_then(|built| built.checked(first, shadows)) {
                Ok(built) => versions.push(Arc::new(built)),
                Err(problems) => {
                    self.problems.extend(problems);
                    if let Some(last) = previous.and_then(|p| p.version(name, is_standard)) {
                        self.registry.kept.insert(name.to_owned());
                        versions.push(last.clone());
                    } else {
                        absent |= !unasked;
                    }
                }
            }
        }
        if absent {
            self.registry.quarantined.insert(name.to_owned());
        } else if !versions.is_empty() {
            self.registry.types.insert(name.to_owned(), versions);
        }
    }
}
