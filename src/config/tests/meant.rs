//! What a file says means what it looks like, or is refused.

use super::*;

#[test]
fn a_tag_is_refused_with_its_name_and_the_field_to_use() {
    let vault =
        "!vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        6238653664386139663865366438613966386536";
    let site = Site::new(&format!(
        "server:\n  admin_token: {vault}\nstore: {{url: !env STORE_URL}}\ntenants:\n  default:\n    issuers:\n      \
         - {{algorithm: HS256, secret: !secret signing_secret_1}}\n    seed: !include users.yaml\napi_keys:\n  \
         !env {KEY}: {{roles: !!set {{}}}}\nlimits: !custom {{title: !<tag:example.com,2000:int> 5}}\n"
    ));
    let problems = site.problems();
    for told in [
        "bellboard.yaml:2: server.admin_token: has the tag !vault, which is not evaluated: give admin_token_env, the \
         name of an environment variable, or admin_token_file, a path",
        "bellboard.yaml:5: store.url: has the tag !env, which is not evaluated: give url_env,",
        "bellboard.yaml:9: tenants.default.issuers[0].secret: has the tag !secret, which is not evaluated: give secret_env,",
        "bellboard.yaml:10: tenants.default.seed: has the tag !include, which is not evaluated: only secret,",
        "bellboard.yaml:12: api_keys.Abcd… (40 characters): has the tag !env, which",
        "bellboard.yaml:12: api_keys.Abcd… (40 characters).roles: has the tag tag:yaml.org,2002:set, which",
        "bellboard.yaml:13: limits: has the tag !custom, which",
        "bellboard.yaml:13: limits.title: has the tag tag:example.com,2000:int, which",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(told)), "{told}\n{problems:#?}");
    }
    // Those of YAML itself say what a value is.
    let site = Site::new("server: !!map {admin_networks: !!seq [! 10.0.0.0/8], max_connections: !!int 5}\n");
    assert_eq!(site.config().server.max_connections, 5);
}

#[test]
fn a_tag_in_another_systems_file_counts_under_its_keys_alone() {
    let crm = |roles: &str| {
        format!(
            "database: !Database {{url: !env URL, key: !!binary x}}\napi_keys:\n  {KEY}: {{roles: {roles}}}\n"
        )
    };
    let site = Site::new("api_keys_from: crm.yaml\n").with("crm.yaml", &crm("[admin]"));
    assert_eq!(site.config().keys.len(), 1);
    let problems = site.with("crm.yaml", &crm("[!role admin]")).problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("roles[0]: has the tag !role"), "{problems:?}");
}

#[test]
fn a_placeholder_is_no_secret() {
    for text in
        ["${ADMIN_TOKEN_OF_THIRTY_TWO_CHARACTERS}", "{{ vault_admin_token_of_thirty_two_characters }}"]
    {
        let problems = Site::new(&format!("server: {{admin_token: '{text}'}}\n")).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].contains("admin_token: contains ") && problems[0].contains("secret_env"),
            "{problems:?}"
        );
        let site = Site::new("server: {admin_token_file: token}\n").with("token", text);
        assert!(site.problems()[0].contains("admin_token_file: contains "), "{:?}", site.problems());
    }
    for (text, told) in [
        ("$ADMIN_TOKEN_OF_THIRTY_TWO_CHARACTERS", "is $ and the name of a variable"),
        ("<the admin token, at least 32 characters>", "is <…>, which stands for a secret"),
        ("$ANSIBLE_VAULT;1.1;AES256;62386536643861396638653664386139", "is encrypted"),
        ("$ANSIBLE_VAULT;1.1;AES256\n62386536643861396638653664386139\n6238", "is encrypted"),
        ("ENC[AES256_GCM,data:Tr7o=,iv:1234,tag:5678,type:str]", "is encrypted"),
    ] {
        let site = Site::new("server: {admin_token_file: token}\n").with("token", text);
        let problems = site.problems();
        assert!(problems[0].contains(&format!("admin_token_file: {told}")), "{problems:?}");
    }
    let kept = "$a-secret<that>only-looks-like-one-of-them";
    let config = Site::new("server: {admin_token_file: token}\n").with("token", kept).config();
    assert_eq!(config.server.admin_token.unwrap().0, kept.as_bytes());
    for text in ["postgres://u:${PASSWORD}@h/d", "postgres://u:{{ password }}@h/d"] {
        assert!(
            Site::new(&format!("store: {{url: '{text}'}}\n")).problems()[0].contains("store.url: contains ")
        );
    }
    let problems = Site::new("api_keys:\n  ${PROVISIONING_API_KEY_OF_32_CHARACTERS}:\n").problems();
    assert!(problems[0].contains("is a placeholder"), "{problems:?}");
}

#[test]
fn a_secrets_file_is_one_line_of_utf8() {
    let site = |bytes: &[u8]| {
        let site = Site::new("server: {admin_token_file: token}\n");
        fs::write(site.0.path().join("token"), bytes).unwrap();
        site
    };
    let token = "a-token-of-more-than-thirty-two-characters";
    let given = |bytes: &[u8]| site(bytes).config().server.admin_token.unwrap().0;
    assert_eq!(given(format!("\u{feff}{token}\r\n").as_bytes()), token.as_bytes());
    // Random bytes are all meant, whatever they begin with.
    let random: Vec<u8> = (0..40).map(|n: u8| n.wrapping_mul(151) | 0x80).collect();
    for mark in [&[0xff, 0xfe][..], &[0xef, 0xbb, 0xbf], &[]] {
        assert_eq!(given(&[mark, &random].concat()), [mark, &random].concat());
    }
    let utf16 =
        |mark: &[u8]| [mark.to_vec(), token.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat();
    for bytes in [utf16(&[0xff, 0xfe]), utf16(&[])] {
        let problems = site(&bytes).problems();
        assert!(problems[0].ends_with("it is text in UTF-16: save it as UTF-8"), "{problems:?}");
    }
    for (text, told) in [
        (format!("# the token\n{token}\n"), "holds more than one line"),
        (format!("# the token\r{token}\r"), "holds more than one line"),
        (format!("{token}\0{token}"), "holds a control character"),
    ] {
        let problems = site(text.as_bytes()).problems();
        assert!(problems[0].contains(&format!("admin_token_file: {told}")), "{problems:?}");
    }
}

#[test]
fn fields_for_anchors_and_a_mark_at_the_end_are_no_matter() {
    let text = format!(
        "x-key: &key\n  roles: [admin]\nx-other: !!str 5\napi_keys:\n  {KEY}:\n    <<: *key\n---\n# the end\n\n...\n"
    );
    let config = Site::new(&format!("include: more.yaml\n{text}")).with("more.yaml", "x-a: 1\n---").config();
    assert!(config.keys[0].permissions.has(Permission::UserManage));
    assert!(Site::new("a: 1\n---\nb: 1\n").problems()[0].contains("more than one document"));
    assert!(Site::new("server: {x-a: 1}\n").problems()[0].contains("x-a"));
    assert_eq!(Site::new("---\nlog: {level: debug}\n---\n").config().log.level, tracing::Level::DEBUG);
}
