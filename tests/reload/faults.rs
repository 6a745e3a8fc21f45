//! What is wrong with one type's folder, whatever it is, harms no other type and no other change.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use serde_json::{Value, json};

use super::{answers, metric, ready, reloads};
use crate::cli::{
    KEY, SETTINGS,
    client::Reply,
    gateway::{Gateway, Site, until},
};

const MAIN: &str = "config/bellboard.yaml";
const TYPE: &str = "description: A parcel.\nicon: box\nseverity: info\npipeline:\n  - safe_link\n";

fn home(name: &str) -> String {
    format!("config/plugins/shop/{name}")
}

fn write_type(site: &Site, name: &str) {
    site.write(&format!("{}/type.yaml", home(name)), TYPE);
}

fn send(gateway: &Gateway, name: &str) -> Reply {
    gateway.send(KEY, &json!({"user_id": 1, "type": name, "title": "x"}))
}

#[track_caller]
fn shows(gateway: &Gateway, field: &str, types: Value) {
    until(&format!("{field} is {types}"), || (ready(gateway)[field] == types).then_some(()));
}

#[test]
fn a_fault_breaks_its_own_type_and_mending_it_is_a_change() {
    let site = Site::new(SETTINGS);
    write_type(&site, "parcel");
    write_type(&site, "letter");
    let gateway = site.serve();
    let parcel = site.path(&home("parcel"));
    let pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
    type Breaks<'a> = (&'a str, &'a dyn Fn(&Path));
    let ways: [Breaks<'_>; 4] = [
        ("is too large", &|path| fs::write(path, vec![b'x'; 2 << 20]).expect("written")),
        ("is a link that leads back", &|path| symlink("../..", path).expect("linked")),
        ("cannot be read: it is no regular file", &pipe),
        ("cannot be read", &|path| symlink("extra", path).expect("linked")),
    ];
    for (number, (why, breaks)) in ways.into_iter().enumerate() {
        breaks(&parcel.join("extra"));
        shows(&gateway, "kept_types", json!(["parcel"]));
        gateway.logs(&format!("parcel/extra: type parcel: {why}"));
        assert_eq!((send(&gateway, "parcel").status, send(&gateway, "letter").status), (201, 201));
        // Another type and the settings change all the same.
        let key = format!("a-key-that-comes-beside-the-fault-{number}");
        site.write(MAIN, &format!("{SETTINGS}  {key}: {{}}\n"));
        write_type(&site, &format!("card_{number}"));
        answers(&gateway, &key, 201);
        until("the other type", || (send(&gateway, &format!("card_{number}")).status == 201).then_some(()));
        fs::remove_file(parcel.join("extra")).expect("removed");
        shows(&gateway, "kept_types", json!([]));
    }
    // One that never was good is not served, and named.
    fs::create_dir_all(site.path(&home("huge"))).expect("a folder");
    fs::write(site.path(&home("huge/type.yaml")), vec![b'#'; 2 << 20]).expect("written");
    shows(&gateway, "quarantined_types", json!(["huge"]));
    // All types of a folder that leads nowhere by itself stay as they were.
    fs::rename(site.path("config/plugins/shop"), site.path("config/plugins/.shop")).expect("renamed");
    symlink("shop", site.path("config/plugins/shop")).expect("linked");
    gateway.logs("plugins/shop: type shop: cannot be read");
    until("they are kept", || (metric(&gateway, "bellboard_types_kept") == 6.0).then_some(()));
    assert_eq!((send(&gateway, "parcel").status, send(&gateway, "letter").status), (201, 201));
    assert_eq!(reloads(&gateway, "refused"), 0.0);
    gateway.stop();
    // A start is no different.
    fs::remove_file(site.path("config/plugins/shop")).expect("removed");
    fs::rename(site.path("config/plugins/.shop"), site.path("config/plugins/shop")).expect("renamed");
    let gateway = site.serve();
    assert_eq!(ready(&gateway)["quarantined_types"], json!(["huge"]));
    assert_eq!(send(&gateway, "letter").status, 201);
}

/// A schema whose checking doubles with each of its forty steps, and a case that asks for it.
fn write_endless(site: &Site, name: &str, version: &str) {
    let mut steps = json!({"a0": {"type": "string"}});
    for n in 1..=40 {
        let step = json!({"$ref": format!("#/$defs/a{}", n - 1)});
        steps[format!("a{n}")] = json!({"anyOf": [step, step]});
    }
    let schema = json!({"$defs": steps, "$ref": "#/$defs/a40"}).to_string();
    site.write(&format!("{}/endless.json", home(name)), &schema);
    let manifest = TYPE.replace("safe_link", "json_schema: {file: endless.json}");
    site.write(&format!("{}/type.yaml", home(name)), &format!("# {version}\n{manifest}"));
}

/// Threads that build types now.
fn builders(gateway: &Gateway) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", gateway.process())).expect("tasks");
    let name = |task: std::io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
    tasks.filter_map(name).filter(|name| name.trim() == "type").count()
}

#[test]
fn a_type_that_is_built_without_an_end_is_broken_alone_and_never_begun_again() {
    let site = Site::new(SETTINGS);
    write_type(&site, "parcel");
    let gateway = site.serve();
    write_endless(&site, "parcel", "one");
    shows(&gateway, "kept_types", json!(["parcel"]));
    gateway.logs("type parcel: it takes longer than 3s to build");
    assert_eq!((send(&gateway, "parcel").status, builders(&gateway)), (201, 1));
    // The settings and another type go on changing, at once and without another try.
    for number in 0..3 {
        let key = format!("a-key-that-comes-beside-the-endless-{number}");
        site.write(MAIN, &format!("{SETTINGS}  {key}: {{}}\n"));
        answers(&gateway, &key, 201);
        gateway.signal("HUP");
    }
    write_type(&site, "letter");
    until("the other type", || (send(&gateway, "letter").status == 201).then_some(()));
    assert_eq!(builders(&gateway), 1, "{}", gateway.log());

    // A new version is tried, up to a bound.
    write_endless(&site, "parcel", "two");
    until("it is told", || {
        (gateway.log().matches("it takes longer than 3s to build\n").count() == 2).then_some(())
    });
    write_endless(&site, "parcel", "three");
    gateway.logs("it was not tried, as 2 types are being built without an end");
    assert_eq!((send(&gateway, "parcel").status, builders(&gateway)), (201, 2));
    // What is in force needs no building, and what goes needs none either.
    let before = reloads(&gateway, "applied");
    site.write(MAIN, &format!("limits: {{title: 9}}\n{SETTINGS}"));
    until("it is in force", || (reloads(&gateway, "applied") > before).then_some(()));
    assert_eq!((send(&gateway, "letter").status, send(&gateway, "parcel").status), (201, 201));
    fs::remove_dir_all(site.path(&home("parcel"))).expect("removed");
    shows(&gateway, "kept_types", json!([]));
    assert_eq!(gateway.stop().code, Some(0), "nothing is waited for");
}
