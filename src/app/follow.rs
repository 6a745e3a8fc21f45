//! Looks after live streams whose inboxes other nodes move: their hints may be lost.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

use crate::{events::Streams, store::Store};

/// How often all heads are looked at that someone follows.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many with one read.
const AT_ONCE: usize = 500;
/// Before the next look where the store could not be read.
const REST: Duration = Duration::from_secs(1);

/// Wakes the streams whose heads have moved, where others may write to the store. Never returns.
pub async fn others(store: Store, streams: Arc<Streams>, is_shared: bool) {
    if !is_shared {
        std::future::pending::<()>().await;
    }
    let mut failed = false;
    loop {
        let next = Instant::now() + LOOK_EVERY;
        match look(&store, &streams).await {
            Ok(()) => failed = false,
            Err(error) => {
                if !failed {
                    tracing::warn!(%error, "what other nodes change is told late: heads could not be read");
                }
                failed = true;
                sleep(REST).await;
            }
        }
        sleep_until(next).await;
    }
}

async fn look(store: &Store, streams: &Streams) -> crate::domain::Result<()> {
    let mut after = None;
    loop {
        let users = streams.users(after.as_ref(), AT_ONCE);
        let Some(last) = users.last() else { return Ok(()) };
        for ((tenant, user), place) in users.iter().zip(store.places_of_all(&users).await?) {
            streams.stands(tenant, *user, place);
        }
        after = Some(last.clone());
    }
}
