//! Builds each type on a thread of its own and within a time, so that one whose building has no end holds up
//! no other.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use super::{NotificationType, TypeFolder, TypeProblem, build};

/// How long the building of a type may take, its cases included.
const WITHIN: Duration = Duration::from_secs(3);
/// How many types may go on building past their time. A thread cannot be ended, and each takes a processor.
const MOST_STUCK: usize = 2;

/// What is being built past its time, by name and content. A registry hands it on to the next.
#[derive(Debug, Default)]
pub(super) struct BoundedBuilds(Mutex<BTreeSet<(String, [u8; 32])>>);

impl BoundedBuilds {
    /// Builds a type. One that took too long is not begun again while its building goes on.
    pub fn build(self: &Arc<Self>, folder: &TypeFolder) -> Result<NotificationType, Vec<TypeProblem>> {
        let fault = |message: String| Err(vec![folder.problem("", None, message)]);
        let content = (folder.name.clone(), folder.fingerprint());
        let stuck = self.stuck();
        if stuck.contains(&content) {
            return fault(format!("it takes longer than {WITHIN:?} to build, and is still being built"));
        }
        if stuck.len() >= MOST_STUCK {
            return fault(format!(
                "it was not tried, as {MOST_STUCK} types are being built without an end; a restart ends that"
            ));
        }
        drop(stuck);
        let (done, built) = mpsc::channel();
        let (builds, own, key) = (Arc::clone(self), folder.clone(), content.clone());
        let work = move || {
            let result = build::build(&own);
            let mut stuck = builds.stuck();
            // Nobody listens any more where it took too long.
            let _ = done.send(result);
            stuck.remove(&key);
        };
        if let Err(e) = thread::Builder::new().name("type".into()).spawn(work) {
            return fault(format!("it could not be built: {e}"));
        }
        match built.recv_timeout(WITHIN) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => return fault("its building broke off".into()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let mut stuck = self.stuck();
        // It may have ended just now.
        if let Ok(result) = built.try_recv() {
            return result;
        }
        stuck.insert(content);
        fault(format!("it takes longer than {WITHIN:?} to build"))
    }

    fn stuck(&self) -> MutexGuard<'_, BTreeSet<(String, [u8; 32])>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
