//! What the handlers call.

use std::{sync::Arc, time::Duration};

use super::{drain::Draining, memory::Budget};
use crate::{
    audit::Audit, clock::Clock, directory::Directory, events::Streams, inbox::Inbox, metrics::Metrics,
    send::Sending, snapshot::Shared,
};

/// The use cases and what the middleware needs, made by the composition root.
pub struct Services {
    /// What hot reload swaps.
    pub snapshot: Shared,
    /// Sending.
    pub sending: Sending,
    /// A user's own inbox.
    pub inbox: Inbox,
    /// The directory.
    pub directory: Directory,
    /// Who did what.
    pub audit: Audit,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
    /// The memory for bodies of requests and answers.
    pub memory: Arc<Budget>,
    /// How long a body may take to come.
    pub body_timeout: Duration,
    /// The open live streams.
    pub streams: Arc<Streams>,
    /// How many connections the public listener holds.
    pub connections: usize,
    /// Whether the gateway was told to stop.
    pub draining: Draining,
}

/// Services on an empty store in that folder, with the settings that tests start from.
#[cfg(test)]
pub(super) async fn fixture(folder: &std::path::Path) -> Arc<Services> {
    use crate::{
        cache::UnreadCache,
        config::fixture::config,
        limit::Ticks,
        snapshot::Snapshot,
        store::{Options, Store},
    };

    let url = format!("sqlite://{}", folder.join("test.db").display());
    let store = Store::open(&url, Options::default(), Arc::new(()), Arc::new(())).await.unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let clock = Clock::default();
    Arc::new(Services {
        snapshot: Shared::new(Snapshot::fixture(&config(), None, Ticks::default()).unwrap()),
        sending: Sending::new(store.clone(), Arc::clone(&metrics)),
        inbox: Inbox::new(store.clone(), Arc::new(UnreadCache::new(10, None))),
        directory: Directory::new(store.clone()),
        audit: Audit::new(store),
        metrics,
        clock,
        memory: Budget::new(1 << 20),
        body_timeout: Duration::from_secs(5),
        streams: Arc::default(),
        connections: 100,
        draining: Draining::default(),
    })
}
