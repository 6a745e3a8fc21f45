//! The audit record.

use std::time::Duration;

use bellboard::domain::{Actor, AuditAction, AuditEntry, AuditRecord, Profile};
use bellboard::store::{AuditQuery, Store};

use super::bed::*;

pub fn actor(name: &str) -> Actor {
    Actor { principal: name.into(), request_id: format!("request-of-{name}") }
}

pub fn every() -> AuditQuery {
    AuditQuery { limit: 200, ..AuditQuery::default() }
}

/// The record of the tenant `default`, newest first.
pub async fn records(store: &Store, query: AuditQuery) -> Vec<AuditRecord> {
    store.audit(&tenant(), &query).await.expect("a page").records
}

async fn actions(store: &Store, query: AuditQuery) -> Vec<String> {
    records(store, query).await.into_iter().map(|record| record.action).collect()
}

async fn record(store: &Store, action: AuditAction, by: &str) {
    store.record(&tenant(), AuditEntry::by(&actor(by), action)).await.expect("recorded");
}

pub async fn records_in_the_order_of_time(bed: Bed) {
    let store = bed.with_users().await;
    // Two at one time, and one after the clock was set back, which the store's time never is.
    record(&store, AuditAction::KeyUsed, "key:one").await;
    record(&store, AuditAction::UsersImported, "key:one").await;
    bed.clock.advance_seconds(-60);
    store.record(&tenant(), AuditEntry::reload(2, &["limits: title".into()])).await.expect("recorded");
    let found = records(&store, every()).await;
    let told: Vec<_> = found.iter().map(|r| (r.action.as_str(), r.at, r.seq - NOON.0)).collect();
    assert_eq!(told, [("config.reloaded", NOON, 2), ("users.imported", NOON, 1), ("key.used", NOON, 0)]);
    assert_eq!((found[0].principal.as_deref(), found[0].request_id.as_deref()), (None, None));
    assert_eq!(found[0].detail, r#"{"generation":2,"changes":["limits: title"]}"#);
    assert_eq!(found[2].principal.as_deref(), Some("key:one"));
    assert_eq!(found[2].request_id.as_deref(), Some("request-of-key:one"));
    let other = store.audit(&tenant_of("other"), &every()).await.expect("a page");
    assert!(other.records.is_empty());
    assert!(bed.changes().is_empty(), "no inbox moved");
}

pub async fn records_what_users_undergo_with_it(bed: Bed) {
    let store = bed.open().await;
    let by = actor("key:one");
    for _ in 0..2 {
        store.put_user(&tenant(), user_id(7), Profile::default(), Some(&by)).await.expect("stored");
    }
    store.put_user(&tenant(), user_id(8), Profile::default(), None).await.expect("stored");
    store.erase_user(&tenant(), user_id(7), Some(&by)).await.expect("erased");
    store.erase_user(&tenant(), user_id(7), Some(&by)).await.expect_err("is erased");
    let found = records(&store, every()).await;
    let told: Vec<_> = found.iter().map(|r| (r.action.as_str(), r.detail.as_str())).collect();
    assert_eq!(
        told,
        [
            ("user.erased", r#"{"user_id":7}"#),
            ("user.put", r#"{"user_id":7,"created":false}"#),
            ("user.put", r#"{"user_id":7,"created":true}"#),
        ]
    );
}

pub async fn filters_and_pages_the_record(bed: Bed) {
    let store = bed.open().await;
    for n in 0..10 {
        let action = if n % 2 == 0 { AuditAction::KeyUsed } else { AuditAction::UserPut };
        record(&store, action, if n < 5 { "key:one" } else { "key:two" }).await;
        bed.clock.advance_seconds(1);
    }
    let used = AuditQuery { action: Some(AuditAction::KeyUsed), ..every() };
    assert_eq!(actions(&store, used.clone()).await.len(), 5);
    let by_one = AuditQuery { principal: Some("key:one".into()), ..used };
    assert_eq!(actions(&store, by_one).await.len(), 3);
    let at = |seconds| Some(NOON.plus_seconds(seconds));
    let between = AuditQuery { since: at(2), until: at(4), ..every() };
    let times: Vec<_> = records(&store, between).await.iter().map(|r| r.at).collect();
    assert_eq!(times, [NOON.plus_seconds(3), NOON.plus_seconds(2)]);

    let mut query = AuditQuery { limit: 4, ..AuditQuery::default() };
    let mut sizes = Vec::new();
    loop {
        let page = store.audit(&tenant(), &query).await.expect("a page");
        sizes.push(page.records.len());
        query.before = page.next;
        if query.before.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [4, 4, 2]);
}

pub async fn purges_the_record_of_every_tenant(bed: Bed) {
    let store = bed.open().await;
    let entry = || AuditEntry::by(&actor("key:one"), AuditAction::KeyUsed);
    for name in ["default", "acme", "zeta"] {
        let writes = (0..310).map(|_| store.record_in(name, entry()));
        futures_util::future::join_all(writes).await;
    }
    bed.clock.advance_seconds(100);
    store.record_in("acme", entry()).await;
    let keep = Duration::from_secs;
    assert_eq!(store.purge_audit(keep(101)).await.expect("purged"), 0);
    assert_eq!(store.purge_audit(keep(99)).await.expect("purged"), 930);
    let left = store.audit(&tenant_of("acme"), &every()).await.expect("a page");
    assert_eq!((left.records.len(), actions(&store, every()).await.len()), (1, 0));
}

trait RecordIn {
    async fn record_in(&self, tenant: &str, entry: AuditEntry);
}

impl RecordIn for Store {
    async fn record_in(&self, tenant: &str, entry: AuditEntry) {
        self.record(&tenant_of(tenant), entry).await.expect("recorded");
    }
}
