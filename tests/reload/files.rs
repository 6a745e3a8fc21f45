//! However files are changed, by editors, deployments and mounts, it is noticed; and nothing takes the gateway down.

use std::{fs, os::unix::fs::symlink, process::Command};

use super::{answers, ready, reloads};
use crate::cli::{
    ACME, KEY, SETTINGS,
    gateway::{Gateway, Site, until},
};

const MAIN: &str = "config/bellboard.yaml";
const TYPE: &str = "description: A parcel.\nicon: box\nseverity: info\npipeline:\n  - safe_link\n";

/// The settings with one key more.
fn with(key: &str) -> String {
    format!("{SETTINGS}  {key}: {{}}\n")
}

/// A name, and what saves a text in that way.
type Way<'a> = (&'a str, &'a dyn Fn(&str));

fn key(number: usize) -> String {
    format!("the-key-number-{number:03}-of-a-test-of-files")
}

#[test]
fn every_way_to_save_a_file_is_noticed() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let path = site.path(MAIN);
    let ways: [Way<'_>; 5] = [
        ("in place", &|text| fs::write(&path, text).expect("written")),
        ("replaced as a whole", &|text| site.write(MAIN, text)),
        ("an editor's backup and a new file", &|text| {
            fs::rename(&path, path.with_extension("yaml~")).expect("renamed");
            fs::write(&path, text).expect("written");
        }),
        ("removed and made again", &|text| {
            fs::remove_file(&path).expect("removed");
            fs::write(&path, text).expect("written");
        }),
        ("a script", &|text| {
            let ran = Command::new("sh").args(["-c", "printf %s \"$0\" > \"$1\"", text]).arg(&path).status();
            assert!(ran.expect("sh").success());
        }),
    ];
    for (number, (way, save)) in ways.into_iter().enumerate() {
        save(&with(&key(number)));
        until(way, || (gateway.hello(&key(number)).status == 201).then_some(()));
    }
    // The folder as a whole: gone is refused, and its return is a change like any other.
    fs::remove_dir_all(site.path("config")).expect("removed");
    let refused = reloads(&gateway, "refused");
    until("its loss is refused", || (reloads(&gateway, "refused") > refused).then_some(()));
    assert_eq!(gateway.hello(KEY).status, 201);
    site.write(MAIN, &with(&key(9)));
    answers(&gateway, &key(9), 201);
    assert_eq!(ready(&gateway)["ready"], true);
}

#[test]
fn a_mounted_volume_is_swapped_by_its_link() {
    let site = Site::empty();
    let mount = |version: &str, settings: &str| {
        site.write(&format!("config/..{version}/bellboard.yaml"), settings);
        site.write(&format!("config/..{version}/plugins/parcel/type.yaml"), &TYPE.replace("parcel", version));
        let next = site.path("config/..data_tmp");
        symlink(format!("..{version}"), &next).expect("linked");
        fs::rename(next, site.path("config/..data")).expect("renamed");
    };
    mount("one", SETTINGS);
    for name in ["bellboard.yaml", "plugins"] {
        symlink(format!("..data/{name}"), site.path("config").join(name)).expect("linked");
    }
    let gateway = site.serve();
    let parcel = || {
        let body = serde_json::json!({"user_id": 1, "type": "parcel", "title": "x"});
        gateway.send(KEY, &body).status
    };
    assert_eq!(parcel(), 201);
    for (number, version) in ["two", "three", "four"].into_iter().enumerate() {
        mount(version, &with(&key(number)));
        answers(&gateway, &key(number), 201);
        assert_eq!(parcel(), 201);
    }
    assert_eq!(gateway.hello(&key(0)).status, 401, "the volumes before are forgotten");
    assert_eq!((reloads(&gateway, "applied"), reloads(&gateway, "refused")), (3.0, 0.0));
}

/// Whether one of the two keys that never change is refused, or the gateway is not ready.
#[track_caller]
fn unharmed(gateway: &Gateway) {
    assert_eq!((gateway.hello(KEY).status, gateway.hello(ACME).status), (201, 201));
    ready(gateway);
}

#[test]
fn files_cut_off_anywhere_lose_nothing_that_is_in_force() {
    let site = Site::new(&with(&key(1)));
    let gateway = site.serve();
    let whole = with(&key(1));
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    // Up to the keys: what lies behind is cut in the midst of a line too.
    for cut in 1..=lines.len() - 3 {
        let text = lines[..cut].concat();
        for text in [&text[..text.len() - 2], &text] {
            let refused = reloads(&gateway, "refused");
            fs::write(site.path(MAIN), text).expect("written");
            until(&format!("{text:?} is refused"), || (reloads(&gateway, "refused") > refused).then_some(()));
            unharmed(&gateway);
        }
    }
    assert_eq!(ready(&gateway)["generation"], 1);
    fs::write(site.path(MAIN), with(&key(2))).expect("written");
    answers(&gateway, &key(2), 201);
}

#[test]
fn of_fifty_edits_in_a_second_the_last_counts() {
    let site = Site::new(SETTINGS);
    // Building takes a while, so that edits fall into it.
    for number in 0..100 {
        site.write(&format!("config/plugins/parcel_{number}/type.yaml"), TYPE);
    }
    let gateway = site.serve();
    for round in 0..3 {
        for number in 0..50 {
            let text = match number % 5 {
                0 => "tenants: [".to_owned(),
                1 => String::new(),
                2 => with(&key(number)) + "unknown: field\n",
                _ => with(&key(round * 100 + number)),
            };
            fs::write(site.path(MAIN), text).expect("written");
            if number % 10 == 0 {
                gateway.signal("HUP");
                unharmed(&gateway);
            }
        }
        answers(&gateway, &key(round * 100 + 49), 201);
        assert_eq!(gateway.hello(&key(round * 100 + 48)).status, 401);
        unharmed(&gateway);
    }
    // Edits into a build: each is seen, whether or not the one before is in force yet.
    for number in 300..310 {
        let applied = reloads(&gateway, "applied");
        fs::write(site.path(MAIN), with(&key(number))).expect("written");
        until("a reload has come", || (reloads(&gateway, "applied") > applied).then_some(()));
        fs::write(site.path(MAIN), SETTINGS).expect("written");
        gateway.signal("HUP");
        fs::write(site.path(MAIN), with(&key(number + 100))).expect("written");
        answers(&gateway, &key(number + 100), 201);
        unharmed(&gateway);
    }
}
