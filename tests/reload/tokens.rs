//! Tokens that are still valid are refused from the next request on, remembered ones too.

use serde_json::json;

use super::reloads;
use crate::{
    cli::{
        KEY, SETTINGS,
        gateway::{Gateway, Site, until},
    },
    support::{Token, token::now},
};

const SECRET: &str = "a-signing-secret-that-only-tests-know";

fn answer(gateway: &Gateway, token: &str) -> (u16, String) {
    let reply = gateway.ask("GET", "/unread-count", &[("Authorization", &format!("Bearer {token}"))], "");
    (reply.status, reply.body)
}

#[test]
fn revoked_tokens_end_with_the_reload_and_no_other_does() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let of = |user: i64, jti: &str, issued: i64| {
        Token::of(SECRET, user).claim("jti", jti).claim("iat", issued).sign()
    };
    let (stolen, other) = (of(1, "stolen", now()), of(1, "other", now()));
    let (early, late) = (of(2, "early", now() - 600), of(2, "late", now() - 60));
    let timeless = Token::of(SECRET, 2).sign();
    let all = [&stolen, &other, &early, &late, &timeless];
    assert!(all.iter().all(|token| answer(&gateway, token).0 == 200));

    let before = written(now() - 300);
    let revoked = format!(
        "{}    revoked_tokens: [{{jti: stolen}}, {{user_id: 2, not_before: {before}}}]\n  acme:{}",
        SETTINGS.split("  acme:").next().expect("the first tenant"),
        SETTINGS.split("  acme:").nth(1).expect("the rest"),
    );
    site.write("config/bellboard.yaml", &revoked);
    until("it is in force", || (reloads(&gateway, "applied") > 0.0).then_some(()));
    let expected = [401, 200, 401, 200, 401];
    assert_eq!(all.map(|token| answer(&gateway, token).0), expected);
    assert_eq!(answer(&gateway, &stolen).1, json!({"message": "Invalid token"}).to_string());
    assert!(gateway.admin("/metrics").body.contains("reason=\"revoked_token\""));
    assert_eq!(gateway.hello(KEY).status, 201);
    // And back, in so many words.
    let pardoned = SETTINGS.replace("    issuers:", "    revoked_tokens: []\n    issuers:");
    site.write("config/bellboard.yaml", &pardoned);
    until("it is in force", || (answer(&gateway, &stolen).0 == 200).then_some(()));
    assert!(!gateway.log().contains("stolen"));
}

/// A time as the configuration writes it.
fn written(seconds: i64) -> String {
    bellboard::domain::Timestamp(seconds * 1_000_000).to_string()
}
