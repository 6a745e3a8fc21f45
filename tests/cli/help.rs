//! `--help` explains everything, and misuse is told with exit code 2.

use super::gateway::Site;

const PAGES: &[&[&str]] = &[
    &[],
    &["serve"],
    &["check"],
    &["ready"],
    &["openapi"],
    &["key"],
    &["key", "new"],
    &["key", "rotate"],
    &["token"],
    &["type"],
    &["type", "new"],
    &["type", "try"],
    &["migrate"],
    &["backup"],
    &["restore"],
    &["store"],
    &["store", "copy"],
];

#[test]
fn every_command_and_every_option_is_explained() {
    let site = Site::empty();
    for page in PAGES {
        let text = site.good(&[*page, &["--help"]].concat());
        let mut section = "";
        let mut entries: Vec<(&str, String)> = Vec::new();
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            if line.ends_with(':') && indent == 0 {
                section = line;
            } else if (indent == 2 || line.trim_start().starts_with("--")) && !section.is_empty() {
                entries.push((section, line.trim().to_owned()));
            } else if let Some((_, entry)) = entries.last_mut() {
                *entry = format!("{entry} {}", line.trim());
            }
        }
        for (section, entry) in &entries {
            // The name stands apart from its explanation by two spaces or by a line.
            let (name, told) = entry.split_once("  ").unwrap_or((entry, ""));
            let told = told.split(" [env:").next().unwrap_or_default().trim();
            assert!(told.len() > 8 && !told.starts_with('['), "{page:?} {section} {name}: {told:?}");
        }
        let has = |name: &str| entries.iter().any(|(_, entry)| entry.starts_with(name));
        assert!(has("--config"), "{page:?}: {text}");
        if page.is_empty() {
            for command in [
                "serve", "check", "ready", "openapi", "key", "token", "type", "migrate", "backup", "restore",
                "store",
            ] {
                assert!(has(command), "{command} is missing: {text}");
            }
            for variable in ["CONFIG", "LISTEN", "ADMIN_LISTEN", "STORE"] {
                assert!(text.contains(&format!("[env: BELLBOARD_{variable}")), "{variable}: {text}");
            }
        }
    }
    assert!(site.good(&["--version"]).starts_with("bellboard "));
}

#[test]
fn misuse_is_told_with_exit_code_2() {
    let site = Site::default_settings();
    for (words, told) in [
        (["--listen", "127.0.0.1:0", "serve"].as_slice(), "--listen stands before `serve`"),
        (&["--store", "sqlite://x.db", "check"], "--store stands before `check`"),
        (&["serve", "--listen", "8080"], "--listen"),
        (&["token"], "--user"),
        (&["type", "new"], "<NAME>"),
        (&["srve"], "srve"),
        (&["--nonsense"], "--nonsense"),
    ] {
        let ended = site.run(words);
        assert_eq!(ended.code, Some(2), "{words:?}: {}", ended.err);
        assert!(ended.err.contains(told), "{words:?}: {}", ended.err);
    }
}
