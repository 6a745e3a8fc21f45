//! The use cases of those who must know who did what: the audit record, what was sent, withdrawing it.

mod noted;

use std::{net::IpAddr, sync::Arc};

use crate::{
    domain::{
        Actor, AuditAction, AuditEntry, AuthFailure, Principal, PrincipalKind, Result, TenantId, Timestamp,
    },
    store::{AuditPage, AuditQuery, Matched, SentPage, SentQuery, Store, Withdrawal},
};
use noted::{KnownRefusals, Refusals, RefusedReloads, UsedKeys};

/// Keeps and reads the audit record, and acts on what it shows. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    store: Store,
    used: Arc<UsedKeys>,
    unknown: Arc<Refusals>,
    known: Arc<KnownRefusals>,
    reloads: Arc<RefusedReloads>,
}

impl Audit {
    /// Works on this store.
    pub fn new(store: Store) -> Self {
        let (used, unknown, known, reloads) = Default::default();
        Self { store, used, unknown, known, reloads }
    }

    /// A page of the tenant's audit record, newest first.
    pub async fn list(&self, tenant: &TenantId, query: &AuditQuery) -> Result<AuditPage> {
        self.store.audit(tenant, query).await
    }

    /// A page of what was sent in the tenant and still stands in an inbox, newest first.
    pub async fn sent(&self, tenant: &TenantId, query: &SentQuery) -> Result<SentPage> {
        self.store.sent(tenant, query).await
    }

    /// Withdraws what was sent; says how many there were.
    pub async fn withdraw(&self, tenant: &TenantId, what: &Withdrawal, by: &Actor) -> Result<u64> {
        self.store.withdraw(tenant, what, by).await
    }

    /// Counts what a withdrawal would take, and takes nothing.
    pub async fn match_withdrawal(&self, tenant: &TenantId, what: &Withdrawal) -> Result<Matched> {
        self.store.match_withdrawal(tenant, what).await
    }

    /// Learns which keys of these tenants have been used today, so that a restart records none again.
    pub async fn recall(&self, tenants: impl Iterator<Item = &TenantId>, now: Timestamp) -> Result<()> {
        for tenant in tenants {
            let mut query = AuditQuery {
                limit: 1_000,
                action: Some(AuditAction::KeyUsed),
                since: Some(noted::day_start(now)),
                ..AuditQuery::default()
            };
            loop {
                let page = self.store.audit(tenant, &query).await?;
                for name in page.records.iter().filter_map(|record| record.principal.as_deref()) {
                    self.used.is_new(tenant, name, now);
                }
                query.before = page.next;
                if query.before.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Notes that a principal was admitted: a key's first use of a day is recorded, beside the request.
    pub fn admitted(&self, principal: &Principal, request_id: &str, now: Timestamp) {
        if !matches!(principal.kind, PrincipalKind::Key { .. })
            || !self.used.is_new(&principal.tenant, &principal.name, now)
        {
            return;
        }
        let by = Actor { principal: Arc::clone(&principal.name), request_id: request_id.to_owned() };
        let (audit, tenant) = (self.clone(), principal.tenant.clone());
        spawn(async move {
            if !audit.write(&tenant, AuditEntry::by(&by, AuditAction::KeyUsed)).await {
                // Its next use tries again.
                audit.used.forget(&tenant, &by.principal);
            }
        });
    }

    /// Notes a refused credential, and whose it is where that is known: a few a minute are recorded, with
    /// the number of those that were not. `client` is asked only then. What presented no credential, or a
    /// good one in the wrong place, is none.
    pub fn refused(
        &self,
        why: AuthFailure,
        whose: Option<&Principal>,
        request_id: &str,
        client: impl FnOnce() -> IpAddr,
    ) {
        if matches!(why, AuthFailure::Missing | AuthFailure::UserRequired) {
            return;
        }
        let unrecorded = match whose {
            Some(Principal { tenant, name, .. }) => self.known.admit(tenant, name),
            None => self.unknown.admit(),
        };
        let Some(unrecorded) = unrecorded else { return };
        let mut entry = AuditEntry::of_nobody(AuditAction::CredentialRefused)
            .with("reason", why.as_str())
            .with("address", client().to_string())
            .with("unrecorded", unrecorded);
        entry.request_id = Some(request_id.to_owned());
        entry.principal = whose.map(|principal| Arc::clone(&principal.name));
        self.note(&whose.map(|principal| principal.tenant.clone()).unwrap_or_default(), entry);
    }

    /// Records that a generation of the configuration came into force, and what changed for each tenant, a line each.
    pub async fn reloaded(&self, generation: u64, records: &[(TenantId, Vec<String>)]) {
        self.reloads.end();
        for (tenant, changes) in records {
            self.write(tenant, AuditEntry::reload(generation, changes)).await;
        }
    }

    /// Notes that a configuration was refused, and why, one problem a line.
    pub fn reload_refused(&self, why: &str) {
        if self.reloads.admit(why) {
            let entry = AuditEntry::refused_configuration(AuditAction::ConfigRefused, why);
            self.note(&TenantId::default(), entry);
        }
    }

    /// Notes that the gateway started from the last good configuration, and why.
    pub fn started_from_last_good(&self, why: &str) {
        let entry = AuditEntry::refused_configuration(AuditAction::ConfigLastGood, why);
        self.note(&TenantId::default(), entry);
    }

    /// Records an entry beside whatever the caller does.
    pub fn note(&self, tenant: &TenantId, entry: AuditEntry) {
        let (audit, tenant) = (self.clone(), tenant.clone());
        spawn(async move {
            audit.write(&tenant, entry).await;
        });
    }

    async fn write(&self, tenant: &TenantId, entry: AuditEntry) -> bool {
        let action = entry.action;
        let written = self.store.record(tenant, entry).await;
        if let Err(e) = &written {
            tracing::warn!(error = %e, %tenant, %action, "an entry of the audit record was lost");
        }
        written.is_ok()
    }
}

/// Runs beside the caller, who may be on their way out with the whole runtime.
fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(work);
    }
}
