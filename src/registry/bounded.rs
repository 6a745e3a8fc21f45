//! Builds each type or hook on a thread of its own and waits for it so long, so that one whose building has no end
//! holds up no other.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use super::{PluginFolder, PluginProblem, shelf::Plugin};

/// The most problems of one folder that are kept.
const MOST_PROBLEMS: usize = 100;

/// How long the building of one may take, its cases included.
const WITHIN: Duration = Duration::from_secs(3);
/// How many may go on building past their time. A thread cannot be ended, and each takes a processor.
const MOST_STUCK: usize = 2;

/// Bytes of the stack of a thread that runs types. A schema that may take more is checked on a thread of its own.
pub const STACK: usize = 8 << 20;

type Built<P> = Result<P, Vec<PluginProblem>>;

/// What took too long. A registry hands it on to the next.
#[derive(Debug)]
pub(super) struct BoundedBuilds<P> {
    within: Duration,
    /// By name and content: what came of it in the end, or nothing while it is still being built.
    late: Mutex<Late<P>>,
}

type Late<P> = BTreeMap<Content, Option<Built<P>>>;
/// A name, and the fingerprint of the files.
type Content = (String, [u8; 32]);

impl<P> Default for BoundedBuilds<P> {
    fn default() -> Self {
        Self::within(WITHIN)
    }
}

impl<P> BoundedBuilds<P> {
    pub(super) fn within(within: Duration) -> Self {
        Self { within, late: Mutex::default() }
    }
}

impl<P: Plugin> BoundedBuilds<P> {
    /// Builds one. One that took too long is not begun again: once it has ended, that is taken.
    pub fn build(self: &Arc<Self>, folder: &PluginFolder) -> Built<P> {
        let fault = |message: String| Err(vec![folder.problem("", None, message)]);
        let (within, content) = (self.within, (folder.name.clone(), folder.fingerprint()));
        let mut late = self.late();
        match late.remove(&content) {
            Some(Some(built)) => return built,
            Some(None) => {
                late.insert(content, None);
                return fault(format!("it takes longer than {within:?} to build, and is still being built"));
            }
            None => {}
        }
        if late.values().filter(|built| built.is_none()).count() >= MOST_STUCK {
            return fault(format!(
                "it was not tried, as {MOST_STUCK} {}s are being built without an end; a restart ends that",
                folder.sort.word()
            ));
        }
        drop(late);
        let (done, built) = mpsc::channel();
        let (builds, own, key) = (Arc::clone(self), folder.clone(), content.clone());
        let work = move || {
            // What panics is a fault of its own alone, never of the load.
            let result = catch_unwind(AssertUnwindSafe(|| P::build(&own)))
                .unwrap_or_else(|_| Err(vec![own.problem("", None, "a component panicked on it")]))
                .map_err(|mut problems| {
                    problems.truncate(MOST_PROBLEMS);
                    problems
                });
            match builds.late().get_mut(&key) {
                Some(late) => *late = Some(result),
                // Whoever began it still waits.
                None => drop(done.send(result)),
            }
        };
        let thread = thread::Builder::new().name(folder.sort.word().into());
        if let Err(e) = thread.stack_size(STACK).spawn(work) {
            return fault(format!("it could not be built: {e}"));
        }
        match built.recv_timeout(within) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => return fault("its building broke off".into()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let mut late = self.late();
        // It may have ended just now.
        if let Ok(result) = built.try_recv() {
            return result;
        }
        late.insert(content, None);
        fault(format!("it takes longer than {within:?} to build"))
    }

    /// What took too long and has ended since.
    pub fn ended(&self) -> Vec<Content> {
        self.late().iter().filter(|(_, built)| built.is_some()).map(|(content, _)| content.clone()).collect()
    }

    /// Drops what a whole load did not take: its folder has changed since.
    pub fn forget(&self, ended: &[Content]) {
        self.late().retain(|content, _| !ended.contains(content));
    }

    fn late(&self) -> MutexGuard<'_, Late<P>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{NotificationType, Registry},
        *,
    };
    use crate::{config::Sort, domain::TenantId};

    #[test]
    fn what_took_too_long_is_served_once_it_has_ended() {
        let manifest = "description: d\nicon: i\nseverity: info\n";
        let folder = PluginFolder {
            name: "t".into(),
            files: [("type.yaml".to_owned(), manifest.into())].into(),
            ..PluginFolder::default()
        };
        let mut registry = Registry::default();
        registry.types.builds = Arc::new(BoundedBuilds::<NotificationType>::within(Duration::ZERO));
        let mut tries = 0;
        while registry.find(&TenantId::default(), "t").is_none() {
            tries += 1;
            assert!(tries < 10, "it is taken as soon as it has ended");
            let loaded = Registry::load(std::slice::from_ref(&folder), Some(&registry));
            registry = loaded.registry;
            while !loaded.problems.is_empty() && !registry.has_late() {
                thread::yield_now();
            }
        }
        assert!(!registry.has_late() && registry.quarantined(Sort::Type).is_empty());
        // What changed in the meantime is not taken.
        let changed =
            PluginFolder { files: [("type.yaml".to_owned(), "no: 1".into())].into(), ..folder.clone() };
        registry.types.builds.late().insert(("t".into(), [0; 32]), Some(Err(Vec::new())));
        let _ = Registry::load(&[changed], Some(&registry));
        assert!(!registry.types.builds.late().contains_key(&("t".to_owned(), [0; 32])));
    }
}
