//! `bellboard type`: a new type's folder, and what a type makes of a draft.

use std::{fs, fs::File};

use super::{
    SETTINGS,
    gateway::{Ended, Site},
};

const HOME: &str = "config/plugins/shop/order_moved";

/// Every file below a folder with what it holds, and the hidden ones too.
fn files(site: &Site, folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(site.path(folder)).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(files(site, &name));
        } else {
            found.push((name, fs::read_to_string(entry.path()).expect("text")));
        }
    }
    found.sort();
    found
}

fn draft(site: &Site, words: &[&str], draft: &str) -> Ended {
    site.write("draft.json", draft);
    let mut command = site.command(&[["type", "try"].as_slice(), words].concat());
    command.stdin(File::open(site.path("draft.json")).expect("the draft"));
    Ended::of(command)
}

#[test]
fn a_new_type_is_a_folder_that_passes_as_it_stands() {
    let site = Site::new(SETTINGS);
    let out = site.good(&["type", "new", "order_moved", "--family", "shop"]);
    assert!(out.contains("config/plugins/shop/order_moved"), "{out}");
    assert!(site.good(&["check"]).contains("12 type(s)"));
    let names: Vec<String> = files(&site, "config/plugins").into_iter().map(|(name, _)| name).collect();
    for (kind, count) in [("good", 3), ("bad", 3)] {
        let cases = names.iter().filter(|name| name.starts_with(&format!("{HOME}/cases/{kind}-"))).count();
        assert_eq!(cases, count, "{names:?}");
    }
    assert_eq!(names.len(), 8, "{names:?}");

    // Elsewhere, without a configuration: any name that a type may have makes a good one.
    let bare = Site::empty();
    for name in ["x", "a.b-c_9", &"n".repeat(64)] {
        bare.good(&["type", "new", name, "--dir", "plugins"]);
    }
    bare.write("config/bellboard.yaml", &SETTINGS.replace("./plugins", "../plugins"));
    assert!(bare.good(&["check"]).contains("14 type(s)"));
}

#[test]
fn a_new_type_never_harms_one_that_is_there() {
    let site = Site::new(SETTINGS);
    site.good(&["type", "new", "order_moved", "--family", "shop"]);
    site.write(&format!("{HOME}/cases/good-mine.yaml"), "# mine");
    let before = files(&site, "config");
    for (words, told) in [
        (&["order_moved", "--family", "shop"][..], "there is a type order_moved already"),
        (&["order_moved"], "there is a type order_moved already: config/plugins/shop/order_moved"),
        (&["order_moved", "--dir", "config/plugins/shop"], "already"),
        (&["custom"], "custom is a standard type"),
        (&["shop"], "config/plugins/shop is there already; nothing was changed"),
        (&["../order"], "NAME must have"),
        (&["Order"], "NAME must have"),
        (&["order", "--family", ".."], "--family must have"),
        (&["order", "--dir", "config/bellboard.yaml"], "cannot be made"),
    ] {
        let err = site.bad(&[&["type", "new"], words].concat());
        assert!(err.contains(told), "{words:?}: {err}");
    }
    assert_eq!(files(&site, "config"), before);
    let nowhere = Site::new(&SETTINGS.replace("plugins: ./plugins\n", ""));
    assert!(nowhere.bad(&["type", "new", "order"]).contains("give --dir"));
}

#[test]
fn trying_a_type_shows_what_each_component_did_and_what_would_be_stored() {
    let site = Site::new(SETTINGS);
    site.good(&["type", "new", "order_moved"]);
    let good = r#"{"user_id": 1, "title": "On its way", "metadata": {"order_id": 7, "state": "sent"}}"#;
    let tried = draft(&site, &["order_moved"], good);
    assert_eq!((tried.code, tried.err.as_str()), (Some(0), ""), "{}", tried.out);
    let steps: Vec<String> = tried
        .out
        .lines()
        .skip(2)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        steps,
        [
            "json_schema -",
            "safe_link -",
            r#"link_template link = "/orders/7""#,
            r#"text_template message = "Order 7 is sent.""#,
            r#"type.yaml severity = "info""#,
            r#"type.yaml icon = "package""#,
        ]
    );
    let (_, stored) = tried.out.split_once("Would be stored:\n").expect("what would be stored");
    let stored: serde_json::Value = serde_json::from_str(stored).expect("JSON");
    assert_eq!((&stored["type"], &stored["link"]), (&"order_moved".into(), &"/orders/7".into()));

    let bad = r#"{"user_id": 1, "title": "x", "link": "ftp://x", "metadata": {"order_id": 0}}"#;
    let tried = draft(&site, &["order_moved"], bad);
    assert_eq!(tried.code, Some(1));
    assert!(tried.out.contains("json_schema        refuses: metadata.order_id is less"), "{}", tried.out);
    assert!(tried.out.contains("safe_link          refuses: link must"), "{}", tried.out);
    assert!(!tried.out.contains("link_template"), "no enricher had its turn: {}", tried.out);
    assert!(tried.err.contains("Refused: metadata.order_id is less"), "{}", tried.err);
}

#[test]
fn strict_refuses_what_a_type_would_only_warn_of() {
    let settings = SETTINGS.replace("    users: open\n", "    users: open\n    strict_types: ['*']\n");
    let site = Site::new(&settings);
    let odd = r#"{"user_id": 1, "type": "system_alert", "title": "x", "metadata": {"severity": 5}}"#;
    let tried = draft(&site, &["system_alert"], odd);
    assert_eq!(tried.code, Some(0), "{}", tried.err);
    assert!(tried.out.contains("json_schema        warns: metadata.severity"), "{}", tried.out);
    assert!(tried.out.contains("Would be stored:"), "{}", tried.out);
    for words in [["system_alert", "--strict"].as_slice(), &["system_alert", "--tenant", "acme"]] {
        let tried = draft(&site, words, odd);
        assert_eq!(tried.code, Some(1));
        assert!(tried.out.contains("json_schema        refuses: metadata.severity"), "{}", tried.out);
    }
}

#[test]
fn what_cannot_be_tried_is_told() {
    let site = Site::new(SETTINGS);
    site.write("config/plugins/broken/type.yaml", "description: x\nicon: y\nseverity: loud\n");
    for (words, body, told) in [
        (&["custom"][..], "{", "Malformed JSON"),
        (&["custom"], r#"{"user_id": 1}"#, "title is required"),
        (&["custom"], r#"{"user_id": 1, "type": "parcel", "title": "t"}"#, "of the type parcel, not custom"),
        (&["parcel"], "{}", "default has no type parcel; there are billing_invoice,"),
        (&["broken"], "{}", "config/plugins/broken/type.yaml:3: type broken: "),
        (&["custom", "--tenant", "nobody"], "{}", "no tenant nobody"),
    ] {
        let tried = draft(&site, words, body);
        assert_eq!(tried.code, Some(1), "{words:?}: {}", tried.out);
        assert!(tried.err.contains(told), "{words:?}: {}", tried.err);
    }
    let long = format!(r#"{{"user_id": 1, "title": "t", "message": "{}"}}"#, "x".repeat(300_000));
    assert!(draft(&site, &["custom"], &long).err.contains("more than 262144 bytes"));
}
