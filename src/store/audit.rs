//! The audit record: appended to, read in pages, purged after its retention.

use std::time::Duration;

use super::Store;
use super::command::Command;
use super::maintain::before;
use super::page::Filling;
use super::sent::{Listed, SCAN};
use crate::domain::{AuditAction, AuditEntry, AuditRecord, Result, TenantId, Timestamp};

/// Which part of the audit record to read.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Only records before this place.
    pub before: Option<i64>,
    /// How many at most.
    pub limit: u32,
    /// Only those of this action.
    pub action: Option<AuditAction>,
    /// Only those of the principal of this name.
    pub principal: Option<String>,
    /// Only those from this time on.
    pub since: Option<Timestamp>,
    /// Only those before this time.
    pub until: Option<Timestamp>,
}

/// Part of the audit record.
#[derive(Debug, Clone)]
pub struct AuditPage {
    /// Newest first.
    pub records: Vec<AuditRecord>,
    /// Where to go on: before this place. A page may be short, or empty, and yet have one, as one
    /// call looks at a bounded number of records.
    pub next: Option<i64>,
}

impl Listed for AuditRecord {
    fn place(&self) -> i64 {
        self.seq
    }

    fn size(&self) -> usize {
        self.detail.len() + 200
    }
}

/// A part to be looked at by an engine: the places from `from` to before `before`, at most `scan`.
pub(crate) struct AuditWindow<'a> {
    pub before: i64,
    pub from: i64,
    pub scan: u32,
    pub limit: u32,
    pub action: Option<AuditAction>,
    pub principal: Option<&'a str>,
}

impl Store {
    /// Appends to the audit record of a tenant; durable when this returns.
    pub async fn record(&self, tenant: &TenantId, entry: AuditEntry) -> Result<()> {
        self.submit(Command::Record(tenant.clone(), entry)).await.map(drop)
    }

    /// A page of a tenant's audit record.
    pub async fn audit(&self, tenant: &TenantId, query: &AuditQuery) -> Result<AuditPage> {
        let end = query.until.map_or(i64::MAX, |at| at.0);
        let mut window = AuditWindow {
            before: query.before.unwrap_or(i64::MAX).min(end),
            from: query.since.map_or(i64::MIN, |at| at.0),
            scan: SCAN,
            limit: 0,
            action: query.action,
            principal: query.principal.as_deref(),
        };
        let mut filling = Filling::new(query.limit);
        while let Some(step) = filling.step() {
            window.limit = step;
            window.before = filling.next().unwrap_or(window.before);
            let found = self.0.reads.of(tenant).await?.audit(tenant, &window).await?;
            filling.add(found.page(step));
        }
        let (records, next) = filling.page();
        Ok(AuditPage { records, next })
    }

    /// Purges what is older than its retention from the audit record of every tenant, in chunks;
    /// says how many records that were.
    pub async fn purge_audit(&self, keep: Duration) -> Result<u64> {
        if self.0.time.ahead().is_some() || self.0.time.behind().is_some() {
            return Ok(0);
        }
        let before = before(self.0.time.for_expiry(), keep);
        self.repeat(|| Command::PurgeAudit(before)).await
    }
}
