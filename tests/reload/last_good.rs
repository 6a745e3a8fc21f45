//! A restart after a bad edit: what was accepted last stands in, is told, and gives way to the next good edit.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{answers, metric, ready};
use crate::cli::{
    KEY, SETTINGS,
    gateway::{Gateway, Site, until},
};

const NEW: &str = "a-new-key-that-is-added-while-it-runs";
const TYPE: &str = "description: A parcel.\nicon: box\nseverity: info\npipeline:\n  - safe_link\n";
const MAIN: &str = "config/bellboard.yaml";
const WORDS: [&str; 7] =
    ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--last-good", "last-good"];

fn serve(site: &Site) -> Gateway {
    Gateway::start(site.command(&WORDS))
}

/// Waits until what is in force is kept, which comes after it is in force.
fn kept(site: &Site, before: &[u8]) -> Vec<u8> {
    until("it is kept", || fs::read(site.path("last-good")).ok().filter(|bytes| bytes != before))
}

#[test]
fn it_starts_from_what_was_accepted_last_and_takes_the_next_good_edit() {
    let site = Site::new(&format!("include: [\"keys/*.yaml\"]\n{SETTINGS}"));
    let gateway = serve(&site);
    let first = kept(&site, b"");
    site.write("config/keys/new.yaml", &format!("api_keys:\n  {NEW}: {{}}\n"));
    answers(&gateway, NEW, 201);
    let second = kept(&site, &first);
    let mode = fs::metadata(site.path("last-good")).expect("kept").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds secrets");
    let hash = ready(&gateway)["hash"].clone();
    // While it runs, and while it does not.
    site.write("config/keys/new.yaml", "api_keys: [\n");
    gateway.logs("the configuration was not changed");
    gateway.stop();
    // Broken, cut off where it is valid YAML still, and gone.
    for (broken, spelled) in
        [("tenants: nobody\n", MAIN), ("log: {}\n", "./config/bellboard.yaml"), ("", MAIN)]
    {
        site.write(MAIN, broken);
        if broken.is_empty() {
            fs::remove_file(site.path(MAIN)).expect("removed");
        }
        let gateway = Gateway::start(site.command(&[&WORDS[..], &["--config", spelled]].concat()));
        assert_eq!((gateway.hello(KEY).status, gateway.hello(NEW).status), (201, 201));
        let ready = ready(&gateway);
        assert_eq!((&ready["last_good"], &ready["hash"]), (&true.into(), &hash));
        assert_eq!(metric(&gateway, "bellboard_config_last_good"), 1.0);
        gateway.logs("the last good one is in force instead");
        gateway.logs(MAIN);
        assert!(!gateway.log().contains(NEW), "{}", gateway.log());
        assert_eq!(fs::read(site.path("last-good")).expect("kept"), second);
        gateway.stop();
    }
    let gateway = serve(&site);
    fs::remove_file(site.path("config/keys/new.yaml")).expect("removed");
    site.write(MAIN, SETTINGS);
    answers(&gateway, NEW, 401);
    assert_eq!(ready(&gateway)["last_good"], false);
    assert_eq!(metric(&gateway, "bellboard_config_last_good"), 0.0);
    assert_eq!(gateway.hello(KEY).status, 201);
    kept(&site, &second);
}

#[test]
fn a_type_that_broke_is_served_as_it_was_also_after_restarts() {
    let site = Site::new(SETTINGS);
    let home = "config/plugins/parcel/type.yaml";
    site.write(home, TYPE);
    let gateway = serve(&site);
    let first = kept(&site, b"");
    site.write(home, &TYPE.replace("safe_link", "safe_lnk"));
    until("it is broken", || (ready(&gateway)["kept_types"][0] == "parcel").then_some(()));
    gateway.stop();
    for _ in 0..2 {
        let gateway = serve(&site);
        assert_eq!(ready(&gateway)["kept_types"][0], "parcel");
        let parcel = serde_json::json!({"user_id": 1, "type": "parcel", "title": "Hi"});
        assert_eq!(gateway.send(KEY, &parcel).status, 201);
        gateway.stop();
    }
    assert_eq!(fs::read(site.path("last-good")).expect("kept"), first, "the good version stays kept");
}

#[test]
fn with_nothing_good_at_hand_every_problem_is_told() {
    let site = Site::new(SETTINGS);
    let gateway = serve(&site);
    let good = kept(&site, b"");
    gateway.stop();
    site.write(MAIN, &SETTINGS.replace("open", "opne").replace("seed", "sed"));
    let both = |err: &str| err.contains("tenants.default.sed") && err.contains("tenants.acme.users");
    let err = site.bad(&WORDS[..5]);
    assert!(both(&err), "without the option: {err}");
    // Cut off, as when the disk was full; or of another gateway.
    fs::write(site.path("last-good"), &good[..good.len() / 2]).expect("written");
    let err = site.bad(&WORDS);
    assert!(both(&err) && err.contains("last-good is no kept configuration"), "{err}");
    fs::write(site.path("last-good"), &good).expect("written");
    site.write("config/other.yaml", "tenants: nobody\n");
    let err = site.bad(&[WORDS.as_slice(), &["--config", "config/other.yaml"]].concat());
    assert!(err.contains("config/other.yaml:1") && err.contains("of another configuration"), "{err}");
}
