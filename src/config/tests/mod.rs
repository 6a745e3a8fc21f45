//! From files to settings or problems, as a user meets them.

use std::{fs, path::Path, time::Duration};

use tempfile::TempDir;

use super::*;
use crate::domain::{Permission, TenantId, Timestamp};

mod folder;
mod guard;
mod meant;
mod problems;

const KEY: &str = "Abcdefghijklmnopqrstuvwxyz+/0123456789==";
const OTHER: &str = "another-key-of-more-than-thirty-two-characters";

/// A folder with a main file and others.
struct Site(TempDir);

impl Site {
    fn new(main: &str) -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        site.with("bellboard.yaml", main)
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn read(&self) -> Inputs {
        Inputs::read(&self.0.path().join("bellboard.yaml"), &env).unwrap()
    }

    fn config(&self) -> Config {
        parse(&self.read()).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The problems, with file names instead of paths.
    fn problems(&self) -> Vec<String> {
        let folder = format!("{}/", self.0.path().display());
        let Err(problems) = parse(&self.read()) else { return Vec::new() };
        problems.0.iter().map(|p| p.to_string().replace(&folder, "")).collect()
    }
}

fn env(name: &str) -> Option<String> {
    (name == "SECRET").then(|| "s".repeat(40))
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

#[test]
fn the_contracts_form_of_keys() {
    let site = Site::new(&format!(
        "api_keys:\n  your-secure-api-key-minimum-32-characters:\n    roles:\n    - admin\n    \
         description: \"Provisioning notification system\"\n  {KEY}:\n  sha256:{}:\n    roles: [eraser, sender]\n    \
         tenant: acme\n    expires_at: 1970-01-01T00:00:01Z\n    types: [billing_*]\n    networks: [10.1.2.3]\n    \
         rate_limit: {{per_second: 5}}\ntenants: {{acme: }}\nroles: {{eraser: [user.erase]}}\n",
        "ab".repeat(32)
    ));
    let config = site.config();
    let [admin, bare, hashed] = &config.keys[..] else { panic!("{:?}", config.keys) };
    assert_eq!(admin.description.as_deref(), Some("Provisioning notification system"));
    assert!(admin.permissions.has(Permission::UserManage) && !admin.permissions.has(Permission::UserErase));
    assert!(admin.development && !bare.development && !hashed.development);
    assert!(bare.permissions.has(Permission::NotificationSend) && bare.permissions.has(Permission::UserRead));
    assert!(!bare.permissions.has(Permission::UserManage));
    assert_eq!((bare.tenant.as_str(), bare.quota, bare.disabled), ("default", Quota::default(), false));
    assert!(
        hashed.permissions.has(Permission::UserErase) && hashed.permissions.has(Permission::NotificationSend)
    );
    assert_eq!((hashed.hash, hashed.tenant.as_str()), ([0xab; 32], "acme"));
    assert_eq!((hashed.expires_at, hashed.quota.burst), (Some(Timestamp(1_000_000)), 10));
    assert_eq!((hashed.types.as_slice(), hashed.networks.len()), (["billing_*".to_owned()].as_slice(), 1));
    let bearer = config.tenants[&tenant("acme")].roles["admin"];
    assert!(bearer.has(Permission::UserManage) && !bearer.has(Permission::UserErase));
}

#[test]
fn files_that_are_included() {
    let site = Site::new("include: ['keys/*.yaml', ./acme.yaml, none/*.yaml]\nroles: {a: [user.read]}\n")
        .with("keys/one.yaml", &format!("api_keys: {{{KEY}: {{roles: a, tenant: acme}}}}\n"))
        .with("keys/two.yaml", &format!("api_keys: {{{OTHER}: {{roles: [b]}}}}\n"))
        .with("keys/.hidden.yaml", "nonsense")
        .with("keys/secret.txt", &"x".repeat(32))
        .with(
            "acme.yaml",
            "roles: {b: []}\ntenants: {acme: {issuers: [{algorithm: HS256, secret_file: keys/secret.txt}, \
             {algorithm: HS256, secret_env: SECRET}]}}\n",
        );
    let config = site.config();
    assert_eq!(config.keys.len(), 2);
    assert!(config.keys[0].permissions.has(Permission::UserRead));
    assert!(!config.keys[1].permissions.has(Permission::NotificationSend));
    let issuers = &config.tenants[&tenant("acme")].issuers;
    assert_eq!((issuers[0].key.0.len(), issuers[1].key.0.len()), (32, 40));

    let wrong = Site::new("include: [a.yaml, '*/b.yaml']\ntenants:\n  x: {}\n")
        .with("a.yaml", "server: {}\ntenants:\n  x: {}\n");
    let problems = wrong.problems();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].contains("include[1]: may have a pattern only in the file's name"));
    assert_eq!(problems[1], "a.yaml:1: server: is no field here; known: roles, tenants, api_keys");
    assert!(problems[2].starts_with("a.yaml:3: tenants.x: is defined at "), "{problems:?}");
}

#[test]
fn of_another_systems_file_only_its_keys_are_read() {
    let crm = format!(
        "database: {{url: 'mysql://x'}}\nserver: [1, .inf]\ndatabase: twice\nroles: 5\napi_keys:\n  {KEY}:\n    \
         roles: [admin]\n    description: Provisioning\n"
    );
    let site = Site::new("api_keys_from: crm_config.yaml\n").with("crm_config.yaml", &crm);
    assert_eq!(site.config().keys[0].description.as_deref(), Some("Provisioning"));
    let site = site.with("crm_config.yaml", "\n\napi_keys:\n  short: {roles: [admin]}\n");
    let expected = "crm_config.yaml:4: api_keys[#1]: is an API key of 5 characters; it must have at least 32";
    assert_eq!(site.problems(), [expected]);
    let site = site.with("crm_config.yaml", "other: 1\n");
    assert!(site.problems()[0].contains("holds no api_keys"));
}

#[test]
fn an_input_that_changes_changes_the_fingerprint() {
    let site = Site::new(
        "plugins: types\ninclude: ['k/*.yaml']\ntenants: {a: {issuers: [{algorithm: HS256, secret_file: s}]}}\n",
    );
    let first = site.read();
    assert!(parse(&first).is_err() && first.plugins().is_none());
    assert_eq!(first.fingerprint(), first.reread(&env).fingerprint());
    // A missing file that appears, a file that a pattern newly matches, and one below the folder of types.
    let mut last = first;
    for (name, text) in [
        ("s", "0123456789012345678901234567890123456789"),
        ("k/a.yaml", "api_keys: {}\n"),
        ("k/a.yaml", ""),
        ("types/sub/type.yaml", "name: a\n"),
        ("types/sub/type.yaml", "name: b\n"),
    ] {
        fs::create_dir_all(site.0.path().join(name).parent().unwrap()).unwrap();
        fs::write(site.0.path().join(name), text).unwrap();
        assert_ne!(last.fingerprint(), last.reread(&env).fingerprint(), "{name}");
        last = site.read();
        assert_eq!(last.fingerprint(), last.reread(&env).fingerprint(), "{name}");
    }
    let (folder, files) = last.plugins().unwrap();
    assert_eq!(Some(folder.to_path_buf()), parse(&last).unwrap().plugins);
    assert_eq!(files.files[Path::new("sub/type.yaml")], b"name: b\n");
    // What was read is what is parsed, whatever the disk says since.
    fs::write(site.0.path().join("bellboard.yaml"), "nonsense: 1\n").unwrap();
    assert!(parse(&last).is_ok());
}

#[test]
fn published_credentials_stay_on_this_machine() {
    let mut config = default_config();
    assert_eq!(config.development_credentials().len(), 2);
    assert_eq!(check_exposure(&config), Ok(()));
    config.server.admin_listen = "[::ffff:127.0.0.1]:9090".parse().unwrap();
    assert_eq!(check_exposure(&config), Ok(()));
    config.server.listen = "0.0.0.0:8080".parse().unwrap();
    let refusal = check_exposure(&config).unwrap_err().to_string();
    assert!(
        refusal.contains("Provisioning notification system") && refusal.contains("server.listen"),
        "{refusal}"
    );
    assert!(!refusal.contains("minimum-32") && !refusal.contains("development-secret"));

    let hashed = "sha256:".to_owned()
        + &value::key_hash("your-secure-api-key-minimum-32-characters")
            .unwrap()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>();
    let site = |keys: &str| {
        Site::new(&format!("server: {{admin_listen: '[::]:9'}}\napi_keys: {{{keys}: }}\n")).config()
    };
    assert!(check_exposure(&site(&hashed)).unwrap_err().message.contains("anyone knows"));
    let mut config = site(OTHER);
    assert!(check_exposure(&config).unwrap_err().message.contains("set admin_token"));
    config.server.admin_networks = vec!["10.0.0.0/8".parse().unwrap()];
    assert_eq!(check_exposure(&config), Ok(()));
}

fn default_config() -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/bellboard.yaml");
    parse(&Inputs::read(&path, &|_| None).unwrap()).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn the_default_file_works_and_its_comments_tell_the_defaults() {
    let config = default_config();
    let tenant = &config.tenants[&TenantId::default()];
    assert_eq!(tenant.seed_users.iter().map(|(id, _)| id.get()).collect::<Vec<_>>(), [1, 2, 3, 5, 123]);
    assert_eq!((tenant.users, tenant.retention), (UserMode::Managed, Retention::default()));
    assert_eq!((config.server.listen.port(), config.store.url.as_str()), (8080, "sqlite://bellboard.db"));
    assert_eq!(config.server.request_timeout, Duration::from_secs(30));

    // With every commented field put in, nothing is different.
    let text = fs::read_to_string(&config.origin.file).unwrap();
    let mut count = 0;
    let uncommented: String = text
        .lines()
        .map(|line| match line.trim_start().strip_prefix('#') {
            Some(field) if field.starts_with(|c: char| c.is_ascii_lowercase()) => {
                count += 1;
                line.replacen('#', "", 1) + "\n"
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert!(count > 30, "{count}");
    let site = Site::new(&uncommented);
    let folder = |config: &Config| config.origin.file.parent().unwrap().display().to_string();
    let shown = |mut config: Config| {
        // That a list is written out empty is told apart from its absence, and means nothing else.
        config.origin.emptied.clear();
        format!("{config:#?}").replace(&folder(&config), "")
    };
    assert_eq!(shown(site.config()), shown(config));
}

#[test]
fn what_needs_a_restart_is_named() {
    let old = default_config();
    let mut new = old.clone();
    assert!(restart_needed(&old, &new).is_empty());
    new.server.listen.set_port(1);
    new.log.json = true;
    new.keys.clear();
    assert_eq!(restart_needed(&old, &new), ["server.listen", "log.format"]);
}

#[test]
fn line_ends_and_marks_of_windows_are_no_matter() {
    let config = Site::new(
        "\u{feff}api_keys:\r\n  your-secure-api-key-minimum-32-characters:\r\n    roles: [admin]\r\n",
    )
    .config();
    assert!(config.keys[0].development);
}

#[test]
fn nothing_at_all_is_the_defaults() {
    let config = Site::new("").config();
    assert!(
        config.keys.is_empty() && config.tenants.contains_key(&TenantId::default()) && config.origin.empty
    );
    let missing = Inputs::read(Path::new("/nowhere/bellboard.yaml"), &env).unwrap_err();
    assert_eq!(missing.to_string(), "/nowhere/bellboard.yaml: does not exist");
}

#[test]
fn what_was_deleted_can_be_restored_for_a_bounded_time() {
    for (text, expected) in [("", 30), ("inbox:\n", 30), ("inbox: {restore_time: 0s}\n", 0)] {
        assert_eq!(Site::new(text).config().restore_time, Duration::from_secs(expected), "{text}");
    }
    let problems = Site::new("inbox: {restore_time: 6m}\n").problems();
    assert_eq!(problems, ["bellboard.yaml:1: inbox.restore_time: must be from 0ms to 5m"]);
}

#[test]
fn other_origins_are_as_browsers_write_them() {
    let cors = |text: &str| Site::new(&format!("tenants:\n  default:\n    cors: {{{text}}}\n"));
    let config = cors("allowed_origins: [https://a.example, 'http://localhost:3000'], max_age: 1h").config();
    let Cors { allowed_origins, max_age } = &config.tenants[&TenantId::default()].cors;
    assert_eq!(allowed_origins, &["https://a.example", "http://localhost:3000"]);
    assert_eq!(*max_age, Duration::from_secs(3600));
    assert_eq!(Site::new("").config().tenants[&TenantId::default()].cors, Cors::default());
    for (text, told) in [
        ("'*'", "must be an origin, such as"),
        ("'null'", "must be an origin, such as"),
        ("crm.example.com", "must be an origin, such as"),
        ("https://", "must be an origin, such as"),
        ("ftp://a.example", "must be an origin, such as"),
        ("'https://*.example'", "must be an origin"),
        ("https://a.example/", "must be an origin alone, as browsers write it: https://a.example"),
        ("https://a.example/x?y", "must be an origin alone, as browsers write it: https://a.example"),
        ("https://A.example", "must be an origin alone, as browsers write it: https://a.example"),
        ("'https://a.example:443'", "must be an origin alone, as browsers write it: https://a.example"),
        ("https://me:secret@a.example", "must be an origin alone, as browsers write it: https://a.example"),
        (
            "https://b\u{fc}cher.example",
            "must be an origin alone, as browsers write it: https://xn--bcher-kva.example",
        ),
    ] {
        let problems = cors(&format!("allowed_origins: [{text}]")).problems();
        let place = "bellboard.yaml:3: tenants.default.cors.allowed_origins[0]: ";
        assert!(
            problems.len() == 1 && problems[0].starts_with(&format!("{place}{told}")),
            "{text}: {problems:?}"
        );
    }
    assert_eq!(cors("max_age: 2d").problems().len(), 1);
}

#[test]
fn the_audit_record_is_kept_for_a_bounded_time() {
    let day = Duration::from_secs(86_400);
    for (text, expected) in [("", 400), ("audit:\n", 400), ("audit: {retention: 30d}\n", 30)] {
        assert_eq!(Site::new(text).config().audit_retention, expected * day, "{text}");
    }
    let problems = Site::new("audit: {retention: 1h}\n").problems();
    assert_eq!(problems, ["bellboard.yaml:1: audit.retention: must be from 1d to 3653d"]);
    assert_eq!(Site::new("audit: {retention: for ever}\n").problems().len(), 1);
}
