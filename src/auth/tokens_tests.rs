//! What a bearer token must prove, and all the ways in which it must not.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm as Jwa, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::{
    auth::sign_token,
    config::{
        Algorithm, Secret, Tenant,
        fixture::{SECRET, config, issuer, plain_tenant, tenant},
    },
    domain::Permission,
};

const NOW: Timestamp = Timestamp(1_768_141_800_000_000);

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/", $name))
    };
}

#[path = "tokens_algorithms_tests.rs"]
mod algorithms;

/// The verifier of tenant `default` with these issuers.
fn tokens(issuers: Vec<Issuer>) -> Arc<Tokens> {
    let mut config = config();
    config.tenants[0].issuers = issuers;
    Tokens::build(&config, None).unwrap()
}

fn public(algorithm: Algorithm, pem: &[u8]) -> Issuer {
    Issuer { algorithm, key: Secret(pem.to_vec()), ..issuer() }
}

fn hs256(claims: Value) -> String {
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

/// Good claims of user 123 for a minute, changed as given; `null` takes a claim away.
fn claims(changes: Value) -> Value {
    let mut claims = json!({ "user_id": 123, "roles": ["sender"], "exp": NOW.unix_seconds() + 60 });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// `tenant/user:id`, or why not.
fn proves(tokens: &Tokens, token: &str) -> String {
    match tokens.verify(token, NOW) {
        Ok(verified) => format!("{}/{}", verified.principal.tenant, verified.principal.name),
        Err(BadToken::Expired) => "expired_token".to_owned(),
        Err(BadToken::Invalid(_)) => "invalid_token".to_owned(),
        Err(BadToken::Pending(_)) => "pending".to_owned(),
    }
}

#[test]
fn the_token_does_not_choose_the_algorithm() {
    let rsa = tokens(vec![public(Algorithm::Rs256, pem!("rsa.pub.pem"))]);
    // The public key is no secret: whoever signs with it as an HMAC secret must get nowhere.
    let public_as_secret = EncodingKey::from_secret(pem!("rsa.pub.pem"));
    for algorithm in [Jwa::HS256, Jwa::HS384, Jwa::HS512] {
        let token = encode(&Header::new(algorithm), &claims(json!({})), &public_as_secret).unwrap();
        assert_eq!(proves(&rsa, &token), "invalid_token");
    }
    let stronger =
        encode(&Header::new(Jwa::HS512), &claims(json!({})), &EncodingKey::from_secret(SECRET)).unwrap();
    assert_eq!(proves(&tokens(vec![issuer()]), &stronger), "invalid_token");

    let payload = URL_SAFE_NO_PAD.encode(claims(json!({})).to_string());
    for alg in ["none", "None", "NONE", ""] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "typ": "JWT" }).to_string());
        for signature in ["", "AAAA"] {
            for verifier in [&rsa, &tokens(vec![issuer()])] {
                assert_eq!(proves(verifier, &format!("{header}.{payload}.{signature}")), "invalid_token");
            }
        }
    }
}

#[test]
fn critical_extensions_and_odd_shapes_are_refused() {
    let hmac = tokens(vec![issuer()]);
    let header = Header { crit: Some(vec!["b64".into()]), ..Header::default() };
    let token = encode(&header, &claims(json!({})), &EncodingKey::from_secret(SECRET)).unwrap();
    assert_eq!(proves(&hmac, &token), "invalid_token");
    let good = hs256(claims(json!({})));
    let long = hs256(claims(json!({ "padding": "x".repeat(MAX_TOKEN_BYTES) })));
    for bad in ["", ".", "..", "a.b.c", &good[1..], &format!("{good}.x"), &format!("{good}="), &long] {
        assert_eq!(proves(&hmac, bad), "invalid_token", "{bad:.40}");
    }
}

#[test]
fn times_hold_with_the_leeway() {
    let strict = tokens(vec![issuer()]);
    let lenient = tokens(vec![Issuer { leeway: Duration::from_secs(30), ..issuer() }]);
    let now = NOW.unix_seconds();
    for (changes, at_once, with_leeway) in [
        (json!({ "exp": now + 1 }), "default/user:123", "default/user:123"),
        (json!({ "exp": now }), "expired_token", "default/user:123"),
        (json!({ "exp": now - 29 }), "expired_token", "default/user:123"),
        (json!({ "exp": now - 30 }), "expired_token", "expired_token"),
        (json!({ "exp": -1 }), "expired_token", "expired_token"),
        (json!({ "exp": now as f64 + 0.5 }), "expired_token", "default/user:123"),
        (json!({ "exp": u64::MAX }), "default/user:123", "default/user:123"),
        (json!({ "exp": null }), "invalid_token", "invalid_token"),
        (json!({ "exp": (now + 60).to_string() }), "invalid_token", "invalid_token"),
        (json!({ "nbf": now }), "default/user:123", "default/user:123"),
        (json!({ "nbf": now + 30 }), "invalid_token", "default/user:123"),
        (json!({ "nbf": now + 31 }), "invalid_token", "invalid_token"),
        (json!({ "nbf": "soon" }), "invalid_token", "invalid_token"),
    ] {
        let token = hs256(claims(changes.clone()));
        assert_eq!(proves(&strict, &token), at_once, "{changes}");
        assert_eq!(proves(&lenient, &token), with_leeway, "{changes}");
    }
}

#[test]
fn a_remembered_token_still_ends() {
    let tokens = tokens(vec![issuer()]);
    let token = hs256(claims(json!({})));
    let first = tokens.verify(&token, NOW).unwrap();
    let again = tokens.verify(&token, NOW.plus_seconds(59)).unwrap();
    assert!(Arc::ptr_eq(&first, &again), "the second time is from memory");
    assert!(matches!(tokens.verify(&token, NOW.plus_seconds(60)), Err(BadToken::Expired)));
}

#[test]
fn issuer_and_audience_must_be_there_and_match() {
    let named = Issuer { issuer: Some("https://id".into()), audience: Some("bell".into()), ..issuer() };
    let named = tokens(vec![named]);
    let open = tokens(vec![issuer()]);
    for (changes, expected) in [
        (json!({ "iss": "https://id", "aud": "bell" }), "default/user:123"),
        (json!({ "iss": "https://id", "aud": ["other", "bell"] }), "default/user:123"),
        (json!({ "iss": "https://id", "aud": "other" }), "invalid_token"),
        (json!({ "iss": "https://id", "aud": [] }), "invalid_token"),
        (json!({ "iss": "https://id" }), "invalid_token"),
        (json!({ "iss": "https://other", "aud": "bell" }), "invalid_token"),
        (json!({ "iss": ["https://id"], "aud": "bell" }), "invalid_token"),
        (json!({ "aud": "bell" }), "invalid_token"),
        // Expired, but not good otherwise either: no hint that the signature was right.
        (json!({ "iss": "https://id", "aud": "other", "exp": 1 }), "invalid_token"),
    ] {
        assert_eq!(proves(&named, &hs256(claims(changes.clone()))), expected, "{changes}");
    }
    assert_eq!(proves(&open, &hs256(claims(json!({ "iss": "anyone" })))), "default/user:123");
    assert_eq!(proves(&open, &hs256(claims(json!({ "aud": "someone else" })))), "invalid_token");
}

#[test]
fn another_claim_may_name_whom_a_token_is_for() {
    // As Cognito's access tokens do.
    let cognito = Issuer { audience: Some("crm".into()), audience_claim: "client_id".into(), ..issuer() };
    let tokens = tokens(vec![cognito.clone()]);
    for (changes, expected) in [
        (json!({ "client_id": "crm" }), "default/user:123"),
        (json!({ "client_id": ["crm"] }), "default/user:123"),
        (json!({ "client_id": "other" }), "invalid_token"),
        (json!({ "aud": "crm" }), "invalid_token"),
        (json!({}), "invalid_token"),
    ] {
        assert_eq!(proves(&tokens, &hs256(claims(changes.clone()))), expected, "{changes}");
    }
    let token = sign_token(&cognito, UserId::new(5).unwrap(), &[], Duration::from_secs(60), NOW).unwrap();
    assert_eq!(proves(&tokens, &token), "default/user:5");
}

#[test]
fn the_first_user_claim_that_is_there_decides() {
    let tokens = tokens(vec![issuer()]);
    for (changes, expected) in [
        (json!({ "user_id": "42" }), "default/user:42"),
        (json!({ "user_id": null, "sub": "7" }), "default/user:7"),
        (json!({ "sub": "7" }), "default/user:123"),
        (json!({ "user_id": "alice", "sub": "7" }), "invalid_token"),
        (json!({ "user_id": null }), "invalid_token"),
        (json!({ "user_id": 0 }), "invalid_token"),
        (json!({ "user_id": -5 }), "invalid_token"),
        (json!({ "user_id": "+5" }), "invalid_token"),
        (json!({ "user_id": "" }), "invalid_token"),
        (json!({ "user_id": 1.5 }), "invalid_token"),
        (json!({ "user_id": [5] }), "invalid_token"),
        (json!({ "user_id": 9_007_199_254_740_991_i64 }), "default/user:9007199254740991"),
        (json!({ "user_id": 9_007_199_254_740_992_i64 }), "invalid_token"),
        (json!({ "user_id": "99999999999999999999" }), "invalid_token"),
    ] {
        assert_eq!(proves(&tokens, &hs256(claims(changes.clone()))), expected, "{changes}");
    }
}

#[test]
fn roles_are_a_list_or_one_and_unknown_ones_mean_nothing() {
    let mut config = config();
    config.tenants[0].issuers = vec![issuer()];
    config.tenants[0].roles.insert("eraser".into(), [Permission::UserErase].into_iter().collect());
    let tokens = Tokens::build(&config, None).unwrap();
    for (roles, may_send, may_erase) in [
        (json!(["sender"]), true, false),
        (json!("sender"), true, false),
        (json!(["root", "admin"]), true, false),
        (json!(["admin", "eraser"]), true, true),
        (json!("eraser"), false, true),
        (json!(["root", 5, null]), false, false),
        (json!({ "admin": true }), false, false),
        (json!("sender admin"), false, false),
        (Value::Null, false, false),
    ] {
        let token = hs256(claims(json!({ "roles": roles })));
        let permissions = tokens.verify(&token, NOW).unwrap().principal.permissions;
        assert_eq!(permissions.has(Permission::NotificationSend), may_send, "{roles}");
        assert_eq!(permissions.has(Permission::UserErase), may_erase, "{roles}");
    }
}

#[test]
fn an_issuer_lists_which_roles_its_tokens_can_claim() {
    for (listed, may_send, may_manage) in [
        (None, true, true),
        (Some(&["admin", "sender"][..]), true, true),
        (Some(&["sender"]), true, false),
        (Some(&["admin"]), true, true),
        (Some(&[]), false, false),
    ] {
        let roles = listed.map(|names| names.iter().map(ToString::to_string).collect());
        let tokens = tokens(vec![Issuer { roles, ..issuer() }]);
        let token = hs256(claims(json!({ "roles": ["admin", "sender"] })));
        let permissions = tokens.verify(&token, NOW).unwrap().principal.permissions;
        let found = (permissions.has(Permission::NotificationSend), permissions.has(Permission::UserManage));
        assert_eq!(found, (may_send, may_manage), "{listed:?}");
    }
}

#[test]
fn ids_and_roles_may_stand_deeper_in_a_token() {
    let deep = Issuer {
        user_claims: vec!["resource_access.crm.user_id".into(), "https://crm.example/user".into()],
        roles_claim: "realm_access.roles".into(),
        ..issuer()
    };
    let tokens = tokens(vec![deep]);
    let realm = json!({ "roles": ["sender", "offline_access"] });
    for (changes, expected, may_send) in [
        (json!({ "resource_access": { "crm": { "user_id": 7 } }, "realm_access": realm }), 7, true),
        (json!({ "https://crm.example/user": "8", "realm_access.roles": "sender" }), 8, true),
        (json!({ "https://crm.example/user": 9, "realm_access.roles": [], "realm_access": realm }), 9, false),
    ] {
        let verified = tokens.verify(&hs256(claims(changes.clone())), NOW).unwrap();
        assert_eq!(verified.user.get(), expected, "{changes}");
        assert_eq!(verified.principal.permissions.has(Permission::NotificationSend), may_send, "{changes}");
    }
    let flat = hs256(claims(json!({ "resource_access": { "crm.user_id": "x" } })));
    assert_eq!(proves(&tokens, &flat), "invalid_token");
}

#[test]
fn the_issuer_decides_the_tenant() {
    let secret = |text: &[u8; 32]| Secret(text.to_vec());
    let one = Issuer { key: secret(b"11111111111111111111111111111111"), ..issuer() };
    let two = Issuer { key: secret(b"22222222222222222222222222222222"), ..issuer() };
    let three = Issuer { key: secret(b"33333333333333333333333333333333"), ..issuer() };
    let named = Issuer { issuer: Some("https://id".into()), ..three };
    let mut config = config();
    config.tenants[0].issuers = vec![one.clone()];
    let acme = Tenant { issuers: vec![two.clone()], roles: Default::default(), ..plain_tenant() };
    config.tenants.insert(tenant("acme"), acme);
    config.tenants.insert(tenant("named"), Tenant { issuers: vec![named.clone()], ..plain_tenant() });
    let tokens = Tokens::build(&config, None).unwrap();

    let sign = |issuer: &Issuer| {
        let user = UserId::new(5).unwrap();
        sign_token(issuer, user, &["admin".into()], Duration::from_secs(60), NOW).unwrap()
    };
    assert_eq!(proves(&tokens, &sign(&one)), "default/user:5");
    assert_eq!(proves(&tokens, &sign(&two)), "acme/user:5");
    assert_eq!(proves(&tokens, &sign(&named)), "named/user:5");
    // A role of another tenant is none here.
    let verified = tokens.verify(&sign(&two), NOW).unwrap();
    assert_eq!((verified.principal.permissions, verified.tenant), (Permissions::default(), 1));
    // A claim changes nothing about it.
    let claims = claims(json!({ "tenant": "acme" }));
    let key = EncodingKey::from_secret(b"11111111111111111111111111111111");
    assert_eq!(proves(&tokens, &encode(&Header::default(), &claims, &key).unwrap()), "default/user:123");
}

#[test]
fn memory_ends_with_the_issuers_and_roles_that_made_it() {
    let mut config = config();
    config.tenants[0].issuers = vec![issuer()];
    let before = Tokens::build(&config, None).unwrap();
    let token = hs256(claims(json!({ "roles": "admin" })));
    assert!(before.verify(&token, NOW).unwrap().principal.permissions.has(Permission::UserManage));
    assert!(Arc::ptr_eq(&before, &Tokens::build(&config, Some(&before)).unwrap()));

    config.tenants[0].roles.insert("admin".into(), Permissions::default());
    let after = Tokens::build(&config, Some(&before)).unwrap();
    assert!(!after.verify(&token, NOW).unwrap().principal.permissions.has(Permission::UserManage));
    config.tenants[0].issuers[0].key = Secret(vec![7; 32]);
    let after = Tokens::build(&config, Some(&after)).unwrap();
    assert!(matches!(after.verify(&token, NOW).unwrap_err(), BadToken::Invalid(_)));
}

#[test]
fn an_unusable_key_is_found_at_once_and_not_shown() {
    for (algorithm, key) in [
        (Algorithm::Hs256, &b"too short"[..]),
        (Algorithm::Rs256, b"not PEM"),
        (Algorithm::Rs256, pem!("rsa-1024.pub.pem")),
        (Algorithm::Rs256, pem!("rsa.pem")),
        (Algorithm::Rs256, pem!("ec.pub.pem")),
        (Algorithm::Es256, pem!("ec-p384.pub.pem")),
        (Algorithm::Es256, pem!("ec.pem")),
        (Algorithm::Es256, pem!("rsa.pub.pem")),
        (Algorithm::EdDsa, pem!("ed.pem")),
        (Algorithm::EdDsa, pem!("ec.pub.pem")),
    ] {
        let mut config = config();
        let broken = Issuer { issuer: Some("https://id".into()), ..public(algorithm, key) };
        config.tenants[0].issuers = vec![issuer(), broken];
        let error = Tokens::build(&config, None).err().unwrap();
        assert!(error.starts_with("tenant default, issuer 2 (https://id): "), "{error}");
        assert!(!error.contains(str::from_utf8(key).unwrap()), "{error}");
    }
}

#[test]
fn issuers_that_nothing_tells_apart_are_refused() {
    let mut twins = config();
    twins.tenants[0].issuers = vec![issuer()];
    twins.tenants.insert(tenant("acme"), Tenant { issuers: vec![issuer()], ..plain_tenant() });
    let error = Tokens::build(&twins, None).err().unwrap();
    assert!(error.contains("acme") && error.contains("default"), "{error}");
    // The same key in another encoding, and one of the two with an `iss`.
    let acme = |issuer: Issuer| Tenant { issuers: vec![issuer], ..plain_tenant() };
    let rsa = |pem: &[u8], iss: Option<&str>| Issuer {
        issuer: iss.map(Into::into),
        ..public(Algorithm::Rs256, pem)
    };
    let text = String::from_utf8(pem!("rsa.pub.pem").to_vec()).unwrap();
    let rewritten = text.replace('\n', "\r\n");
    for (one, other, is_twin) in [
        (rsa(text.as_bytes(), None), rsa(rewritten.as_bytes(), None), true),
        (rsa(text.as_bytes(), Some("a")), rsa(rewritten.as_bytes(), Some("a")), true),
        (rsa(text.as_bytes(), Some("a")), rsa(rewritten.as_bytes(), None), true),
        (rsa(text.as_bytes(), None), rsa(rewritten.as_bytes(), Some("a")), true),
        (rsa(text.as_bytes(), Some("a")), rsa(rewritten.as_bytes(), Some("b")), false),
    ] {
        twins.tenants[0].issuers = vec![one];
        twins.tenants.insert(tenant("acme"), acme(other));
        assert_eq!(Tokens::build(&twins, None).is_err(), is_twin);
    }
    twins.tenants[0].issuers[0].audience = Some("crm".into());
    twins.tenants.insert(tenant("acme"), acme(rsa(rewritten.as_bytes(), None)));
    assert!(Tokens::build(&twins, None).is_ok(), "an audience tells them apart");
    let mut many = config();
    many.tenants[0].issuers = vec![issuer(); MAX_CANDIDATES + 1];
    assert!(Tokens::build(&many, None).is_err());
}

#[test]
fn only_an_hs256_issuer_can_be_signed_for() {
    let user = UserId::new(5).unwrap();
    let issuer = public(Algorithm::EdDsa, pem!("ed.pub.pem"));
    assert!(sign_token(&issuer, user, &[], Duration::from_secs(60), NOW).is_err());
    let mut named = self::issuer();
    (named.issuer, named.audience) = (Some("https://id".into()), Some("bell".into()));
    named.user_claims = vec!["sub".into()];
    let token = sign_token(&named, user, &[], Duration::from_secs(60), NOW).unwrap();
    assert_eq!(proves(&tokens(vec![named]), &token), "default/user:5");
}
