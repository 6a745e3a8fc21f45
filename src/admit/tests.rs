//! What admission must hold: the order of its steps, and who gets past them.

use std::time::Duration;

use super::*;
use crate::{
    auth::sign_token,
    config::{
        ApiKey, Config,
        fixture::{config, issuer, key, quota},
    },
    domain::UserId,
    limit::Ticks,
};

const NOW: Timestamp = Timestamp(1_768_141_800_000_000);
const SEND: Need = Need::Permission(Permission::NotificationSend);
const PLAIN: &str = "your-secure-api-key-minimum-32-characters";

fn site() -> Config {
    let mut config = config();
    config.keys.push(key(PLAIN));
    config.tenants[0].issuers.push(issuer());
    config
}

fn snapshot(config: &Config) -> Snapshot {
    Snapshot::fixture(config, None, Ticks::fixed()).unwrap()
}

fn authorization(roles: &[&str]) -> String {
    let roles: Vec<_> = roles.iter().map(|role| role.to_string()).collect();
    let user = UserId::new(123).unwrap();
    let token = sign_token(&issuer(), user, &roles, Duration::from_secs(60), NOW).unwrap();
    format!("Bearer {token}")
}

fn nothing() -> Presented<'static> {
    Presented {
        api_key: None,
        authorization: None,
        peer: [192, 0, 2, 1].into(),
        forwarded_for: None,
        forwarded: None,
        is_direct: true,
    }
}

fn with_key(key: &str) -> Presented<'_> {
    Presented { api_key: Some(key.as_bytes()), ..nothing() }
}

fn with_bearer(authorization: &str) -> Presented<'_> {
    Presented { authorization: Some(authorization), ..nothing() }
}

/// The answer's text, or the principal's name.
fn answer(snapshot: &Snapshot, presented: &Presented, need: Need) -> String {
    match admit(snapshot, presented, need, NOW) {
        Ok(admitted) => admitted.principal.name.to_string(),
        Err(refusal) => refusal.error.to_string(),
    }
}

#[test]
fn each_credential_is_answered_as_it_deserves() {
    let site = snapshot(&site());
    let sender = authorization(&["sender"]);
    let key_name = answer(&site, &with_key(PLAIN), SEND);
    assert!(key_name.starts_with("key:"), "{key_name}");
    let both = Presented { authorization: Some(&sender), ..with_key(PLAIN) };
    let wrong_key = Presented { authorization: Some(&sender), ..with_key("wrong") };
    for (presented, need, expected) in [
        (nothing(), SEND, "Authentication required"),
        (nothing(), Need::Inbox, "Authentication required"),
        (with_bearer("Basic dXNlcjpwYXNz"), SEND, "Authentication required"),
        (with_bearer("Bearer"), SEND, "Invalid token"),
        (with_bearer("Bearer x.y.z"), SEND, "Invalid token"),
        (with_bearer(&sender), SEND, "user:123"),
        (with_bearer(&sender.replace("Bearer ", "bearer  ")), Need::Inbox, "user:123"),
        (with_key("wrong"), SEND, "Invalid API key"),
        (with_key(""), SEND, "Invalid API key"),
        (with_key("wrong"), Need::Inbox, "Invalid API key"),
        (wrong_key, Need::Inbox, "Invalid API key"),
        (with_key(PLAIN), Need::Inbox, "A user's bearer token is required"),
        (both, Need::Inbox, "A user's bearer token is required"),
        (both, Need::Any, key_name.as_str()),
    ] {
        assert_eq!(answer(&site, &presented, need), expected, "{presented:?}");
    }
}

#[test]
fn a_bearer_needs_the_role_and_a_refused_one_spends_nothing() {
    let mut config = site();
    config.tenants[0].user_quota = quota(1, 1);
    let site = snapshot(&config);
    let plain = authorization(&[]);
    for _ in 0..3 {
        assert_eq!(answer(&site, &with_bearer(&plain), SEND), "Permission notification.send is required");
    }
    assert_eq!(answer(&site, &with_bearer(&plain), Need::Inbox), "user:123");
    let refused = admit(&site, &with_bearer(&plain), Need::Inbox, NOW).unwrap_err();
    assert!(matches!(refused.error, Error::RateLimited { retry_after } if retry_after.as_secs() == 1));
    assert_eq!(refused.limit.unwrap().quota, "user");
    assert_eq!(refused.failure, None);
}

#[test]
fn an_expired_token_says_so_and_is_no_guess() {
    let site = snapshot(&Config { failed_auth: quota(1, 1), ..site() });
    let bearer = authorization(&["sender"]);
    for _ in 0..5 {
        let refused = admit(&site, &with_bearer(&bearer), SEND, NOW.plus_seconds(60)).unwrap_err();
        assert_eq!(refused.error.to_string(), "Token has expired");
        assert_eq!(refused.failure, Some(AuthFailure::ExpiredToken));
    }
    assert_eq!(answer(&site, &with_key("wrong"), SEND), "Invalid API key");
}

#[test]
fn too_many_failures_turn_into_429_and_never_block_a_valid_credential() {
    let site = snapshot(&Config { failed_auth: quota(1, 2), ..site() });
    for _ in 0..2 {
        assert_eq!(answer(&site, &with_key("wrong"), SEND), "Invalid API key");
    }
    for credential in [with_key("wrong"), with_bearer("Bearer wrong"), nothing()] {
        let refused = admit(&site, &credential, SEND, NOW).unwrap_err();
        assert!(matches!(refused.error, Error::RateLimited { .. }));
        assert_eq!(refused.limit.unwrap().quota, "auth");
        assert!(refused.failure.is_some());
    }
    assert!(answer(&site, &with_key(PLAIN), SEND).starts_with("key:"));
    assert_eq!(answer(&site, &with_bearer(&authorization(&[])), Need::Inbox), "user:123");
    let elsewhere = Presented { peer: [192, 0, 2, 2].into(), ..with_key("wrong") };
    assert_eq!(answer(&site, &elsewhere, SEND), "Invalid API key");
    // A header that no trusted proxy wrote gives no fresh allowance.
    let forged = Presented { forwarded_for: Some("198.51.100.1"), is_direct: false, ..with_key("wrong") };
    assert!(matches!(admit(&site, &forged, SEND, NOW).unwrap_err().error, Error::RateLimited { .. }));
}

#[test]
fn a_keys_networks_are_those_of_the_client_behind_trusted_proxies() {
    let mut config = site();
    config.server.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    config.keys = vec![ApiKey { networks: vec!["198.51.100.0/24".parse().unwrap()], ..key(PLAIN) }];
    let site = snapshot(&config);
    let from = |peer: [u8; 4], list| {
        let presented = Presented { peer: peer.into(), forwarded_for: list, ..with_key(PLAIN) };
        admit(&site, &presented, SEND, NOW).is_ok()
    };
    assert!(from([198, 51, 100, 7], None));
    assert!(from([10, 0, 0, 1], Some("198.51.100.7")));
    assert!(!from([10, 0, 0, 1], Some("198.51.100.7, 192.0.2.1")));
    assert!(!from([192, 0, 2, 1], Some("198.51.100.7")));
}

#[test]
fn a_key_of_the_proxies_own_network_is_not_for_who_stands_behind_one() {
    let mut config = site();
    config.server.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    config.keys = vec![ApiKey { networks: vec!["10.0.0.0/8".parse().unwrap()], ..key(PLAIN) }];
    let site = snapshot(&config);
    let passes = |forwarded_for, forwarded| {
        let peer = [10, 0, 0, 1].into();
        let presented = Presented { peer, forwarded_for, forwarded, ..with_key(PLAIN) };
        admit(&site, &presented, SEND, NOW).is_ok()
    };
    assert!(passes(None, None));
    assert!(passes(Some("10.0.0.9"), None));
    assert!(!passes(Some("192.0.2.1"), None));
    assert!(!passes(Some("192.0.2.1"), Some("for=198.51.100.4")));
    assert!(!passes(Some("unknown"), None));
    assert!(!passes(None, Some("for=_hidden")));
}

#[test]
fn published_credentials_do_not_work_through_proxies() {
    let mut config = site();
    config.keys[0].development = true;
    config.tenants[0].issuers[0].development = true;
    let site = snapshot(&config);
    let bearer = authorization(&["sender"]);
    let through = |presented: Presented<'static>| Presented { is_direct: false, ..presented };
    assert!(answer(&site, &with_key(PLAIN), SEND).starts_with("key:"));
    assert_eq!(answer(&site, &with_bearer(&bearer), SEND), "user:123");
    assert_eq!(answer(&site, &through(with_key(PLAIN)), SEND), "Invalid API key");
    let bearer = Presented { is_direct: false, ..with_bearer(&bearer) };
    assert_eq!(answer(&site, &bearer, SEND), "Invalid token");
}

#[test]
fn a_key_over_its_limit_is_told_when_to_come_back() {
    let mut config = site();
    config.keys[0].quota = quota(1, 2);
    let site = snapshot(&config);
    let first = admit(&site, &with_key(PLAIN), SEND, NOW).unwrap().limit;
    assert_eq!((first.quota, first.limit, first.remaining, first.reset), ("key", 2, 1, 1));
    admit(&site, &with_key(PLAIN), SEND, NOW).unwrap();
    let refused = admit(&site, &with_key(PLAIN), SEND, NOW).unwrap_err();
    assert_eq!(refused.error.to_string(), "Rate limit exceeded; retry in 1 s");
    assert_eq!(refused.limit.unwrap().retry_after, Some(Duration::from_secs(1)));
}

/// Run with `--release -- --ignored --nocapture`: admitting a key should cost less than a microsecond.
#[test]
#[ignore = "a measurement"]
fn the_cost_of_admitting_a_key() {
    let mut config = site();
    (config.keys[0].quota, config.tenants[0].ceiling) =
        (quota(1 << 30, 1 << 31), Some(quota(1 << 30, 1 << 31)));
    let site = Snapshot::fixture(&config, None, Ticks::default()).unwrap();
    let start = std::time::Instant::now();
    for _ in 0..1_000_000 {
        admit(&site, &with_key(PLAIN), SEND, NOW).unwrap();
    }
    println!("{} ns", start.elapsed().as_nanos() / 1_000_000);
}
