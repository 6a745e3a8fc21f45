//! Hears the hints of other nodes, and notices when it hears nothing.

use std::convert::Infallible;
use std::io::{Error as IoError, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connect::Database;
use super::error::timed_out;
use super::hints::{BEAT, CHANNEL, Hints, Moved, read};
use crate::store::writer::{CommitListener, Elsewhere};

/// A node hears its own hints too, so a connection that brings none for so long brings nothing.
const SILENCE: Duration = BEAT.saturating_mul(4);
/// Before a connection is tried again that could not be made, and one that brought nothing from the first.
const REST: Duration = Duration::from_secs(3);
const LONG_REST: Duration = Duration::from_secs(60);

/// Tells and hears hints until this value goes.
pub(super) struct Neighbours([JoinHandle<()>; 2]);

impl Neighbours {
    pub fn meet(database: &Arc<Database>, hints: &Arc<Hints>, listener: Arc<dyn CommitListener>) -> Self {
        let ear = Ear { database: database.clone(), node: hints.node.clone(), listener, state: State::New };
        Self([tokio::spawn(hints.clone().tell(database.clone())), tokio::spawn(ear.run())])
    }

    pub fn part(&self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        self.part();
    }
}

struct Ear {
    database: Arc<Database>,
    node: String,
    listener: Arc<dyn CommitListener>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Hears,
    Deaf,
}

/// Why nothing more is heard.
#[derive(Debug, thiserror::Error)]
enum Lost {
    /// As where a pooler lends out connections by the transaction, though it may also be a broken network.
    #[error("a connection brings none, not even this node's own, as behind a pooler in transaction mode")]
    Silent,
    #[error(transparent)]
    Failed(#[from] sqlx::Error),
}

impl Ear {
    async fn run(mut self) {
        if !self.database.named {
            // A pooler in transaction mode. What listens there is nobody's connection.
            return self.warn("the store's URL is one for a pooler in transaction mode");
        }
        loop {
            let Err(lost) = self.listen().await;
            let rest = match (self.state, &lost) {
                (State::Hears, _) => Duration::ZERO,
                (_, Lost::Silent) => LONG_REST,
                (_, Lost::Failed(_)) => REST,
            };
            if self.state != State::Deaf {
                self.warn(lost);
                self.state = State::Deaf;
            }
            tokio::time::sleep(rest).await;
        }
    }

    fn warn(&self, why: impl std::fmt::Display) {
        tracing::warn!(
            %why,
            "no hints of other nodes are heard; counts that they change are seen later by the time that a count is \
             remembered"
        );
    }

    /// Hears on a new connection until it brings nothing more.
    async fn listen(&mut self) -> Result<Infallible, Lost> {
        let pool = self.database.pool_of_one();
        let connecting = async {
            let mut ear = PgListener::connect_with(&pool).await?;
            ear.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(ear)
        };
        let mut ear =
            timeout(self.database.times().statement, connecting).await.map_err(|_| timed_out())??;
        ear.eager_reconnect(false);
        // Whatever was told before was not heard.
        self.listener.moved_elsewhere(Elsewhere::Anywhere);
        loop {
            let heard = timeout(SILENCE, ear.try_recv()).await.map_err(|_| Lost::Silent)??;
            let heard = heard.ok_or_else(|| sqlx::Error::from(IoError::from(ErrorKind::UnexpectedEof)))?;
            if self.state == State::Deaf {
                tracing::info!("hints of other nodes are heard again");
            }
            self.state = State::Hears;
            let (node, moved) = read(heard.payload());
            if node == self.node {
                continue;
            }
            match moved {
                Moved::Some(inboxes) => {
                    for inbox in inboxes {
                        self.listener.moved_elsewhere(Elsewhere::Inbox(&inbox.tenant, inbox.user));
                    }
                }
                Moved::Any => self.listener.moved_elsewhere(Elsewhere::Anywhere),
            }
        }
    }
}
