//! What decides who gets in is lost only with a word: a file that was cut off says none.

use super::{ready, reloads};
use crate::{
    cli::{
        ACME, KEY, SETTINGS,
        gateway::{Gateway, Site, until},
    },
    support::Token,
};

const MAIN: &str = "config/bellboard.yaml";
const SECRET: &str = "a-signing-secret-that-only-tests-know";

/// The keys first, and behind them what lets users in: a cut takes that alone.
fn keys_first() -> String {
    let (tenants, keys) = SETTINGS.split_once("api_keys:").expect("keys");
    let (before, default) = tenants.split_once("  default:\n").expect("a tenant");
    let (default, acme) = default.split_once("  acme:\n").expect("another tenant");
    let bare = "issuers: [{algorithm: HS256, secret: a-secret-of-the-tenant-without-keys}]";
    format!(
        "api_keys:{keys}{before}  acme:\n{acme}  bare:\n    {bare}\n  default:\n{default}    revoked_tokens: \
         [{{jti: stolen}}]\n"
    )
}

fn status(gateway: &Gateway, token: &str) -> u16 {
    gateway.ask("GET", "/unread-count", &[("Authorization", &format!("Bearer {token}"))], "").status
}

#[track_caller]
fn refused(gateway: &Gateway, site: &Site, settings: &str, why: &str) {
    let before = reloads(gateway, "refused");
    site.write(MAIN, settings);
    until(&format!("{settings} is refused"), || (reloads(gateway, "refused") > before).then_some(()));
    gateway.logs(why);
    assert_eq!(ready(gateway)["refused"], true);
}

#[track_caller]
fn taken(gateway: &Gateway, site: &Site, settings: &str) {
    let before = reloads(gateway, "applied");
    site.write(MAIN, settings);
    until(&format!("{settings} is taken"), || (reloads(gateway, "applied") > before).then_some(()));
    assert_eq!(ready(gateway)["refused"], false);
}

#[test]
fn a_cut_that_takes_issuers_revocations_or_tenants_is_refused() {
    let full = keys_first();
    let site = Site::new(&full);
    let gateway = site.serve();
    let token = Token::of(SECRET, 1).sign();
    let stolen = Token::of(SECRET, 1).claim("jti", "stolen").sign();
    let lines: Vec<&str> = full.split_inclusive('\n').collect();
    for cut in 1..lines.len() {
        let text = lines[..cut].concat();
        let before = reloads(&gateway, "refused");
        site.write(MAIN, &text);
        until(&format!("{text} is refused"), || (reloads(&gateway, "refused") > before).then_some(()));
        assert_eq!((gateway.hello(KEY).status, gateway.hello(ACME).status), (201, 201), "{text}");
        assert_eq!((status(&gateway, &token), status(&gateway, &stolen)), (200, 401), "{text}");
    }
    gateway.logs("every issuer of default");
    gateway.logs("every revoked token of default");
    assert_eq!(ready(&gateway)["generation"], 1);
}

#[test]
fn each_is_lost_on_purpose_with_its_own_word() {
    let full = keys_first();
    let site = Site::new(&full);
    let gateway = site.serve();
    let stolen = Token::of(SECRET, 1).claim("jti", "stolen").sign();
    assert_eq!(status(&gateway, &stolen), 401);
    let revoked = "    revoked_tokens: [{jti: stolen}]\n";
    refused(&gateway, &site, &full.replace(revoked, ""), "would lose every revoked token of default");
    let pardoned = full.replace("[{jti: stolen}]", "[]");
    taken(&gateway, &site, &pardoned);
    assert_eq!(status(&gateway, &stolen), 200);

    // The tenant with users alone, and then the one that has keys, which go with it.
    let bare = pardoned.find("  bare:").expect("a tenant")..pardoned.find("  default:").expect("a tenant");
    let mut without = pardoned.clone();
    without.replace_range(bare.clone(), "");
    refused(&gateway, &site, &without, "would lose the tenant bare");
    let mut emptied = pardoned.clone();
    emptied.replace_range(bare, "  bare: {issuers: []}\n");
    taken(&gateway, &site, &emptied);
    taken(&gateway, &site, &without);
    let of_acme = |line: &&str| line.contains("acme") || line.contains("users: open");
    let rest: Vec<_> = without.split_inclusive('\n').filter(|line| !of_acme(line)).collect();
    taken(&gateway, &site, &rest.concat());
    assert_eq!((gateway.hello(KEY).status, gateway.hello(ACME).status), (201, 401));

    // `api_keys: {}` is a word for keys alone.
    let none = "api_keys: {}\ntenants:\n  default: {users: open}\n";
    refused(&gateway, &site, none, "would lose every issuer of default");
    assert_eq!(gateway.hello(KEY).status, 201);
    let token = Token::of(SECRET, 1).sign();
    assert_eq!(status(&gateway, &token), 200);
    taken(&gateway, &site, &none.replace("users: open", "issuers: []"));
    assert_eq!((gateway.hello(KEY).status, status(&gateway, &token)), (401, 401), "remembered ones too");
}
