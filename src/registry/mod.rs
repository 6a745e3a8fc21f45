//! The notification types, and the mappings of hooks: loaded from folders of data, compiled once, run for each send.
//!
//! One is served only when its folder is whole and all of its cases pass. One that is broken keeps its last good
//! version, and is absent when there never was one.

mod bounded;
mod build;
mod case;
mod folder;
mod hook;
mod manifest;
mod notification_type;
mod problem;
mod shelf;
#[cfg(test)]
mod tests;
mod trace;

use std::sync::Arc;

use shelf::Shelf;

pub use bellboard_sdk::Context;
pub use bounded::STACK;
pub use build::is_name;
pub use folder::{PluginFolder, folders, standard, standard_hooks};
pub use hook::{Mapped, Mapping, Planned, Reception, Request};
pub use notification_type::{NotificationType, Run};
pub use problem::PluginProblem;
pub use shelf::Source;
pub use trace::Step;

use crate::{config::Sort, domain::TenantId};

/// Every type and every hook's mapping that is served. Immutable: a reload makes another.
#[derive(Debug, Default)]
pub struct Registry {
    types: Shelf<NotificationType>,
    hooks: Shelf<Mapping>,
}

/// What a load made.
#[derive(Debug)]
pub struct Loaded {
    /// What can be served.
    pub registry: Registry,
    /// Everything that is wrong with the rest.
    pub problems: Vec<PluginProblem>,
}

impl Registry {
    /// Builds all that is in the folders and runs its cases, but for what `previous` has as it is. All problems are
    /// collected; what is broken keeps its version in `previous`, or else is quarantined: absent by its name, and
    /// with it the standard one that it was to replace.
    pub fn load(folders: &[PluginFolder], previous: Option<&Self>) -> Loaded {
        let (types, mut problems) = Shelf::load(folders, Sort::Type, previous.map(|p| &p.types));
        let (hooks, more) = Shelf::load(folders, Sort::Mapping, previous.map(|p| &p.hooks));
        problems.extend(more);
        Loaded { registry: Self { types, hooks }, problems }
    }

    /// Whether something that took too long to be built has been built since: the next load takes it.
    pub fn has_late(&self) -> bool {
        self.types.has_late() || self.hooks.has_late()
    }

    /// The type of that name as the tenant has it.
    pub fn find(&self, tenant: &TenantId, name: &str) -> Option<&Arc<NotificationType>> {
        self.types.named(name).iter().find(|t| t.serves(tenant))
    }

    /// The types that the tenant may use, by name.
    pub fn for_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<NotificationType>> {
        self.types.versions().filter_map(|(_, versions)| versions.iter().find(|t| t.serves(tenant)))
    }

    /// The mapping of that name: the site's own, else the standard one.
    pub fn mapping(&self, name: &str) -> Option<&Arc<Mapping>> {
        self.hooks.named(name).first()
    }

    /// How many types there are by name.
    pub fn count(&self) -> usize {
        self.types.versions().count()
    }

    /// What is served of a sort: each name, with what its versions were made from.
    pub fn served(&self, sort: Sort) -> Vec<(&str, Vec<&Source>)> {
        fn sources<P: shelf::Plugin>(shelf: &Shelf<P>) -> Vec<(&str, Vec<&Source>)> {
            shelf.versions().map(|(name, all)| (name, all.iter().map(|p| p.source()).collect())).collect()
        }
        match sort {
            Sort::Type => sources(&self.types),
            Sort::Mapping => sources(&self.hooks),
        }
    }

    /// The names of what is broken and absent, as it never had a good version.
    pub fn quarantined(&self, sort: Sort) -> Vec<&str> {
        match sort {
            Sort::Type => self.types.quarantined().collect(),
            Sort::Mapping => self.hooks.quarantined().collect(),
        }
    }

    /// The names of what is broken and served at its last good version.
    pub fn kept(&self, sort: Sort) -> Vec<&str> {
        match sort {
            Sort::Type => self.types.kept().collect(),
            Sort::Mapping => self.hooks.kept().collect(),
        }
    }
}
