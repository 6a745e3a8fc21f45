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
        assert_eq!(ready["refused"], true);
        assert_eq!(metric(&gateway, "bellboard_config_last_good"), 1.0);
        until("it is recorded", || {
            let path = "/audit?action=config.last_good";
            let records = gateway.ask("GET", path, &[("X-API-KEY", KEY)], "").json()["records"].take();
            records[0]["detail"]["problems"][0].as_str()?.contains("bellboard.yaml").then_some(())
        });
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

#[test]
fn a_place_that_cannot_be_written_is_told_at_the_start_and_one_that_no_longer_can_while_it_runs() {
    let site = Site::new(SETTINGS);
    for (place, why) in [("nowhere/last-good", "No such file"), ("config", "irectory")] {
        let err = site.bad(&[&WORDS[..6], &[place]].concat());
        assert!(err.contains("the last good configuration is not kept") && err.contains(why), "{err}");
        assert!(err.contains(place), "{err}");
    }
    fs::create_dir(site.path("kept")).expect("a folder");
    let gateway = Gateway::start(site.command(&[&WORDS[..6], &["kept/last-good"]].concat()));
    assert!(site.path("kept/last-good").exists(), "before it serves");
    let unwritten = || ready(&gateway)["last_good_unwritten"] == true;
    let counted = || metric(&gateway, "bellboard_config_last_good_unwritten") == 1.0;
    assert!(!unwritten() && !counted());
    fs::remove_dir_all(site.path("kept")).expect("removed");
    site.write(MAIN, &format!("{SETTINGS}  {NEW}: {{}}\n"));
    answers(&gateway, NEW, 201);
    until("it is told", || (unwritten() && counted()).then_some(()));
    gateway.logs("the last good configuration is not kept: kept/last-good cannot be written");
    fs::create_dir(site.path("kept")).expect("a folder");
    site.write(MAIN, SETTINGS);
    until("the next change is kept", || (!unwritten() && site.path("kept/last-good").exists()).then_some(()));
    gateway.stop();
    // While the kept one is in force, the next good edit would be lost.
    site.write(MAIN, "tenants: nobody\n");
    fs::create_dir(site.path("kept/last-good.new")).expect("a folder in its way");
    let err = site.bad(&[&WORDS[..6], &["kept/last-good"]].concat());
    assert!(err.contains("the last good configuration is not kept"), "{err}");
}

#[test]
fn a_type_is_its_own_folder_whatever_other_folders_are_called() {
    let site = Site::new(SETTINGS);
    // A type and a family of one name, and a folder of that name in another type.
    for home in ["post", "shop/post/letter", "shop/card"] {
        site.write(&format!("config/plugins/{home}/type.yaml"), TYPE);
    }
    let good = "description: x\ndraft: {user_id: 1, title: x}\nexpect: {accepted: {icon: box}}\n";
    site.write("config/plugins/shop/card/cases/post/good.yaml", good);
    let gateway = serve(&site);
    let first = kept(&site, b"");
    site.write("config/plugins/post/type.yaml", "broken: true\n");
    site.write("config/plugins/shop/post/letter/type.yaml", &TYPE.replace("box", "stamp"));
    site.write("config/plugins/shop/card/cases/post/good.yaml", &good.replace("box", "stamp"));
    site.write("config/plugins/shop/card/type.yaml", &TYPE.replace("box", "stamp"));
    until("it is broken", || (ready(&gateway)["kept_types"] == serde_json::json!(["post"])).then_some(()));
    let icon = |gateway: &Gateway, name: &str| {
        let types = gateway.ask("GET", "/types", &[("X-API-KEY", KEY)], "").json();
        let types = types["types"].as_array().expect("a list").clone();
        types.iter().find(|t| t["name"] == name).map(|t| t["icon"].as_str().unwrap_or_default().to_owned())
    };
    until("the others are new", || {
        (icon(&gateway, "letter")? == "stamp" && icon(&gateway, "card")? == "stamp").then_some(())
    });
    kept(&site, &first);
    gateway.stop();
    site.write(MAIN, "tenants: nobody\n");
    let gateway = serve(&site);
    let icons = ["post", "letter", "card"].map(|name| icon(&gateway, name).expect("served"));
    assert_eq!(icons, ["box", "stamp", "stamp"]);
}
