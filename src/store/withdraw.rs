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

/// What a withdrawal would take.
#[derive(Debug, Default)]
pub struct Matched {
    /// How many, those included that their users deleted a while ago and may put back.
    pub count: u64,
    /// Some of them.
    pub sample: Vec<(UserId, NotificationId)>,
    /// Whether all were counted.
    pub is_complete: bool,
}

/// Maximum number of reads that [`Store::match_withdrawal`] makes.
const MAX_READS: usize = 100;
/// Number of notifications in a sample.
const SAMPLE: usize = 10;

/// The part of a withdrawal that was not looked up yet.
enum Rest<'a> {
    Ids(&'a [NotificationId]),
    Collapsed(CollapseHash, Option<UserId>),
    Sent(Box<SentQuery>),
}

impl<'a> Rest<'a> {
    fn of(what: &'a Withdrawal) -> Self {
        match what {
            Withdrawal::Ids(ids) => Self::Ids(ids),
            Withdrawal::CollapseKey(key) => Self::Collapsed(CollapseHash::of(key), None),
            Withdrawal::Sender { sender, since, until } => Self::Sent(Box::new(SentQuery {
                limit: PAGE,
                sender: Some(sender.clone()),
                since: Some(*since),
                until: *until,
                deleted: true,
                ..SentQuery::default()
            })),
        }
    }
}

impl Store {
    /// Takes what was sent out of its inboxes; gives how many there were. Each chunk is recorded in its
    /// own transaction, so that an error, or dropping the future, leaves a true record of what was
    /// withdrawn until then.
    pub async fn withdraw(&self, tenant: &TenantId, what: &Withdrawal, by: &Actor) -> Result<u64> {
        let (entry, mut rest, mut withdrawn) = (what.entry(by), Some(Rest::of(what)), 0);
        while let Some(next) = rest {
            let (owners, left) = self.look_up(tenant, next).await?;
            withdrawn += self.withdraw_some(tenant, &owners, &entry).await?;
            rest = left;
        }
        Ok(withdrawn)
    }

    /// Counts what a withdrawal would take, and takes nothing.
    pub async fn match_withdrawal(&self, tenant: &TenantId, what: &Withdrawal) -> Result<Matched> {
        let (mut matched, mut rest) = (Matched::default(), Some(Rest::of(what)));
        for _ in 0..MAX_READS {
            let Some(next) = rest else { break };
            let (owners, left) = self.look_up(tenant, next).await?;
            matched.count += owners.len() as u64;
            let room = SAMPLE - matched.sample.len();
            matched.sample.extend(owners.into_iter().take(room));
            rest = left;
        }
        matched.is_complete = rest.is_none();
        Ok(matched)
    }

    /// Looks up the next part of a withdrawal, and gives what is left of it.
    async fn look_up<'a>(
        &self,
        tenant: &TenantId,
        rest: Rest<'a>,
    ) -> Result<(Vec<(UserId, NotificationId)>, Option<Rest<'a>>)> {
        Ok(match rest {
            Rest::Ids(ids) => (self.0.reads.of(tenant).await?.owners(tenant, ids).await?, None),
            Rest::Collapsed(hash, after) => {
                let reads = self.0.reads.of(tenant).await?;
                let (owners, last) = reads.collapsed(tenant, hash, after).await?;
                (owners, last.map(|last| Rest::Collapsed(hash, Some(last))))
            }
            Rest::Sent(mut query) => {
                let page = self.sent(tenant, &query).await?;
                let owners = page.sent.iter().map(|s| (s.notification.user, s.notification.id)).collect();
                query.before = page.next;
                (owners, page.next.map(|_| Rest::Sent(query)))
            }
        })
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
