//! `bellboard check`: all that is wrong, at once and with its place.

use super::{SETTINGS, gateway::Site};

const BROKEN: &str = r#"server:
  listen: nowhere
plugins: ./plugins
stor: {}
tenants:
  default:
    users: manged
    issuers:
      - algorithm: HS256
        secret: tell-nobody-short
api_keys:
  tell-nobody-too-short:
    roles: [nobody]
  tell-nobody-this-key-is-long-enough-0123:
    roles: [nobody]
"#;

const BROKEN_TYPE: &str = "description: A parcel.\nicon: box\nseverity: info\npipeline:\n  - safe_lnk\n";

#[test]
fn good_settings_are_told_with_what_is_not_for_production() {
    let out = Site::default_settings().good(&["check"]);
    assert!(
        out.contains("config/bellboard.yaml: good. 1 tenant(s), 1 key(s), 0 hook(s), 11 type(s)"),
        "{out}"
    );
    assert!(out.contains("not for production: the API key \"Provisioning notification system\""), "{out}");
    assert!(!out.contains("your-secure-api-key"), "{out}");

    let site = Site::new(SETTINGS);
    let out = site.good(&["check"]);
    assert!(out.contains("2 tenant(s), 2 key(s)") && !out.contains("production"), "{out}");
    for words in
        [["--config", "config/bellboard.yaml", "check"], ["check", "--config", "config/bellboard.yaml"]]
    {
        site.good(&words);
    }
}

#[test]
fn every_problem_of_settings_and_types_comes_at_once_and_shows_no_secret() {
    let site = Site::new(BROKEN);
    site.write("config/plugins/shop/parcel/type.yaml", BROKEN_TYPE);
    site.write("config/plugins/shop/letter/type.yaml", "description: [\n");
    let err = site.bad(&["check"]);
    for told in [
        "config/bellboard.yaml:2: server.listen: ",
        "config/bellboard.yaml:4: stor: ",
        "config/bellboard.yaml:7: tenants.default.users: ",
        "config/bellboard.yaml:10: tenants.default.issuers[0].secret: ",
        "config/bellboard.yaml:12: api_keys[#1]",
        "config/bellboard.yaml:13: api_keys[#1].roles",
        "config/bellboard.yaml:15: api_keys[#2].roles",
        "config/plugins/shop/parcel/type.yaml:5: type parcel: ",
        "config/plugins/shop/letter/type.yaml:",
    ] {
        assert!(err.contains(told), "{told:?} in\n{err}");
    }
    assert!(!err.contains("tell-nobody"), "{err}");
    let lines = err.lines().count() - 1;
    assert!(err.ends_with(&format!("{lines} problem(s)\n")), "one a line, and how many:\n{err}");
}

#[test]
fn a_case_that_fails_is_a_problem_of_its_file() {
    let site = Site::new(SETTINGS);
    let good = BROKEN_TYPE.replace("safe_lnk", "safe_link");
    site.write("config/plugins/parcel/type.yaml", &good);
    let case = "description: Goes nowhere.\ndraft: {user_id: 1, title: A parcel, link: 'javascript:x'}\n\
                expect: {accepted: {}}\n";
    site.write("config/plugins/parcel/cases/good.yaml", case);
    let err = site.bad(&["check"]);
    assert!(
        err.contains("config/plugins/parcel/cases/good.yaml: type parcel: it was refused: link"),
        "{err}"
    );
}

#[test]
fn it_recommends_to_list_the_roles_of_tokens_where_several_tenants_or_issuers_exist() {
    let issuer =
        |secret: &str, more: &str| format!("{{algorithm: HS256, secret: {}{more}}}", secret.repeat(32));
    let site = |home: &[String], acme: &[String]| {
        let (home, acme) = (home.join(", "), acme.join(", "));
        Site::new(&format!("tenants:\n  default: {{issuers: [{home}]}}\n  acme: {{issuers: [{acme}]}}\n"))
    };
    let (one, two) = (issuer("a", ""), issuer("b", ", issuer: two"));
    let listed = issuer("c", ", roles: [sender]");
    let told = |site: Site| {
        site.good(&["check"]).lines().find(|l| l.starts_with("recommended: ")).map(str::to_owned)
    };
    assert_eq!(
        told(site(std::slice::from_ref(&one), &[])),
        None,
        "one issuer of one tenant that has anything"
    );
    let advice = told(site(&[one.clone(), listed.clone()], &[two])).expect("advice");
    assert!(
        advice.contains("`roles`") && advice.contains("tenants.default.issuers[0], tenants.acme.issuers[0] ")
    );
    assert_eq!(told(site(&[listed], &[issuer("d", ", roles: []")])), None);
    let unknown = site(&[issuer("e", ", roles: [sendr]")], &[]).bad(&["check"]);
    assert!(
        unknown.contains(":2: tenants.default.issuers[0].roles[0]: sendr is no role; known: admin, sender")
    );
}

#[test]
fn memory_that_the_largest_batch_does_not_fit_is_a_problem() {
    let site = |memory: u64, batch: u64| {
        Site::new(&format!(
            "server: {{max_body_memory: {memory}}}\nlimits: {{batch_bytes: {batch}}}\n{SETTINGS}"
        ))
    };
    site(16_777_216, 4_194_304).good(&["check"]);
    let err = site(16_777_216, 4_194_305).bad(&["check"]);
    let told = "config/bellboard.yaml:1: server.max_body_memory: must be at least 16777220, 4 times limits.batch_bytes \
                (4194305)";
    assert!(err.contains(told) && err.ends_with("1 problem(s)\n"), "{err}");
    let err = site(16_777_216, 9_000_000).bad(&["check"]);
    assert!(err.ends_with("1 problem(s)\n"), "the limit's own problem, once: {err}");
}

#[test]
fn it_names_secret_files_that_every_user_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new("tenants:\n  default: {issuers: [{algorithm: HS256, secret_file: signing}]}\n");
    site.write("config/signing", &"s".repeat(32));
    let is_named = |mode| {
        let open = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(site.path("config/signing"), open).expect("a file of ours");
        site.good(&["check"]).contains("recommended: chmod o-r config/signing")
    };
    assert!(is_named(0o644));
    assert!(!is_named(0o640));
}

#[test]
fn what_cannot_be_opened_is_found_before_the_start() {
    let open = format!("server: {{admin_listen: 0.0.0.0:9090}}\n{SETTINGS}");
    let err = Site::new(&open).bad(&["check"]);
    assert!(err.contains("server.admin_listen") && err.contains("admin_token"), "{err}");
    let err = Site::empty().bad(&["check"]);
    assert!(err.contains("config/bellboard.yaml: does not exist"), "{err}");
}

const HOOKS: &str = r#"plugins: ./plugins
roles: {nobody: []}
tenants:
  default:
    hooks:
      Alerts:
        mapping: alertmanager
        secrets: [{secret: tell-nobody-this-secret-of-thirty-two}]
      alerts:
        secrets: [{secret: tell-nobody-short}, {secret_env: TELL_NOBODY_THIS}, {}]
        authentication: basic
        overload: 418
        roles: [somebody]
        types: ["["]
        recipients: {team: [0], other: x}
        fallback: -1
        replay_window: 2h
        setings: {}
      none: {mapping: generic, secrets: []}
  acme:
    hooks:
      alerts: {mapping: generic, secrets: [{secret: tell-nobody-this-secret-of-thirty-two}]}
"#;

#[test]
fn what_is_wrong_with_hooks_is_told_with_its_place_and_no_secret() {
    let site = Site::new(HOOKS);
    let err = site.bad(&["check"]);
    for told in [
        ":6: tenants.default.hooks.Alerts: is no hook's id",
        ":9: tenants.default.hooks.alerts: mapping is required",
        ":10: tenants.default.hooks.alerts.secrets[0].secret: must give at least 32 bytes",
        ":10: tenants.default.hooks.alerts.secrets[1].secret_env: names an environment variable that is not set",
        ":10: tenants.default.hooks.alerts.secrets[2]: must have one of secret, secret_env, secret_file",
        ":11: tenants.default.hooks.alerts.authentication: must be one of token, stripe, github",
        ":12: tenants.default.hooks.alerts.overload: must be 429 or 503",
        ":13: tenants.default.hooks.alerts.roles[0]: somebody is no role",
        ":14: tenants.default.hooks.alerts.types[0]: must be a name or a pattern",
        ":15: tenants.default.hooks.alerts.recipients.team[0]: must be at least 1",
        ":15: tenants.default.hooks.alerts.recipients.other: must be a whole number",
        ":16: tenants.default.hooks.alerts.fallback: must be at least 1",
        ":17: tenants.default.hooks.alerts.replay_window: must be from 1s to 1h",
        ":18: tenants.default.hooks.alerts.setings: is no field here; did you mean settings?",
        ":19: tenants.default.hooks.none.secrets: must be a list of 1 to 4 entries",
        ":22: tenants.acme.hooks.alerts: is a hook at config/bellboard.yaml:9 already",
    ] {
        assert!(err.contains(told), "{told:?} in\n{err}");
    }
    assert!(!err.contains("tell-nobody") && !err.contains("TELL_NOBODY"), "{err}");

    let one = |hook: &str| {
        let secret = "secrets: [{secret: tell-nobody-this-secret-of-thirty-two}]";
        let hooks = format!("tenants:\n  default:\n    hooks:\n      a: {{{secret}, {hook}}}\n");
        Site::new(&hooks)
    };
    let missing = one("mapping: none").bad(&["check"]);
    let told =
        ":4: tenants.default.hooks.a.mapping: there is no mapping none; known: alertmanager, generic, github";
    assert!(missing.contains(told), "{missing}");
    let unset = one("mapping: generic, settings: {tpye: x}").bad(&["check"]);
    assert!(unset.contains("hooks.a.mapping: tpye is no setting of the mapping; known: type"), "{unset}");
    assert!(one("mapping: generic, settings: {type: x}").good(&["check"]).contains("1 hook(s)"));
}
