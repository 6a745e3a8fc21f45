//! Withdraws what was sent, in chunks that no send waits behind.

use std::collections::BTreeMap;

use super::collapse::CollapseHash;
use super::command::{Command, Outcome};
use super::sent::SentQuery;
use super::{Store, key, unexpected};
use crate::domain::{Actor, AuditAction, AuditEntry, NotificationId, Result, TenantId, Timestamp, UserId};

/// What to withdraw.
#[derive(Debug, Clone)]
pub enum Withdrawal {
    /// These; those that no inbox shows are passed over.
    Ids(Vec<NotificationId>),
    /// The latest one of each inbox that was sent with this collapse key.
    CollapseKey(String),
    /// All that the principal of this name sent, from a time to before another or until now.
    Sender {
        /// The principal's name.
        sender: String,
        /// From this time on.
        since: Timestamp,
        /// To before this time.
        until: Option<Timestamp>,
    },
}

/// Notifications in one command: each may be in an inbox of its own.
const CHUNK: usize = 200;
/// Notifications in one read.
const PAGE: u32 = 1_000;

impl Withdrawal {
    fn entry(&self, by: &Actor) -> AuditEntry {
        let entry = AuditEntry::by(by, AuditAction::Withdrawn);
        match self {
            Self::Ids(_) => entry.with("by", "ids"),
            Self::CollapseKey(key) => entry.with("by", "collapse_key").with("collapse_key", key.as_str()),
            Self::Sender { sender, since, until } => {
                let entry = entry.with("by", "sender").with("sender", sender.as_str());
                let entry = entry.with("since", since.to_string());
                match until {
                    Some(until) => entry.with("until", until.to_string()),
                    None => entry,
                }
            }
        }
    }
}

impl Store {
    /// Takes what was sent out of its inboxes; gives how many there were. Each chunk is recorded in its
    /// own transaction, so that an error, or dropping the future, leaves a true record of what was
    /// withdrawn until then.
    pub async fn withdraw(&self, tenant: &TenantId, what: &Withdrawal, by: &Actor) -> Result<u64> {
        let entry = what.entry(by);
        let mut withdrawn = 0;
        match what {
            Withdrawal::Ids(ids) => {
                let owners = self.0.reads.of(tenant).await?.owners(tenant, ids).await?;
                withdrawn += self.withdraw_some(tenant, &owners, &entry).await?;
            }
            Withdrawal::CollapseKey(key) => {
                let hash = CollapseHash::of(key);
                let mut after = None;
                loop {
                    let (owners, last) =
                        self.0.reads.of(tenant).await?.collapsed(tenant, hash, after).await?;
                    withdrawn += self.withdraw_some(tenant, &owners, &entry).await?;
                    if last.is_none() {
                        break;
                    }
                    after = last;
                }
            }
            Withdrawal::Sender { sender, since, until } => {
                let mut query = SentQuery {
                    limit: PAGE,
                    sender: Some(sender.clone()),
                    since: Some(*since),
                    until: *until,
                    deleted: true,
                    ..SentQuery::default()
                };
                loop {
                    let page = self.sent(tenant, &query).await?;
                    let owners: Vec<_> =
                        page.sent.iter().map(|s| (s.notification.user, s.notification.id)).collect();
                    withdrawn += self.withdraw_some(tenant, &owners, &entry).await?;
                    if page.next.is_none() {
                        break;
                    }
                    query.before = page.next;
                }
            }
        }
        Ok(withdrawn)
    }

    async fn withdraw_some(
        &self,
        tenant: &TenantId,
        owners: &[(UserId, NotificationId)],
        entry: &AuditEntry,
    ) -> Result<u64> {
        let mut lanes = BTreeMap::<usize, Vec<_>>::new();
        for owner in owners {
            lanes.entry(key(tenant, owner.0).lane(self.0.queue.lanes())).or_default().push(*owner);
        }
        let mut withdrawn = 0;
        for some in lanes.values().flat_map(|owners| owners.chunks(CHUNK)) {
            match self.submit(Command::Withdraw(tenant.clone(), some.to_vec(), entry.clone())).await? {
                Outcome::Rows(rows) => withdrawn += rows,
                other => return Err(unexpected(&other)),
            }
        }
        Ok(withdrawn)
    }
}
