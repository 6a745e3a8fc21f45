//! The PostgreSQL engine: a few lanes that write, each on a connection of its own, and a pool that reads.

mod ask;
mod audit;
mod connect;
mod copy;
mod drift;
mod error;
mod flush;
mod heads;
mod marks;
mod migrate;
mod notices;
mod page;
mod purge;
mod reads;
mod remove;
mod send;
mod sent;
mod users;
mod withdraw;
mod writes;

use std::sync::Arc;

pub use connect::PostgresError;
pub(super) use copy::open_end;

use super::{OpenError, Options};
use connect::Database;
use reads::PostgresReads;
use writes::PostgresEngine;

/// Opens the database that a URL names, and brings its schema up to date.
pub(super) async fn open(
    url: &str,
    settings: &Options,
) -> Result<(Vec<PostgresEngine>, PostgresReads), OpenError> {
    let database = Arc::new(Database::of(url, settings)?);
    migrate::run(&database).await?;
    copy::refuse_unfinished(&database).await?;
    if settings.min_free_space.is_some() {
        tracing::warn!(
            "store.min_free_space has no meaning with PostgreSQL: the gateway does not see its disk"
        );
    }
    let lanes = (0..settings.lanes.max(1)).map(|_| PostgresEngine::new(database.clone())).collect();
    Ok((lanes, PostgresReads::new(database)))
}
