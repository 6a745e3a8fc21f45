//! Streams and counts while the store cannot expire what is due, as on a full disk or a standby.

use std::{fs, time::Duration};

use bellboard::domain::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::bounds::metric;
use crate::support::{Gateway, Token, gateway::until, settings::PARCEL, stream::Stream, token::now};

const SECRET: &str = "signing-secret-of-the-tenant-acme-0000001";
const KEY: &str = "expiry-key-of-the-tenant-acme-000000001";
const SETTINGS: &str = r#"
streams: {heartbeat: 1s}
plugins: ./plugins
tenants:
  default: {issuers: []}
  acme: {users: open, issuers: [{algorithm: HS256, secret: signing-secret-of-the-tenant-acme-0000001}]}
api_keys:
  expiry-key-of-the-tenant-acme-000000001: {tenant: acme, roles: [admin]}
"#;
/// What the log says of every expiry that fails.
const FAILED: &str = "commands were not stored";

#[tokio::test]
async fn what_cannot_be_expired_is_looked_for_once_a_second_and_heartbeats_go_on() {
    let gateway = Gateway::start_in_file(SETTINGS, |folder| {
        let home = folder.join("plugins/shop/parcel");
        fs::create_dir_all(&home).expect("a folder");
        fs::write(home.join("type.yaml"), PARCEL).expect("a type");
    });
    let api = gateway.api().bearer(Token::of(SECRET, 1).sign());
    let mut stream = Stream::open(&api, None).await;
    stream.expect("ready").await;
    let mut tool = gateway.tool().await;
    tool.run("CREATE TRIGGER broken BEFORE DELETE ON inbox BEGIN SELECT RAISE(ABORT, 'no'); END").await;
    let until_then = Timestamp((now() + 2) * 1_000_000).to_string();
    let metadata = json!({"parcel": 1, "until": until_then});
    let parcel = json!({"user_id": 1, "type": "parcel", "title": "t", "metadata": metadata});
    let sent = gateway.api().key(KEY).send(&parcel).await.expect(201).id();
    stream.expect("notification").await;
    until("it is due, and cannot be expired", || gateway.log().contains(FAILED));

    let (failed, start) = (gateway.log().matches(FAILED).count(), Instant::now());
    for _ in 0..3 {
        assert_eq!(stream.frame().await.as_deref(), Some(":"));
    }
    let (failed, seconds) = (gateway.log().matches(FAILED).count() - failed, start.elapsed().as_secs());
    assert!(failed as u64 <= seconds + 3, "{failed} times in {seconds} s");

    let (misses, start) = (metric(&gateway, "bellboard_unread_cache_misses_total ").await, Instant::now());
    for _ in 0..30 {
        let count = api.get("/unread-count").await.expect(200);
        assert_eq!(count.json()["unread_count"], 1, "the same as list and stream say");
    }
    let misses = metric(&gateway, "bellboard_unread_cache_misses_total ").await - misses;
    assert!(misses <= start.elapsed().as_secs_f64() + 2.0, "{misses} reads of the store");

    tool.run("DROP TRIGGER broken").await;
    let expired = tokio::time::timeout(Duration::from_secs(20), stream.expect("expired")).await;
    assert_eq!(expired.expect("soon").about(), sent);
    assert_eq!(api.get("/unread-count").await.json()["unread_count"], 0);
    gateway.stop();
}
