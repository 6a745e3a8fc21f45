//! What wakes the reload before its time: file events and SIGHUP.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Wakes on file events, on SIGHUP, and after a time in any case.
pub struct Waker {
    woken: Arc<Notify>,
    /// There was a SIGHUP since somebody last looked.
    asked: Arc<AtomicBool>,
    // Dropping it would end the events.
    _watcher: Option<RecommendedWatcher>,
}

impl Waker {
    /// Watches the folders that hold these paths. Where that is impossible, time alone wakes.
    pub fn start<'p>(paths: impl Iterator<Item = &'p Path>) -> Self {
        let woken = Arc::new(Notify::new());
        let watcher = watch(paths, &woken).inspect_err(|e| {
            tracing::warn!(error = %e, "files cannot be watched; changes are found by looking");
        });
        let asked = Arc::default();
        on_hangup(&woken, &asked);
        Self { woken, asked, _watcher: watcher.ok() }
    }

    /// Waits for an event, at most so long. Says whether there was a SIGHUP.
    pub async fn next(&self, at_most: Duration) -> bool {
        let _ = tokio::time::timeout(at_most, self.woken.notified()).await;
        self.asked.swap(false, Ordering::Relaxed)
    }
}

fn watch<'p>(
    paths: impl Iterator<Item = &'p Path>,
    woken: &Arc<Notify>,
) -> notify::Result<RecommendedWatcher> {
    let wake = Arc::clone(woken);
    let paths: Vec<_> = paths.map(Path::to_owned).collect();
    let inputs: Vec<_> = paths.iter().filter_map(|p| std::path::absolute(p).ok()).collect();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|e| concerns(&e, &inputs)) {
            wake.notify_one();
        }
    })?;
    let folders: BTreeSet<_> =
        paths.iter().filter_map(|p| if p.is_dir() { Some(p.as_path()) } else { p.parent() }).collect();
    for folder in folders {
        // The parent of a bare name is empty, and means this folder.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        // A folder that is not there yet is found by looking.
        if let Ok(folder) = std::path::absolute(folder) {
            let _ = watcher.watch(&folder, RecursiveMode::NonRecursive);
        }
    }
    Ok(watcher)
}

/// Whether an event is about an input. Reading raises events too, and the folder may hold a database that is
/// written all the time; what this overlooks, such as a symbolic link's swap, is found by looking.
fn concerns(event: &notify::Event, inputs: &[PathBuf]) -> bool {
    !matches!(event.kind, EventKind::Access(_))
        && event.paths.iter().any(|path| inputs.iter().any(|input| path.starts_with(input)))
}

/// SIGHUP is heard from here on: unheard, it would end the process.
#[cfg(unix)]
fn on_hangup(woken: &Arc<Notify>, asked: &Arc<AtomicBool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (woken, asked) = (Arc::clone(woken), Arc::clone(asked));
    match signal(SignalKind::hangup()) {
        Ok(mut hangups) => drop(tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                asked.store(true, Ordering::Relaxed);
                woken.notify_one();
            }
        })),
        Err(e) => tracing::warn!(error = %e, "SIGHUP cannot be heard"),
    }
}

#[cfg(not(unix))]
fn on_hangup(_woken: &Arc<Notify>, _asked: &Arc<AtomicBool>) {}
