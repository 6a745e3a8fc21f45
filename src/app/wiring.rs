//! Who is told of a commit, here or on another node: the cache, the live streams and the metrics.

use std::{sync::Arc, time::Duration};

use crate::{
    cache::UnreadCache,
    domain::{Change, TenantId},
    events::Streams,
    metrics::Metrics,
    store::{CommitListener, Elsewhere, Observer},
};

/// Told by the writer after each commit and before any answer.
pub struct Commits {
    /// Forgets the counts that changed.
    pub unread: Arc<UnreadCache>,
    /// Wakes those who follow what changed.
    pub streams: Arc<Streams>,
    /// Counts the batches and what was sent.
    pub metrics: Arc<Metrics>,
}

impl CommitListener for Commits {
    fn committed(&self, changes: &[Change]) {
        for change in changes {
            self.unread.bump(&change.tenant, change.user);
            self.streams.moved(&change.tenant, change.user, change.rev);
        }
    }

    fn moved_elsewhere(&self, whose: Elsewhere<'_>) {
        match whose {
            Elsewhere::Inbox(tenant, user) => {
                self.unread.bump(tenant, user);
                self.streams.may_have_moved(tenant, user);
            }
            // The streams' heads are looked at soon anyway.
            Elsewhere::Anywhere => self.unread.bump_all(),
        }
    }
}

impl Observer for Commits {
    fn batch(&self, commands: usize, commit: Duration) {
        self.metrics.batch_commands.observe(commands as f64);
        self.metrics.commit_seconds.observe(commit.as_secs_f64());
    }

    fn stored(&self, tenant: &TenantId, kind: &str) {
        self.metrics.sends.with_label_values(&[tenant.as_str(), kind]).inc();
    }
}
