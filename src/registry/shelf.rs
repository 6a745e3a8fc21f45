//! What is served of one sort, types or hooks: a broken one keeps its last good version, and is absent when there
//! never was one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use super::{PluginFolder, PluginProblem, bounded::BoundedBuilds};
use crate::config::Sort;

/// The most folders of a sort that there may be, standard ones included.
const MOST: usize = 1_000;

/// What is made from a folder.
pub(super) trait Plugin: Sized + Send + 'static {
    /// Makes it and runs its cases, or says all that is wrong with it.
    fn build(folder: &PluginFolder) -> Result<Self, Vec<PluginProblem>>;

    /// What it was made from.
    fn source(&self) -> &Source;
}

/// What a plugin was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Whether it comes with the gateway.
    pub standard: bool,
    /// SHA-256 over the names and contents of its files: which version it is.
    pub fingerprint: [u8; 32],
    /// The path of its folder.
    pub(super) origin: String,
    /// Whether it says that it takes the place of a standard one.
    pub(super) replaces: bool,
}

impl Source {
    pub(super) fn of(folder: &PluginFolder, replaces: bool) -> Self {
        let (standard, origin) = (folder.standard, folder.origin.clone());
        Self { standard, fingerprint: folder.fingerprint(), origin, replaces }
    }
}

/// Everything of one sort that is served. Immutable: a reload makes another.
#[derive(Debug)]
pub(super) struct Shelf<P> {
    /// By name; a site's version comes before the standard one that it replaces.
    served: BTreeMap<String, Vec<Arc<P>>>,
    quarantined: BTreeSet<String>,
    kept: BTreeSet<String>,
    pub builds: Arc<BoundedBuilds<P>>,
}

impl<P> Default for Shelf<P> {
    fn default() -> Self {
        Self {
            served: BTreeMap::new(),
            quarantined: BTreeSet::new(),
            kept: BTreeSet::new(),
            builds: Arc::default(),
        }
    }
}

impl<P: Plugin> Shelf<P> {
    /// Builds what is in the folders of a sort and runs its cases, but for what `previous` has as it is. All problems
    /// are collected; what is broken keeps its version in `previous`, or else is quarantined: absent by its name,
    /// and with it the standard one that it was to replace.
    pub fn load(folders: &[PluginFolder], sort: Sort, previous: Option<&Self>) -> (Self, Vec<PluginProblem>) {
        let builds = previous.map(|p| Arc::clone(&p.builds)).unwrap_or_default();
        let ended = builds.ended();
        let mut loading = Loading { shelf: Self { builds, ..Self::default() }, problems: Vec::new() };
        let mut by_name: BTreeMap<&str, Vec<&PluginFolder>> = BTreeMap::new();
        for (number, folder) in folders.iter().filter(|folder| folder.sort == sort).enumerate() {
            if number < MOST {
                by_name.entry(&folder.name).or_default().push(folder);
            } else if number == MOST {
                let word = sort.word();
                let message =
                    format!("this folder and those after it are ignored: {MOST} {word}s are the most");
                loading.problems.push(folder.problem("", None, message));
            }
        }
        // What lies below a folder that cannot be read is not gone.
        let closed: Vec<_> = folders.iter().filter(|f| !f.faults.is_empty()).map(|f| &f.origin).collect();
        let hidden = |p: &P| closed.iter().any(|origin| Path::new(&p.source().origin).starts_with(origin));
        for (name, last) in previous.iter().flat_map(|p| p.site_versions()).filter(|(_, p)| hidden(p)) {
            let named = by_name.entry(name).or_default();
            if named.iter().all(|folder| folder.standard) {
                loading.keep(name, last);
            }
        }
        for (name, named) in by_name {
            loading.add(name, &named, previous);
        }
        loading.shelf.builds.forget(&ended);
        (loading.shelf, loading.problems)
    }

    /// All versions of a name, the site's before the standard one.
    pub fn named(&self, name: &str) -> &[Arc<P>] {
        self.served.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Everything that is served, by name.
    pub fn versions(&self) -> impl Iterator<Item = (&str, &[Arc<P>])> {
        self.served.iter().map(|(name, versions)| (name.as_str(), versions.as_slice()))
    }

    /// The names of what is broken and absent, as there never was a good version.
    pub fn quarantined(&self) -> impl Iterator<Item = &str> {
        self.quarantined.iter().map(String::as_str)
    }

    /// The names of what is broken and served at its last good version.
    pub fn kept(&self) -> impl Iterator<Item = &str> {
        self.kept.iter().map(String::as_str)
    }

    /// Whether something that took too long to be built has been built since: the next load takes it.
    pub fn has_late(&self) -> bool {
        !self.builds.ended().is_empty()
    }

    /// The site's own versions, by name.
    fn site_versions(&self) -> impl Iterator<Item = (&str, &Arc<P>)> {
        self.versions().filter_map(|(name, all)| Some((name, all.iter().find(|p| !p.source().standard)?)))
    }

    /// The site's or the standard version of a name.
    fn version(&self, name: &str, standard: bool) -> Option<&Arc<P>> {
        self.named(name).iter().find(|p| p.source().standard == standard)
    }
}

/// A shelf while it is filled.
struct Loading<P> {
    shelf: Shelf<P>,
    problems: Vec<PluginProblem>,
}

impl<P: Plugin> Loading<P> {
    /// Serves what is broken at its last good version.
    fn keep(&mut self, name: &str, last: &Arc<P>) {
        self.shelf.kept.insert(name.to_owned());
        self.serve(name, Arc::clone(last));
    }

    fn serve(&mut self, name: &str, version: Arc<P>) {
        self.shelf.served.entry(name.to_owned()).or_default().push(version);
    }

    /// Adds what the folders of one name make.
    fn add(&mut self, name: &str, named: &[&PluginFolder], previous: Option<&Shelf<P>>) {
        let (standard, site): (Vec<&PluginFolder>, Vec<&PluginFolder>) =
            named.iter().partition(|f| f.standard);
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
            // A folder that did not ask to replace a standard one leaves it alone.
            let unasked = matches!(&built, Ok(b) if shadows && !b.source().replaces);
            let checked = built.and_then(|built| {
                check_replaces(built.source(), first, shadows)?;
                Ok(built)
            });
            match checked {
                Ok(built) => self.serve(name, built),
                Err(problems) => {
                    self.problems.extend(problems);
                    match last {
                        Some(last) => self.keep(name, last),
                        None => absent |= !unasked,
                    }
                }
            }
        }
        // The folder of all of them has no name.
        if absent && !name.is_empty() {
            self.shelf.served.remove(name);
            self.shelf.quarantined.insert(name.to_owned());
        }
    }

    /// Builds one, or takes it over as it is.
    fn build(&self, folder: &PluginFolder, last: Option<&Arc<P>>) -> Result<Arc<P>, Vec<PluginProblem>> {
        let same = |p: &&Arc<P>| {
            let source = p.source();
            let unchanged = source.fingerprint == folder.fingerprint();
            folder.faults.is_empty() && source.origin == folder.origin && unchanged
        };
        match last.filter(same) {
            Some(last) => Ok(Arc::clone(last)),
            None => self.shelf.builds.build(folder).map(Arc::new),
        }
    }
}

/// Whether what was built replaces a standard one exactly as it says.
fn check_replaces(built: &Source, folder: &PluginFolder, shadows: bool) -> Result<(), Vec<PluginProblem>> {
    let word = folder.sort.word();
    let message = match (built.replaces, shadows) {
        (false, true) => {
            format!("a standard {word} has this name; say `replaces: true` to take its place")
        }
        (true, false) => format!("it says `replaces: true`, but there is no standard {word} of this name"),
        _ => return Ok(()),
    };
    Err(vec![folder.problem(folder.sort.manifest(), None, message)])
}
