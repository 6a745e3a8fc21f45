//! The PostgreSQL engine: a few lanes that write, each on a connection of its own, and a pool that reads.

mod alone;
mod answers;
mod ask;
mod audit;
mod connect;
mod copy;
mod deleted;
mod doubt;
mod drift;
mod error;
mod events;
mod flush;
mod heads;
mod hear;
mod hints;
mod history;
mod marks;
mod migrate;
mod notices;
mod page;
mod purge;
mod reads;
mod remove;
mod send;
mod sent;
mod together;
mod users;
mod withdraw;
mod writes;

use std::sync::Arc;

pub use connect::PostgresError;
pub(super) use copy::open_end;

use super::{CommitListener, OpenError, Options};
use connect::Database;
use hear::Neighbours;
use hints::Hints;
use reads::PostgresReads;
use writes::PostgresEngine;

/// Opens the database that a URL names, and brings its schema up to date. The listener is told of what other nodes
/// change in it.
pub(super) async fn open(
    url: &str,
    settings: &Options,
    listener: Arc<dyn CommitListener>,
) -> Result<(Vec<PostgresEngine>, PostgresReads), OpenError> {
    let database = Arc::new(Database::of(url, settings)?);
    migrate::run(&database).await?;
    history::begin(&database).await?;
    copy::refuse_unfinished(&database).await?;
    if settings.min_free_space.is_some() {
        tracing::warn!(
            "store.min_free_space has no meaning with PostgreSQL: the gateway does not see its disk"
        );
    }
    let hints = Arc::new(Hints::new(random()));
    let neighbours = Neighbours::meet(&database, &hints, listener);
    let lanes = (0..settings.lanes.max(1)).map(|_| PostgresEngine::new(database.clone(), hints.clone()));
    Ok((lanes.collect(), PostgresReads::new(database, Some(neighbours))))
}

/// A number that nobody else has.
fn random() -> i64 {
    let mut number = [0; 8];
    // Without randomness the time has to do.
    if getrandom::fill(&mut number).is_err() {
        let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        number = (time.map_or(0, |time| time.as_nanos() as u64)).to_le_bytes();
    }
    i64::from_le_bytes(number)
}
