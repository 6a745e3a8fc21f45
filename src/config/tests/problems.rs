//! What is wrong is told whole, in its place, and without a secret.

use super::*;

#[test]
fn every_problem_at_once_and_where_it_is() {
    let site = Site::new(
        "\
server:
  listen: localhost:80
  sutdown_timeout: 5s
  request_timeout: 2h
store: {url: 'mysql://u:hunter2@db/x'}
log: {format: xml, level: info}
limits:
  title: 0
  metadata_bytes: 300000
  message: 3.5
rate_limits: {per_key: {per_second: 0}, per_user: {burst: 3}}
roles:
  admin: []
  billing: [notification.sent]
tenants:
  Acme: {}
  other:
    users: closed
    seed: [0, {id: 3, time_zone: Mars/Base, locale: x}, 3]
    issuers:
      - {algorithm: HS256, secret: short}
      - {algorithm: none}
      - {algorithm: ES256}
    retention: {read: 90}
    retention: {}
api_keys:
  too-short-a-key:
    roles: [biling]
    tenant: nobody
    disabled: yes
    expires_at: tomorrow
include: none.yaml
",
    );
    let expected = [
        "bellboard.yaml:3: server.sutdown_timeout: is no field here; did you mean shutdown_timeout?",
        "bellboard.yaml:2: server.listen: must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080",
        "bellboard.yaml:4: server.request_timeout: must be from 1s to 10m",
        "bellboard.yaml:5: store.url: must be sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE",
        "bellboard.yaml:6: log.format: must be one of pretty, json",
        "bellboard.yaml:8: limits.title: must be at least 1",
        "bellboard.yaml:7: limits: metadata_bytes must be less than body_bytes, which holds the metadata",
        "bellboard.yaml:10: limits.message: must be a whole number",
        "bellboard.yaml:11: rate_limits.per_key.per_second: must be at least 1",
        "bellboard.yaml:11: rate_limits.per_user: per_second is required",
        "bellboard.yaml:13: roles.admin: is built in and cannot be defined anew",
        "bellboard.yaml:14: roles.billing[0]: notification.sent is no permission; did you mean notification.send?",
        "bellboard.yaml:16: tenants.Acme: is no tenant's name: it must be 1 to 64 characters of a-z, 0-9, - and _",
        "bellboard.yaml:18: tenants.other.users: must be one of managed, open",
        "bellboard.yaml:19: tenants.other.seed[0]: must be at least 1",
        "bellboard.yaml:19: tenants.other.seed[1].time_zone: must be the name of a time zone such as Europe/Zurich",
        "bellboard.yaml:19: tenants.other.seed[1].locale: must be a language tag such as en or de-CH",
        "bellboard.yaml:19: tenants.other.seed[2]: user 3 stands in this list already",
        "bellboard.yaml:21: tenants.other.issuers[0].secret: must give at least 32 bytes",
        "bellboard.yaml:22: tenants.other.issuers[1].algorithm: must be one of HS256, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA",
        "bellboard.yaml:23: tenants.other.issuers[2]: this algorithm needs one of jwks_url, public_key, public_key_env \
         and public_key_file",
        "bellboard.yaml:24: tenants.other.retention.read: must be text: put it in quotes",
        "bellboard.yaml:25: tenants.other.retention: stands here again, after line 24",
        "bellboard.yaml:27: api_keys[#1]: is an API key of 15 characters; it must have at least 32",
        "bellboard.yaml:28: api_keys[#1].roles[0]: biling is no role; known: admin, sender, billing",
        "bellboard.yaml:29: api_keys[#1].tenant: nobody is no tenant; known: other, default",
        "bellboard.yaml:30: api_keys[#1].disabled: must be true or false",
        "bellboard.yaml:31: api_keys[#1].expires_at: must be a time with its offset, such as 2027-01-31T00:00:00Z",
    ];
    let problems = site.problems();
    for expected in expected {
        assert!(problems.iter().any(|p| p == expected), "missing {expected}\nin {problems:#?}");
    }
    let include = problems.iter().find(|p| p.starts_with("bellboard.yaml:32: include:")).unwrap();
    assert!(include.ends_with("none.yaml does not exist"));
    assert_eq!(problems.len(), expected.len() + 1, "{problems:#?}");
}

#[test]
fn no_problem_shows_a_secret() {
    let secret = "Zq8+hunter2/hunter2/hunter2/hunter2/9876==";
    let sites = [
        // The contract's example as print left it, and other ways to lose the indentation.
        format!("api_keys:\n{secret}:\nroles:\n- admin\ndescription: x\n"),
        format!("api_keys:\n  {secret}:\n  roles:\n  - admin\n  description: x\n"),
        format!("{secret}:\n  roles: [admin]\n"),
        format!("tenants:\n  {secret}:\n    {secret}: 1\n"),
        // In the wrong place, or wrong itself.
        format!(
            "roles:\n  {secret}: [{secret}]\napi_keys:\n  {secret}x y:\n    roles: [{secret}]\n    tenant: {secret}\n"
        ),
        format!("api_keys:\n  {secret}:\n  {secret}:\n    what: {secret}\n"),
        format!("api_keys: [{secret}]\nserver: {{admin_token_env: {secret}, listen: {secret}}}\n"),
        format!("server: {{admin_token: {secret}, admin_token_env: SECRET, trusted_proxies: [{secret}]}}\n"),
        format!(
            "tenants: {{a: {{issuers: [{{algorithm: RS256, secret: {secret}, public_key: {secret}}}]}}}}\n"
        ),
        format!(
            "tenants: {{a: {{issuers: [{{algorithm: {secret}, leeway: {secret}, secret_env: {secret}}}]}}}}\n"
        ),
        format!("store: {{url: 'mysql://u:{secret}@h/d'}}\nplugins: [{secret}]\nlog: {secret}\n"),
        format!("api_keys:\n  {secret}: {{description: {{{secret}: 1}}, types: [{secret}: 2]}}\n"),
        format!("a: {secret}: b\n"),
        format!("a: *{secret}\n"),
    ];
    for yaml in sites {
        let problems = Site::new(&yaml).problems();
        assert!(!problems.is_empty(), "{yaml}");
        assert!(!problems.iter().any(|p| p.contains("hunter2")), "{problems:#?}\n{yaml}");
    }
    let lost = Site::new(&format!("api_keys:\n{secret}:\nroles:\n- admin\n")).problems();
    assert!(
        lost[0].contains(":2: Zq8+… (42 characters)") && lost[0].contains("indent it below api_keys"),
        "{lost:?}"
    );
    let site = Site::new(&format!("api_keys: {{{secret}: }}\nserver: {{admin_token: {secret}}}\n"));
    assert!(!format!("{:?}{:?}", site.config(), site.read()).contains("hunter2"));
}

#[test]
fn a_key_is_known_by_position_and_description() {
    let yaml = format!("api_keys:\n  {KEY}: {{}}\n  {OTHER}:\n    description: Billing\n    disabled: 1\n");
    let problems = Site::new(&yaml).problems();
    assert_eq!(problems, ["bellboard.yaml:5: api_keys[#2 \"Billing\"].disabled: must be true or false"]);
}

#[test]
fn the_same_key_twice_is_a_problem_across_files_and_forms() {
    let hash = value::key_hash(KEY).unwrap().iter().map(|b| format!("{b:02x}")).collect::<String>();
    let site = Site::new(&format!("include: [more.yaml]\napi_keys:\n  {KEY}: {{}}\n  {KEY}: {{}}\n"))
        .with("more.yaml", &format!("api_keys:\n\n  sha256:{hash}: {{}}\n"));
    let problems = site.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].starts_with("bellboard.yaml:4: api_keys[#2]: is the same key as at "),
        "{problems:?}"
    );
    assert!(problems[1].starts_with("more.yaml:3: api_keys[#1]: is the same key as at "), "{problems:?}");
}

#[test]
fn published_keys_and_revoked_tokens() {
    let site = Site::new(
        "tenants:\n  default:\n    issuers:\n\
         \x20     - {algorithm: HS256, jwks_url: https://id.example/keys}\n\
         \x20     - {algorithm: RS256, jwks_url: http://id.example/keys}\n\
         \x20     - {algorithm: RS256, jwks_url: https://me:secret@id.example/keys}\n\
         \x20     - {algorithm: RS256, jwks_url: https://id.example/keys, jwks_refresh: 2h, jwks_keep: 1h}\n\
         \x20     - {algorithm: ES256, jwks_url: https://id.example/keys, secret: a-secret-of-no-use-here-at-all-but-long}\n\
         \x20   revoked_tokens:\n\
         \x20     - {user_id: 5}\n\
         \x20     - {jti: a, user_id: 5}\n\
         \x20     - {}\n\
         \x20     - {user_id: 5, not_before: today}\n",
    );
    let expected = [
        "bellboard.yaml:4: tenants.default.issuers[0].jwks_url: is not for HS256, whose secret nobody publishes",
        "bellboard.yaml:5: tenants.default.issuers[1].jwks_url: must begin with https:// (or http:// with \
         jwks_allow_private: true)",
        "bellboard.yaml:6: tenants.default.issuers[2].jwks_url: must be a URL with a host, and with no name or \
         password in it",
        "bellboard.yaml:7: tenants.default.issuers[3]: jwks_keep must not be less than jwks_refresh: no key would \
         last to the next fetch",
        "bellboard.yaml:8: tenants.default.issuers[4].secret: stands beside jwks_url: give one of them",
        "bellboard.yaml:10: tenants.default.revoked_tokens[0]: not_before is required",
        "bellboard.yaml:11: tenants.default.revoked_tokens[1].user_id: stands beside jti: give each an entry of its own",
        "bellboard.yaml:12: tenants.default.revoked_tokens[2]: must have jti, or user_id and not_before",
        "bellboard.yaml:13: tenants.default.revoked_tokens[3].not_before: must be a time with its offset, such as \
         2027-01-31T00:00:00Z",
    ];
    assert_eq!(site.problems(), expected);
}
