//! The notification types: loaded from folders of data, compiled once, run for each send.
//!
//! A type is served only when its folder is whole and all of its cases pass. One that is broken
//! keeps its last good version, and is absent when there never was one.

mod bounded;
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
    path::Path,
    sync::Arc,
};

use bounded::BoundedBuilds;

pub use bellboard_sdk::Context;
pub use bounded::STACK;
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
    builds: Arc<BoundedBuilds>,
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
    /// Builds every type and runs its cases, but for those that `previous` has as they are. All problems
    /// are collected; a broken type keeps its version in `previous`, or else is quarantined: absent by its
    /// name, and with it the standard type that it was to replace.
    pub fn load(type_folders: &[TypeFolder], previous: Option<&Self>) -> Loaded {
        let builds = previous.map(|p| Arc::clone(&p.builds)).unwrap_or_default();
        let ended = builds.ended();
        let mut loaded = Loaded { registry: Self { builds, ..Self::default() }, problems: Vec::new() };
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
        // What lies below a folder that cannot be read is not gone.
        let closed: Vec<_> =
            type_folders.iter().filter(|f| !f.faults.is_empty()).map(|f| &f.origin).collect();
        let hidden =
            |t: &NotificationType| closed.iter().any(|origin| Path::new(&t.origin).starts_with(origin));
        for (name, last) in previous.iter().flat_map(|p| p.site_versions()).filter(|(_, t)| hidden(t)) {
            let named = by_name.entry(name).or_default();
            if named.iter().all(|folder| folder.standard) {
                loaded.keep(name, last);
            }
        }
        for (name, named) in by_name {
            loaded.add(name, &named, previous);
        }
        loaded.registry.builds.forget(&ended);
        loaded
    }

    /// Whether a type that took too long to be built has been built since: the next load takes it.
    pub fn has_late(&self) -> bool {
        !self.builds.ended().is_empty()
    }

    /// The site's own versions, by name.
    fn site_versions(&self) -> impl Iterator<Item = (&str, &Arc<NotificationType>)> {
        self.versions().filter_map(|(name, versions)| Some((name, versions.iter().find(|t| !t.standard)?)))
    }

    /// The type of that name as the tenant has it.
    pub fn find(&self, tenant: &TenantId, name: &str) -> Option<&Arc<NotificationType>> {
        self.types.get(name)?.iter().find(|t| t.serves(tenant))
    }

    /// The types that the tenant may use, by name.
    pub fn for_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<NotificationType>> {
        self.types.values().filter_map(|versions| versions.iter().find(|t| t.serves(tenant)))
    }

    /// Every type that is served, by name, with its site's and its standard version.
    pub fn versions(&self) -> impl Iterator<Item = (&str, &[Arc<NotificationType>])> {
        self.types.iter().map(|(name, versions)| (name.as_str(), versions.as_slice()))
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
    /// Serves a broken type at its last good version.
    fn keep(&mut self, name: &str, last: &Arc<NotificationType>) {
        self.registry.kept.insert(name.to_owned());
        self.registry.types.entry(name.to_owned()).or_default().push(Arc::clone(last));
    }

    /// Adds what the folders of one name make.
    fn add(&mut self, name: &str, named: &[&TypeFolder], previous: Option<&Registry>) {
        let (standard, site): (Vec<&TypeFolder>, Vec<&TypeFolder>) = named.iter().partition(|f| f.standard);
        let mut absent = false;
        for (folders, is_standard) in [(&site, false), (&standard, true)] {
            let [first, more @ ..] = folders.as_slice() else { continue };
            let shadows = !is_standard && !standard.is_empty();
            let last = previous.and_then(|p| p.version(name, is_standard));
            let built = match more.first() {
                Some(second) => {
                    let message = format!("another folder has the same name: {}", first.origin);
                    Err(vec![second.problem("", None, message)])
                }
                None => self.build(first, last),
            };
            // A folder that did not ask to replace a standard type leaves it alone.
            let unasked = matches!(&built, Ok(b) if shadows && !b.replaces);
            let checked = built.and_then(|built| {
                build::check_replaces(&built, first, shadows)?;
                Ok(built)
            });
            match checked {
                Ok(built) => self.registry.types.entry(name.to_owned()).or_default().push(built),
                Err(problems) => {
                    self.problems.extend(problems);
                    match last {
                        Some(last) => self.keep(name, last),
                        None => absent |= !unasked,
                    }
                }
            }
        }
        // The folder of all types has no name.
        if absent && !name.is_empty() {
            self.registry.types.remove(name);
            self.registry.quarantined.insert(name.to_owned());
        }
    }

    /// Builds a type, or takes it over as it is.
    fn build(
        &self,
        folder: &TypeFolder,
        last: Option<&Arc<NotificationType>>,
    ) -> Result<Arc<NotificationType>, Vec<TypeProblem>> {
        let same = |t: &&Arc<NotificationType>| {
            folder.faults.is_empty() && t.origin == folder.origin && t.fingerprint == folder.fingerprint()
        };
        match last.filter(same) {
            Some(last) => Ok(Arc::clone(last)),
            None => self.registry.builds.build(folder).map(Arc::new),
        }
    }
}
