//! What no reload may lose by accident, and how each of it is lost on purpose.

use super::*;

const ISSUER: &str = "issuers: [{algorithm: HS256, secret: a-secret-of-more-than-thirty-two-bytes}]";

/// Why one text may not take the other's place in the same file.
fn refusal(old: &str, new: &str) -> Option<String> {
    let site = Site::new(old);
    let before = site.config();
    refuse_reload(&before, &site.with("bellboard.yaml", new).config()).map(|problem| problem.message)
}

/// Cut off anywhere between two lines.
fn cut_off_is_refused(full: &str) {
    let lines: Vec<_> = full.split_inclusive('\n').collect();
    for cut in 0..lines.len() {
        let text = lines[..cut].concat();
        // What names a tenant that is gone is a problem of its own.
        let parsed = Site::new(&text).problems().is_empty();
        assert!(!parsed || refusal(full, &text).is_some(), "{text}");
    }
}

#[test]
fn a_cut_off_file_loses_nothing_whole_whatever_its_order() {
    let tenants = format!(
        "tenants:\n  default:\n    {ISSUER}\n    revoked_tokens: [{{jti: a}}]\n  acme:\n    {ISSUER}\n  bare:\n    {ISSUER}\n"
    );
    let keys = format!("api_keys:\n  {KEY}: {{}}\n  {OTHER}: {{tenant: acme}}\n");
    cut_off_is_refused(&format!("limits: {{title: 20}}\n{tenants}{keys}"));
    cut_off_is_refused(&format!("limits: {{title: 20}}\n{keys}{tenants}"));
    // Users alone, and a tenant whose keys are the only ones.
    cut_off_is_refused(&tenants);
    cut_off_is_refused(&format!(
        "tenants:\n  default:\n  acme:\n    {ISSUER}\napi_keys:\n  {OTHER}: {{tenant: acme}}\n"
    ));
}

#[test]
fn a_tenants_keys_are_lost_only_with_a_word_or_with_the_tenant() {
    let full = format!("tenants: {{acme: }}\napi_keys:\n  {KEY}: {{}}\n  {OTHER}: {{tenant: acme}}\n");
    let refusal = |new: &str| refusal(&full, new);
    assert_eq!(refusal(&full), None);
    let one = refusal(&format!("tenants: {{acme: }}\napi_keys: {{{KEY}: }}\n")).unwrap();
    assert!(one.contains("API key of acme,"), "{one}");
    assert!(refusal("tenants: {acme: }\n").unwrap().contains("API key of acme, default,"));
    assert_eq!(refusal("tenants: {acme: }\napi_keys: {}\n"), None);
    assert_eq!(refusal(&full.replace("{tenant: acme}", "{tenant: acme, disabled: true}")), None);
    assert!(refusal("# only a comment\n").unwrap().contains("is empty"));
    // The tenant goes, and its keys with it.
    assert_eq!(refusal(&format!("tenants: {{}}\napi_keys: {{{KEY}: }}\n")), None);
    let silent = refusal(&format!("api_keys: {{{KEY}: }}\n")).unwrap();
    assert!(silent.contains("lose the tenant acme,") && silent.contains("write tenants: {}"), "{silent}");
}

#[test]
fn issuers_and_revocations_are_lost_only_with_a_word_of_their_own() {
    let keys = format!("api_keys: {{{KEY}: {{}}}}\n");
    let tenant = |fields: &str| format!("tenants:\n  default:\n    users: open\n    {fields}\n{keys}");
    let full = tenant(&format!("{ISSUER}\n    revoked_tokens: [{{jti: a}}]"));
    let refusal = |new: &str| refusal(&full, new);
    assert_eq!(refusal(&full), None);
    let revoked = refusal(&tenant(ISSUER)).unwrap();
    assert!(revoked.contains("every revoked token of default,") && revoked.contains("revoked_tokens: []"));
    let issuers = refusal(&tenant("revoked_tokens: [{jti: b}]")).unwrap();
    assert!(issuers.contains("every issuer of default,") && issuers.contains("issuers: []"), "{issuers}");
    assert!(refusal(&tenant("issuers: []")).unwrap().contains("revoked token"), "each has its own word");
    assert!(refusal("tenants: {default: {users: open}}\napi_keys: {}\n").unwrap().contains("issuer"));
    assert_eq!(refusal(&tenant("issuers: []\n    revoked_tokens: []")), None);
}

#[test]
fn a_tenant_goes_with_its_keys_or_once_nobody_signs_for_it() {
    let keys = format!("api_keys:\n  {KEY}: {{}}\n");
    let both =
        format!("tenants:\n  acme: {{{ISSUER}}}\n  other: {{{ISSUER}}}\n{keys}  {OTHER}: {{tenant: acme}}\n");
    let one = format!("tenants:\n  other: {{{ISSUER}}}\n{keys}");
    assert_eq!(refusal(&both, &one), None);
    let lost = refusal(&one, &format!("tenants:\n  default:\n{keys}")).unwrap();
    assert!(lost.contains("lose the tenant other,") && lost.contains("first write issuers: []"), "{lost}");
    let emptied = format!("tenants:\n  other: {{issuers: []}}\n{keys}");
    assert_eq!(refusal(&one, &emptied), None);
    assert_eq!(refusal(&emptied, &format!("tenants:\n  default:\n{keys}")), None);
    assert_eq!(refusal(&one, &format!("tenants: {{}}\n{keys}")), None, "all of them on purpose");
}

#[test]
fn an_included_file_that_is_emptied_loses_no_tenant_and_one_that_is_removed_does() {
    let main = format!("include: ['t/*.yaml']\napi_keys:\n  {KEY}: {{}}\n");
    let acme = format!("tenants: {{acme: {{{ISSUER}}}}}\napi_keys: {{{OTHER}: {{tenant: acme}}}}\n");
    let site = Site::new(&main).with("t/acme.yaml", &acme);
    let old = site.config();
    for silent in ["", "tenants:\n", "roles: {}\n"] {
        fs::write(old.origin.file.with_file_name("t").join("acme.yaml"), silent).unwrap();
        let new = parse(&Inputs::read(&old.origin.file, &env).unwrap()).unwrap();
        let refusal = refuse_reload(&old, &new).unwrap().message;
        assert!(refusal.contains("lose the tenant acme,") && refusal.contains("acme.yaml"), "{refusal}");
    }
    fs::remove_file(old.origin.file.with_file_name("t").join("acme.yaml")).unwrap();
    assert_eq!(refuse_reload(&old, &site.config()), None);
}
