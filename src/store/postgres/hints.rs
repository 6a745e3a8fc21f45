//! Hints to other nodes: whose heads were moved here, told after the commit, gathered, on a connection of their own.
//!
//! A hint makes things sooner, never right: it may come late, twice or never. It is no part of a writing
//! transaction, as PostgreSQL commits transactions that notify one after the other, and it waits for no sync.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::ask::ask;
use super::connect::Database;
use super::error::timed_out;
use crate::domain::{Change, TenantId, UserId};
use crate::store::command::{InboxKey, key};

pub(super) const CHANNEL: &str = "bellboard_moved";

/// How often a node says at least that it is there, by which it hears that it hears.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// What is told in so long goes together.
const GATHER: Duration = Duration::from_millis(50);
/// More inboxes than that are not named one by one.
const MOST: usize = 2_000;
/// Bytes of a payload, about. PostgreSQL takes less than 8,000.
const ROOM: usize = 4_000;

/// What this node has to tell.
pub(super) struct Hints {
    /// The name that it knows its own hints by.
    pub node: String,
    untold: Mutex<Moved>,
    wake: Notify,
}

/// Whose heads were moved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Moved {
    Some(HashSet<InboxKey>),
    /// Nobody knows.
    Any,
}

impl Default for Moved {
    fn default() -> Self {
        Self::Some(HashSet::new())
    }
}

impl Hints {
    pub fn new(node: i64) -> Self {
        Self { node: format!("{node:016x}"), untold: Mutex::default(), wake: Notify::new() }
    }

    /// Notes what was committed. It waits for nothing.
    pub fn note(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        if let Moved::Some(inboxes) = &mut *untold {
            let moved = changes.iter().map(|c| key(&c.tenant, c.user));
            inboxes.extend(moved);
            if inboxes.len() > MOST {
                *untold = Moved::Any;
            }
        }
        drop(untold);
        self.wake.notify_one();
    }

    /// Tells what is noted, for ever.
    pub async fn tell(self: Arc<Self>, database: Arc<Database>) {
        let mut connection = None;
        loop {
            // A beat, unless there is something to tell before.
            let _ = timeout(BEAT, self.wake.notified()).await;
            let payloads = write(&self.node, self.replace(Moved::default()));
            let telling = send(&database, &mut connection, payloads);
            let told = timeout(2 * database.times().statement, telling).await;
            match told.unwrap_or_else(|_| Err(timed_out())) {
                Ok(()) => tokio::time::sleep(GATHER).await,
                Err(error) => {
                    tracing::debug!(%error, "other nodes were not told what changed");
                    connection = None;
                    // Said once it can be.
                    self.replace(Moved::Any);
                    tokio::time::sleep(BEAT).await;
                }
            }
        }
    }

    fn replace(&self, with: Moved) -> Moved {
        std::mem::replace(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner), with)
    }
}

/// One transaction by itself. With no sync to wait for, as nothing in it need last: other hints wait for its end.
async fn send(
    database: &Database,
    connection: &mut Option<PgConnection>,
    payloads: Vec<String>,
) -> sqlx::Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(database.connect().await?),
    };
    let notify = ask("SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, payload)
           FROM unnest($2::text[]) AS payload");
    database.alone(&notify.bind(CHANNEL).bind(payloads), connection).await.map(drop)
}

/// `NODE TENANT:USER,USER TENANT:USER`, in as many payloads as it takes; `NODE *` for any. With nothing to tell,
/// `NODE` alone.
fn write(node: &str, moved: Moved) -> Vec<String> {
    let Moved::Some(inboxes) = moved else { return vec![format!("{node} *")] };
    let mut inboxes: Vec<_> = inboxes.into_iter().collect();
    inboxes.sort_unstable();
    let mut payloads = vec![node.to_owned()];
    let mut tenant = None;
    for inbox in &inboxes {
        if payloads.last().is_some_and(|payload| payload.len() > ROOM) {
            payloads.push(node.to_owned());
            tenant = None;
        }
        let Some(payload) = payloads.last_mut() else { continue };
        // Writing to a text cannot fail.
        let _ = match tenant == Some(&inbox.tenant) {
            true => write!(payload, ",{}", inbox.user),
            false => write!(payload, " {}:{}", inbox.tenant, inbox.user),
        };
        tenant = Some(&inbox.tenant);
    }
    payloads
}

/// Who tells, and what. What is not understood, as another version may say it, is taken for any.
pub(super) fn read(payload: &str) -> (&str, Moved) {
    let (node, rest) = payload.split_once(' ').unwrap_or((payload, ""));
    let mut inboxes = HashSet::new();
    for word in rest.split(' ').filter(|word| !word.is_empty()) {
        let Some(of_tenant) = read_tenant(word) else { return (node, Moved::Any) };
        inboxes.extend(of_tenant);
    }
    (node, Moved::Some(inboxes))
}

fn read_tenant(word: &str) -> Option<Vec<InboxKey>> {
    let (tenant, users) = word.split_once(':')?;
    let tenant = TenantId::new(tenant).ok()?;
    let key = |user: &str| {
        let user = UserId::new(user.parse().ok()?).ok()?;
        Some(InboxKey { tenant: tenant.clone(), user })
    };
    users.split(',').map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inboxes(count: i64) -> HashSet<InboxKey> {
        let key = |n: i64| {
            let tenant = TenantId::new(&format!("tenant-{}", n % 3)).expect("a name");
            InboxKey { tenant, user: UserId::new(crate::domain::MAX_ID - n).expect("an id") }
        };
        (0..count).map(key).collect()
    }

    #[test]
    fn what_is_written_is_read_and_fits() {
        for count in [0, 1, 5, MOST as i64] {
            let payloads = write("n", Moved::Some(inboxes(count)));
            let mut found = HashSet::new();
            for payload in &payloads {
                assert!(payload.len() < 7_000, "{}", payload.len());
                let ("n", Moved::Some(some)) = read(payload) else { panic!("{payload}") };
                found.extend(some);
            }
            assert_eq!(found, inboxes(count));
        }
        assert_eq!(write("n", Moved::Some(inboxes(1))), ["n tenant-0:9007199254740991"]);
        assert_eq!(write("n", Moved::Any), ["n *"]);
    }

    #[test]
    fn what_is_not_understood_is_taken_for_any() {
        for payload in
            ["n *", "n default", "n default:0", "n default:x", "n Default:1", "n a:1 b:", "n \u{1F514}"]
        {
            assert_eq!(read(payload), ("n", Moved::Any), "{payload}");
        }
        assert_eq!(read(""), ("", Moved::default()));
    }

    #[test]
    fn too_many_are_any() {
        let hints = Hints::new(1);
        let change = |inbox: InboxKey| Change {
            tenant: inbox.tenant,
            user: inbox.user,
            rev: 1,
            unread: 1,
            kind: crate::domain::ChangeKind::Arrived,
            notification: None,
        };
        let changes: Vec<_> = inboxes(MOST as i64 + 1).into_iter().map(change).collect();
        hints.note(&changes[..MOST]);
        assert!(matches!(hints.replace(Moved::default()), Moved::Some(some) if some.len() == MOST));
        hints.note(&changes);
        hints.note(&changes[..1]);
        assert_eq!(hints.replace(Moved::default()), Moved::Any);
    }
}
