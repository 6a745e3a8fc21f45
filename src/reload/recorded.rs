//! Tells the audit record of a reload.

use crate::{
    domain::{AuditEntry, TenantId},
    store::Store,
};

/// Records, in the tenant `default`, that a generation came into force, and what changed, a line each.
/// That it cannot be recorded undoes no reload.
pub async fn record(store: &Store, generation: u64, changes: &[String]) {
    let entry = AuditEntry::reload(generation, changes);
    if let Err(e) = store.record(&TenantId::default(), entry).await {
        tracing::warn!(error = %e, generation, "a reload is missing from the audit record");
    }
}
