//! Hears what PostgreSQL warns of while a transaction is committed, which sqlx only tells as a log event.
//!
//! A COMMIT whose wait for a synchronous replica was cancelled succeeds with no more than a warning.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tracing::instrument::WithSubscriber;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Where sqlx tells of them.
const TARGET: &str = "sqlx::postgres::notice";

pub(super) struct Notices {
    dispatch: Dispatch,
    warned: Arc<AtomicBool>,
}

impl Notices {
    pub fn new() -> Self {
        let warned = Arc::new(AtomicBool::new(false));
        Self { dispatch: Dispatch::new(Ear(warned.clone())), warned }
    }

    /// Whether there was a warning on the way to a future's end, with what it gave.
    pub async fn during<F: Future>(&self, future: F) -> (F::Output, bool) {
        self.warned.store(false, Relaxed);
        let output = future.with_subscriber(self.dispatch.clone()).await;
        (output, self.warned.load(Relaxed))
    }
}

struct Ear(Arc<AtomicBool>);

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        if self.enabled(event.metadata()) {
            self.0.store(true, Relaxed);
        }
    }

    /// So that nothing else is told in more detail for its sake.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
