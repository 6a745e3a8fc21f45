//! Who a request comes from: API keys, bearer tokens, and where they may come from.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Gateway, Token, api::ask, settings::*, token::now};

#[tokio::test]
async fn keys_that_hold_and_keys_that_do_not() {
    for good in [ADMIN, SENDER, BASE64, HASHED, NOBODY] {
        with_key(good).get("/types").await.expect(200);
    }
    let literal = format!("sha256:{}", hash_of(HASHED));
    let (upper, cut) = (SENDER.to_uppercase(), &SENDER[..SENDER.len() - 1]);
    for bad in [
        UNKNOWN,
        "",
        "short",
        DISABLED,
        EXPIRED,
        ELSEWHERE,
        &literal,
        &literal["sha256:".len()..],
        &upper,
        cut,
    ] {
        let answer = with_key(bad).get("/types").await.unauthorized("Invalid API key");
        assert_eq!(answer.header("www-authenticate"), "ApiKey");
        with_key(bad).send(&json!({})).await.unauthorized("Invalid API key");
    }
    let not_text = shared().request(Method::GET, "/types").header("X-API-KEY", &b"\xff\xfe"[..]);
    ask(not_text).await.unauthorized("Invalid API key");
}

#[tokio::test]
async fn several_keys_are_none() {
    for [first, second] in [[SENDER, UNKNOWN], [UNKNOWN, SENDER], [SENDER, SENDER], [SENDER, ""]] {
        let request = shared().request(Method::GET, "/types").header("X-API-KEY", first);
        ask(request.header("X-API-KEY", second)).await.unauthorized("Invalid API key");
    }
}

#[tokio::test]
async fn without_a_credential_authentication_is_required() {
    let api = shared();
    for path in ["/", "/unread-count", "/types", "/users", "/users/1"] {
        let answer = api.get(path).await.unauthorized("Authentication required");
        assert_eq!(answer.header("www-authenticate"), "Bearer, ApiKey");
    }
    api.send(&json!({})).await.unauthorized("Authentication required");
    // Another scheme may be a proxy's own.
    let basic = api.request(Method::GET, "/").header("Authorization", "Basic dTpw");
    ask(basic).await.unauthorized("Authentication required");
}

#[tokio::test]
async fn an_api_key_alone_decides_even_beside_a_bearer() {
    let token = Token::of(DEFAULT_SECRET, 1).roles(&["admin"]).sign();
    let both = |key: &'static str, path: &'static str| {
        shared().bearer(&token).request(Method::GET, path).header("X-API-KEY", key)
    };
    ask(both(UNKNOWN, "/types")).await.unauthorized("Invalid API key");
    ask(both("", "/")).await.unauthorized("Invalid API key");
    ask(both(NOBODY, "/users")).await.failed(403, "Permission user.read is required");
    ask(both(SENDER, "/")).await.unauthorized("A user's bearer token is required");
    let bad = shared().bearer("rubbish").request(Method::GET, "/types").header("X-API-KEY", SENDER);
    ask(bad).await.expect(200);
}

#[tokio::test]
async fn an_inbox_asks_for_a_users_token() {
    let api = with_key(ADMIN);
    let refused = |answer: Answer| {
        let answer = answer.unauthorized("A user's bearer token is required");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    };
    refused(api.get("/").await);
    refused(api.get("/unread-count").await);
    refused(api.post("/1/mark-read").await);
    refused(api.post("/mark-all-read").await);
    refused(api.delete("/1").await);
}

#[tokio::test]
async fn tokens_that_prove_nobody() {
    let user = fresh_user().await;
    let good = || Token::of(DEFAULT_SECRET, user);
    shared().bearer(good().sign()).get("/").await.expect(200);
    let lower =
        shared().request(Method::GET, "/").header("Authorization", format!("bearer {}", good().sign()));
    ask(lower).await.expect(200);

    let signed = good().sign();
    let (head, rest) = signed.split_once('.').expect("three parts");
    let (claims, _) = rest.split_once('.').expect("three parts");
    // {"alg":"none","typ":"JWT"}
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
    for bad in [
        "rubbish".to_owned(),
        String::new(),
        unsigned,
        format!("{head}.{claims}."),
        format!("{head}.{claims}.AAAA"),
        Token::of("signing-secret-of-nobody-that-is-known-1", user).sign(),
        good().claim("exp", Value::Null).sign(),
        good().claim("exp", "tomorrow").sign(),
        good().claim("nbf", now() + 3_600).sign(),
        good().claim("user_id", Value::Null).sign(),
        good().claim("user_id", 0).sign(),
        good().claim("user_id", "1x").sign(),
        good().claim("user_id", 1.5).sign(),
        good().claim("aud", "another service").sign(),
        format!("{signed}x"),
        "x".repeat(9_000),
    ] {
        let answer = shared().bearer(&bad).get("/").await.unauthorized("Invalid token");
        assert_eq!(answer.header("www-authenticate"), r#"Bearer error="invalid_token""#);
    }
}

#[tokio::test]
async fn a_token_past_its_time_is_told_so() {
    let expired = Token::of(DEFAULT_SECRET, 1).expired();
    let answer = shared().bearer(expired.sign()).get("/").await.unauthorized("Token has expired");
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer error="invalid_token", error_description="expired""#
    );
    // One with a wrong signature is not told.
    let forged = Token::of("signing-secret-of-nobody-that-is-known-1", 1).expired();
    shared().bearer(forged.sign()).get("/").await.unauthorized("Invalid token");
    // Thirty seconds of leeway, unless the issuer says otherwise.
    let late = Token::of(DEFAULT_SECRET, 1).claim("exp", now() - 5);
    shared().bearer(late.sign()).get("/").await.expect(200);
    shared()
        .bearer(acme_token(1).claim("exp", now() - 5).sign())
        .get("/")
        .await
        .unauthorized("Token has expired");
}

#[tokio::test]
async fn issuer_and_audience_must_be_those_of_the_configuration() {
    shared().bearer(acme_token(1).sign()).get("/").await.expect(200);
    shared().bearer(acme_token(1).claim("aud", json!(["x", "bellboard"])).sign()).get("/").await.expect(200);
    for bad in [
        acme_token(1).claim("iss", Value::Null),
        acme_token(1).claim("iss", "https://id.other.example"),
        acme_token(1).claim("aud", Value::Null),
        acme_token(1).claim("aud", "other"),
        acme_token(1).claim("aud", json!([])),
        acme_token(1).claim("uid", Value::Null).claim("user_id", 1),
    ] {
        shared().bearer(bad.sign()).get("/").await.unauthorized("Invalid token");
    }
}

#[tokio::test]
async fn roles_that_an_issuer_does_not_list_are_ignored_and_logged_seldom() {
    let gateway = Gateway::start(&format!(
        "tenants:\n  default:\n    seed: [1]\n    issuers:\n      \
         - {{algorithm: HS256, secret: {DEFAULT_SECRET}, roles: [sender], roles_claim: realm_access.roles,\n         \
            user_claims: [resource_access.crm.user_id]}}\n"
    ));
    let token = |n: i64, roles: &[&str]| {
        let token = Token::of(DEFAULT_SECRET, 1).claim("user_id", Value::Null).claim("jti", n);
        let token = token.claim("resource_access", json!({"crm": {"user_id": 1}}));
        gateway.api().bearer(token.claim("realm_access", json!({"roles": roles})).sign())
    };
    let send = json!({"user_id": 1, "type": "custom", "title": "t"});
    for n in 0..5 {
        token(n, &["sender", "admin", "offline_access"]).send(&send).await.expect(201);
        token(n, &["admin"]).send(&send).await.failed(403, "Permission notification.send is required");
    }
    let log = gateway.log();
    let told = "claims roles that its issuer's `roles` do not list";
    assert_eq!(log.matches(told).count(), 1, "{log}");
    assert!(log.contains(r#"ignored=["admin"]"#) && !log.contains("offline_access"), "{log}");
    gateway.stop();
}

#[tokio::test]
async fn a_key_works_from_its_networks_as_trusted_proxies_tell_them() {
    let from = |name: &'static str, values: &'static [&'static str]| {
        let request = with_key(ELSEWHERE).request(Method::GET, "/types");
        ask(values.iter().fold(request, |request, value| request.header(name, *value)))
    };
    for (name, values) in [
        ("X-Forwarded-For", &["192.0.2.7"][..]),
        ("X-Forwarded-For", &["198.51.100.1, 192.0.2.7"]),
        ("X-Forwarded-For", &["192.0.2.7, 127.0.0.9"]),
        // Lines of one header are one list.
        ("X-Forwarded-For", &["192.0.2.7", "127.0.0.9"]),
        ("X-Forwarded-For", &["198.51.100.1", "192.0.2.7"]),
        ("Forwarded", &["for=192.0.2.7;proto=https"]),
        ("Forwarded", &["for=192.0.2.7", "for=127.0.0.9"]),
    ] {
        let answer = from(name, values).await;
        assert_eq!(answer.status, 200, "{name}: {values:?}");
    }
    for (name, values) in [
        ("X-Forwarded-For", &["198.51.100.1"][..]),
        // What stands before an untrusted hop is that hop's invention.
        ("X-Forwarded-For", &["192.0.2.7, 198.51.100.1"]),
        ("X-Forwarded-For", &["192.0.2.7", "198.51.100.1"]),
        ("X-Real-Ip", &["192.0.2.7"]),
    ] {
        from(name, values).await.unauthorized("Invalid API key");
    }
}

#[tokio::test]
async fn no_forged_header_lends_a_caller_the_proxys_own_address() {
    let from = |headers: &'static [(&'static str, &'static str)]| {
        let request = with_key(INTERNAL).request(Method::GET, "/types");
        ask(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    };
    from(&[]).await.expect(200);
    from(&[("X-Forwarded-For", "127.0.0.9")]).await.expect(200);
    for headers in [
        &[("X-Forwarded-For", "198.51.100.1"), ("Forwarded", "for=192.0.2.7")][..],
        &[("X-Forwarded-For", "198.51.100.1"), ("Forwarded", "for=127.0.0.1")],
        &[("Forwarded", "for=198.51.100.1"), ("X-Forwarded-For", "unknown")],
        &[("X-Forwarded-For", "unknown")],
        &[("X-Forwarded-For", "")],
        &[("Forwarded", "for=_hidden")],
        &[("Forwarded", "proto=https")],
    ] {
        from(headers).await.unauthorized("Invalid API key");
    }
}

#[tokio::test]
async fn published_credentials_are_refused_through_a_proxy() {
    let gateway = Gateway::start_with_file("config/bellboard.yaml");
    let key = gateway.api().key("your-secure-api-key-minimum-32-characters");
    let user = gateway.api().bearer(Token::of("bellboard-development-secret-not-for-production", 1).sign());
    key.get("/types").await.expect(200);
    user.get("/").await.expect(200);
    let headers = [
        ("Forwarded", "for=192.0.2.1"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Host", "crm.example"),
        ("X-Real-IP", "192.0.2.1"),
        ("Via", "1.1 proxy"),
        ("Host", "attacker.example"),
    ];
    for (name, value) in headers {
        let through = |api: &crate::support::Api| api.request(Method::GET, "/types").header(name, value);
        ask(through(&key)).await.unauthorized("Invalid API key");
        ask(through(&user)).await.unauthorized("Invalid token");
    }
    let log = gateway.log();
    assert_eq!(log.matches("WARN").count(), 2 * headers.len(), "{log}");
    assert!(log.contains("Provisioning notification system"), "it says which: {log}");
    gateway.stop();
}

#[tokio::test]
async fn no_secret_reaches_the_log() {
    with_key(UNKNOWN).get("/types").await.expect(401);
    let user = fresh_user().await;
    let token = Token::of(DEFAULT_SECRET, user).sign();
    shared().bearer(&token).get("/").await.expect(200);
    shared().bearer(format!("{token}x")).get("/").await.expect(401);
    with_key(DISABLED).get("/types").await.expect(401);
    let foreign = Token::of(DEFAULT_SECRET, user).claim("aud", "another").sign();
    shared().bearer(&foreign).get("/").await.expect(401);
    let log = SHARED.log();
    assert!(log.contains("a bearer token was refused: it has an aud, but"), "it says why");
    for secret in [UNKNOWN, ADMIN, DISABLED, BASE64, DEFAULT_SECRET, &token, &foreign, &hash_of(DISABLED)] {
        assert!(!log.contains(secret), "the log shows {secret}");
    }
    assert!(log.contains(&hash_of(DISABLED)[..12]), "it names a refused key by its fingerprint");
}
