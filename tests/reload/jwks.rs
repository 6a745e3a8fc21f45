//! Keys that an issuer publishes: fetched beside the requests, whatever the endpoint does.

use serde_json::json;

use super::{metric, reloads};
use crate::{
    cli::gateway::{Gateway, SOON, Site, until},
    support::issuer::{Endpoint, Mood, Signer},
};

/// An ES256 issuer whose keys stand at that URL, with these fields besides.
fn settings(url: &str, more: &str) -> String {
    format!(
        "tenants:\n  default:\n    seed: [1, 2]\n    issuers:\n      - {{algorithm: ES256, issuer: https://id.example, \
         jwks_url: '{url}', {more}}}\n"
    )
}

const PRIVATE: &str = "jwks_refresh: 1s, jwks_allow_private: true";
const SLOW: &str = "jwks_refresh: 1h, jwks_allow_private: true";

fn token(signer: &Signer, user: i64) -> String {
    signer.token(user, &json!({"iss": "https://id.example"}))
}

fn status(gateway: &Gateway, token: &str) -> u16 {
    gateway.ask("GET", "/unread-count", &[("Authorization", &format!("Bearer {token}"))], "").status
}

#[track_caller]
fn answers(gateway: &Gateway, token: &str, expected: u16) {
    let start = std::time::Instant::now();
    while status(gateway, token) != expected {
        assert!(start.elapsed() < SOON, "not {expected} within {SOON:?}: {}", gateway.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn failures(gateway: &Gateway) -> f64 {
    metric(gateway, "bellboard_jwks_failures_total{issuer=\"https://id.example\",tenant=\"default\"}")
}

fn age(gateway: &Gateway) -> Option<f64> {
    let text = gateway.admin("/metrics").body;
    let name = "bellboard_jwks_age_seconds{issuer=\"https://id.example\",tenant=\"default\"}";
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[test]
fn keys_rotate_and_the_old_one_stops_with_what_it_signed() {
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let other = Signer::rsa("old");
    let endpoint = Endpoint::new(Mood::Honest(vec![old.published(), other.published()]));
    let site = Site::new(&settings(&endpoint.url, PRIVATE));
    let gateway = site.serve();
    let token = token(&old, 1);
    answers(&gateway, &token, 200);
    assert_eq!(status(&gateway, &self::token(&other, 1)), 401, "the algorithm is the configuration's");
    assert_eq!(status(&gateway, &self::token(&new, 1)), 401, "nobody published that name");

    endpoint.becomes(Mood::Honest(vec![new.published()]));
    answers(&gateway, &self::token(&new, 1), 200);
    // It names a key that is gone; its signature would still be right.
    assert_eq!(status(&gateway, &self::token(&old, 2)), 401);
    endpoint.becomes(Mood::Honest(vec![other.published()]));
    answers(&gateway, &token, 401);
}

#[test]
fn a_token_of_an_unknown_key_waits_for_one_fetch_that_all_share() {
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let endpoint = Endpoint::new(Mood::Honest(vec![old.published()]));
    let site = Site::new(&settings(&endpoint.url, SLOW));
    let gateway = site.serve();
    assert_eq!(status(&gateway, &token(&old, 1)), 200, "the first keys are waited for");
    assert_eq!(endpoint.asked(), 1);
    endpoint.becomes(Mood::Holds);
    std::thread::scope(|scope| {
        let forged = (0..20).map(|n| Signer::ec(&format!("forged-{n}")));
        let strangers: Vec<_> =
            forged.map(|signer| scope.spawn(|| (status(&gateway, &token(&signer, 1)), signer))).collect();
        until("a stranger has asked", || (endpoint.asked() > 1).then_some(()));
        // After a rotation without overlap, and though a stranger asked first.
        let good = scope.spawn(|| status(&gateway, &token(&new, 1)));
        endpoint.becomes(Mood::Honest(vec![new.published()]));
        assert_eq!(good.join().expect("an answer"), 200);
        for stranger in strangers {
            assert_eq!(stranger.join().expect("an answer").0, 401);
        }
    });
    assert!(endpoint.asked() <= 3, "{}", endpoint.asked());
    // A key that was published is looked for no more.
    let asked = endpoint.asked();
    for user in 1..10 {
        assert_eq!(status(&gateway, &token(&old, user)), 401);
    }
    assert_eq!(endpoint.asked(), asked);
}

#[test]
fn where_keys_cannot_be_had_a_token_is_not_bad() {
    let signer = Signer::ec("a");
    let endpoint = Endpoint::new(Mood::Says(500, String::new()));
    let site = Site::new(&settings(&endpoint.url, SLOW));
    let gateway = site.serve();
    let ask = || {
        let authorization = format!("Bearer {}", token(&signer, 1));
        gateway.ask("GET", "/unread-count", &[("Authorization", &authorization)], "")
    };
    let reply = ask();
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(reply.head.to_lowercase().contains("\r\nretry-after: 5\r\n"), "{}", reply.head);
    assert!(reply.body.contains("its issuer's keys cannot be fetched"), "{}", reply.body);
    let ready = || gateway.admin("/readyz");
    until("it is ready", || (ready().status == 200).then_some(()));
    assert_eq!(ready().json()["failing_issuers"], json!(["default/https://id.example"]));
    // Keys of before say nothing of one that may be new.
    endpoint.becomes(Mood::Honest(vec![signer.published()]));
    answers(&gateway, &token(&signer, 1), 200);
    assert_eq!(ready().json()["failing_issuers"], json!([]));
    endpoint.dies();
    assert_eq!(status(&gateway, &token(&Signer::ec("new"), 1)), 503);
    assert_eq!(status(&gateway, &token(&signer, 1)), 200);
}

#[test]
fn a_node_is_ready_when_the_first_keys_are_there_or_were_waited_for() {
    let signer = Signer::ec("a");
    let endpoint = Endpoint::new(Mood::Holds);
    let site = Site::new(&settings(&endpoint.url, SLOW));
    let gateway = site.serve();
    let ready = || gateway.admin("/readyz");
    let first = ready();
    assert_eq!(first.status, 503, "{}", first.body);
    assert_eq!(first.json()["fetching_issuers"], json!(["default/https://id.example"]));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| status(&gateway, &token(&signer, 1)));
        endpoint.becomes(Mood::Honest(vec![signer.published()]));
        assert_eq!(waits.join().expect("an answer"), 200, "a request waits for them too");
    });
    let then = ready();
    assert_eq!((then.status, &then.json()["fetching_issuers"]), (200, &json!([])));

    // One that never answers is waited for no longer than one fetch may take.
    let stalled = Endpoint::new(Mood::Stalls);
    let site = Site::new(&settings(&stalled.url, SLOW));
    let gateway = site.serve();
    let start = std::time::Instant::now();
    while gateway.admin("/readyz").status != 200 {
        assert!(start.elapsed() < 3 * SOON, "{}", gateway.admin("/readyz").body);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(gateway.admin("/readyz").json()["failing_issuers"], json!(["default/https://id.example"]));
}

#[test]
fn keys_of_many_kinds_are_taken_and_the_others_are_named_in_the_log() {
    let (one, other) = (Signer::ec("e"), Signer::rsa("r"));
    let without = |mut key: serde_json::Value, names: &[&str]| {
        names.iter().for_each(|name| drop(key.as_object_mut().expect("a key").remove(*name)));
        key
    };
    let enc = json!({"kty": "RSA", "kid": "for-encryption", "use": "enc", "n": "AQAB", "e": "AQAB"});
    // Six keys that a token may mean which names none, none of which says its algorithm.
    let mut keys = vec![enc, json!({"kty": "new-kind", "kid": "x"})];
    keys.extend((0..5).map(|n| json!({"kty": "EC", "crv": "P-256", "x": format!("A{n}AA"), "y": "AQ"})));
    keys.push(without(one.published(), &["kid", "alg"]));
    keys.push(without(other.published(), &["kid", "alg"]));
    let endpoint = Endpoint::new(Mood::Honest(keys));
    let site = Site::new(&settings(&endpoint.url, SLOW));
    let gateway = site.serve();
    assert_eq!(status(&gateway, &token(&one, 1)), 200, "it names a key, and the set names none");
    assert_eq!(status(&gateway, &one.nameless(1, &json!({"iss": "https://id.example"}))), 200);
    gateway.logs("published keys are passed over");
    for told in [r#"key 1 \"for-encryption\": its use is not sig"#, r#"key 2 \"x\": its kty is none of"#] {
        let log = gateway.log();
        assert!(log.contains(told) || log.contains(&told.replace('\\', "")), "{log}");
    }
}

#[test]
fn keys_are_fetched_through_a_proxy() {
    let signer = Signer::ec("a");
    let proxy = Endpoint::new(Mood::Honest(vec![signer.published()]));
    let nowhere = "http://id.nowhere.invalid/keys";
    let through = format!("{SLOW}, jwks_proxy: '{}'", proxy.url.trim_end_matches("/keys"));
    let site = Site::new(&settings(nowhere, &through));
    let gateway = site.serve();
    assert_eq!(status(&gateway, &token(&signer, 1)), 200);
    assert_eq!(proxy.asked(), 1);
    let wrong = Site::new(&settings(nowhere, &format!("{SLOW}, jwks_proxy: proxy:3128"))).bad(&["check"]);
    assert!(wrong.contains("jwks_proxy: must be the URL of a proxy"), "{wrong}");
}

#[test]
fn what_lies_or_dies_takes_no_key_away_and_holds_no_request_up() {
    let signer = Signer::ec("a");
    let endpoint = Endpoint::new(Mood::Honest(vec![signer.published()]));
    let honest = Mood::Honest(vec![signer.published()]);
    let site = Site::new(&settings(&endpoint.url, PRIVATE));
    let gateway = site.serve();
    let token = token(&signer, 1);
    answers(&gateway, &token, 200);
    let elsewhere = Endpoint::new(Mood::Honest(vec![Signer::ec("elsewhere").published()]));
    let lies = [
        Mood::Says(200, "<html>".into()),
        Mood::Says(200, r#"{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}"#.into()),
        Mood::Says(500, "".into()),
        Mood::Redirects(elsewhere.url.clone()),
        Mood::Floods,
    ];
    for lie in lies {
        let before = failures(&gateway);
        endpoint.becomes(lie);
        until("a fetch fails", || (failures(&gateway) > before).then_some(()));
        assert_eq!(status(&gateway, &token), 200);
        endpoint.becomes(honest.clone());
        until("the next good one is taken", || (age(&gateway)? < 1.0).then_some(()));
    }
    assert_eq!(elsewhere.asked(), 0, "no redirect is followed");

    let before = failures(&gateway);
    endpoint.dies();
    until("it is dead", || (failures(&gateway) > before + 1.0).then_some(()));
    assert_eq!(status(&gateway, &token), 200);
    endpoint.lives();
    endpoint.becomes(Mood::Stalls);
    let asked = endpoint.asked();
    until("a fetch hangs", || (endpoint.asked() > asked).then_some(()));
    assert_eq!(status(&gateway, &token), 200, "it waits for no fetch");
    assert_eq!(status(&gateway, &self::token(&Signer::ec("unknown"), 1)), 503, "and this one not for ever");
    assert!(age(&gateway).is_some_and(|age| age < 60.0), "{:?}", age(&gateway));
}

#[test]
fn the_last_keys_count_only_so_long() {
    let signer = Signer::ec("a");
    let endpoint = Endpoint::new(Mood::Honest(vec![signer.published()]));
    let site = Site::new(&settings(&endpoint.url, &format!("{PRIVATE}, jwks_keep: 2s")));
    let gateway = site.serve();
    let token = token(&signer, 1);
    answers(&gateway, &token, 200);
    endpoint.dies();
    answers(&gateway, &token, 503);
    assert!(gateway.log().contains("the issuer's keys could not be fetched"), "{}", gateway.log());
    endpoint.lives();
    answers(&gateway, &token, 200);
}

#[test]
fn a_start_and_a_reload_wait_for_no_endpoint_and_a_reload_keeps_the_keys() {
    let signer = Signer::ec("a");
    let endpoint = Endpoint::new(Mood::Stalls);
    let site = Site::new(&settings(&endpoint.url, SLOW));
    let gateway = site.serve();
    assert_eq!(gateway.ask("GET", "/unread-count", &[], "").status, 401);

    let endpoint = Endpoint::new(Mood::Honest(vec![signer.published()]));
    site.write("config/bellboard.yaml", &settings(&endpoint.url, SLOW));
    answers(&gateway, &token(&signer, 1), 200);
    endpoint.becomes(Mood::Stalls);
    let applied = reloads(&gateway, "applied");
    let slower = settings(&endpoint.url, "jwks_refresh: 2h, leeway: 1s, jwks_allow_private: true");
    site.write("config/bellboard.yaml", &slower);
    until("it is in force", || (reloads(&gateway, "applied") > applied).then_some(()));
    // Another user, as nothing but the keys may be remembered.
    assert_eq!(status(&gateway, &token(&signer, 2)), 200);
    assert_eq!(endpoint.asked(), 1);
}

#[test]
fn private_networks_are_reached_only_when_that_is_allowed() {
    let signer = Signer::ec("a");
    let endpoint = Endpoint::new(Mood::Honest(vec![signer.published()]));
    let secure = |url: &str| url.replace("http://", "https://");
    let site = Site::new(&settings(&secure(&endpoint.url), "leeway: 0s"));
    let problem = site.bad(&["check"]);
    assert!(problem.contains("jwks_url leads into a private network"), "{problem}");
    // A name tells nothing until it is resolved.
    let site = Site::new(&settings(&secure(&endpoint.by_name()), "jwks_refresh: 1s"));
    let gateway = site.serve();
    gateway.logs("its host has only private addresses");
    until("it is counted", || (failures(&gateway) >= 1.0).then_some(()));
    assert_eq!((endpoint.asked(), status(&gateway, &token(&signer, 1))), (0, 503));
    site.write("config/bellboard.yaml", &settings(&endpoint.by_name(), PRIVATE));
    answers(&gateway, &token(&signer, 1), 200);
}

#[test]
fn keys_come_over_tls_from_who_proves_to_be_the_host_and_from_nobody_else() {
    let signer = Signer::ec("a");
    let endpoint = Endpoint::secure(Mood::Honest(vec![signer.published()]));
    let site = Site::new(&settings(&endpoint.url, PRIVATE));
    let trusting = |authorities: &str| {
        let ports = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        let mut command = site.command(&ports);
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
        command.env("SSL_CERT_FILE", folder.join(authorities)).env_remove("SSL_CERT_DIR");
        Gateway::start(command)
    };
    let gateway = trusting("ca.pem");
    answers(&gateway, &token(&signer, 1), 200);
    assert_eq!(failures(&gateway), 0.0);
    // The same host by another name, which its certificate does not hold.
    site.write(
        "config/bellboard.yaml",
        &settings(&endpoint.url.replace("localhost", "[::ffff:127.0.0.1]"), PRIVATE),
    );
    gateway.logs("certificate not valid for name");
    answers(&gateway, &token(&signer, 1), 503);
    gateway.stop();

    // Signed by nobody that this system trusts.
    site.write("config/bellboard.yaml", &settings(&endpoint.url, PRIVATE));
    let gateway = trusting("cert.pem");
    gateway.logs("the issuer's keys could not be fetched");
    gateway.logs("invalid peer certificate: UnknownIssuer");
    assert!(failures(&gateway) >= 1.0);
    assert_eq!(status(&gateway, &token(&signer, 1)), 503);
}
