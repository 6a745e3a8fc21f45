//! A site's own notification type: a folder, and no restart.

use serde_json::{Value, json};

use super::{metric, ready};
use crate::cli::{
    ACME, KEY, SETTINGS,
    client::Reply,
    gateway::{Gateway, Site, until},
};

const HOME: &str = "config/plugins/shop/parcel_sent";

const TYPE: &str = r#"description: A parcel is on its way to the user.
icon: package
severity: info
tenants: [acme]
pipeline:
  - json_schema: {file: metadata.schema.json}
  - safe_link
  - link_template: {template: "/parcels/{{ metadata.parcel }}"}
  - text_template: {message: "Parcel {{ metadata.parcel }} has left."}
"#;

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "parcel": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{4}$", "description": "Its number.", "examples": ["AB1234"]},
    "weight": {"type": "number", "minimum": 0, "description": "In kilograms.", "examples": [1.5]}
  },
  "required": ["parcel"],
  "additionalProperties": false
}
"#;

const GOOD: &str = r#"description: The link and the message are made.
draft: {user_id: 1, title: On its way, metadata: {parcel: AB1234}}
expect:
  accepted: {link: /parcels/AB1234, message: Parcel AB1234 has left., icon: package, severity: info}
"#;

const BAD: &str = r#"description: A number of another kind is refused.
draft: {user_id: 1, title: On its way, metadata: {parcel: "1234"}}
expect:
  refused: [metadata.parcel]
"#;

fn write_type(site: &Site) {
    site.write(&format!("{HOME}/cases/good.yaml"), GOOD);
    site.write(&format!("{HOME}/cases/bad.yaml"), BAD);
    site.write(&format!("{HOME}/metadata.schema.json"), SCHEMA);
    site.write(&format!("{HOME}/type.yaml"), TYPE);
}

fn send(gateway: &Gateway, key: &str, metadata: Value) -> Reply {
    let body = json!({"user_id": 1, "type": "parcel_sent", "title": "On its way", "metadata": metadata});
    gateway.send(key, &body)
}

fn good(gateway: &Gateway, key: &str) -> Reply {
    send(gateway, key, json!({"parcel": "AB1234", "weight": 1.5}))
}

fn names(gateway: &Gateway, key: &str) -> Vec<String> {
    let types = gateway.ask("GET", "/types", &[("X-API-KEY", key)], "").json();
    let types = types["types"].as_array().expect("a list");
    types.iter().filter_map(|t| t["name"].as_str().map(String::from)).collect()
}

#[test]
fn a_folder_makes_a_type_for_the_tenants_that_it_names() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    assert_eq!(good(&gateway, ACME).status, 400);
    write_type(&site);
    until("the type is served", || (good(&gateway, ACME).status == 201).then_some(()));

    let made = good(&gateway, ACME).json()["notification"].clone();
    assert_eq!(
        (&made["link"], &made["message"]),
        (&json!("/parcels/AB1234"), &json!("Parcel AB1234 has left."))
    );
    for (metadata, reason) in [
        (json!({"parcel": "1234"}), "metadata.parcel"),
        (json!({"weight": -1}), "metadata.parcel is required"),
        (json!({"parcel": "AB1234", "colour": "red"}), "colour"),
    ] {
        let reply = send(&gateway, ACME, metadata);
        assert_eq!((reply.status, reply.json()["result"].as_str()), (400, Some("Failed")));
        assert!(reply.body.contains(reason), "{reason}: {}", reply.body);
    }
    let other = good(&gateway, KEY);
    assert_eq!(other.status, 400, "{}", other.body);
    let unknown = gateway.send(KEY, &json!({"user_id": 1, "type": "parcel_lost", "title": "x"}));
    assert_eq!(
        other.body.replace("parcel_sent", ""),
        unknown.body.replace("parcel_lost", ""),
        "as if it were not there"
    );
    assert!(names(&gateway, ACME).contains(&"parcel_sent".to_owned()));
    assert!(!names(&gateway, KEY).contains(&"parcel_sent".to_owned()));

    std::fs::remove_dir_all(site.path("config/plugins/shop")).expect("removed");
    until("the type is gone", || (good(&gateway, ACME).status == 400).then_some(()));
    write_type(&site);
    until("the type is back", || (good(&gateway, ACME).status == 201).then_some(()));
}

#[test]
fn a_folder_of_types_that_is_gone_takes_none_with_it() {
    let site = Site::new(SETTINGS);
    write_type(&site);
    let gateway = site.serve();
    assert_eq!(good(&gateway, ACME).status, 201);
    std::fs::rename(site.path("config/plugins"), site.path("away")).expect("moved");
    gateway.logs("plugins does not exist any more");
    assert_eq!(good(&gateway, ACME).status, 201, "as where a volume is away for a while");
    assert_eq!(ready(&gateway)["generation"], 1);
    // Empty is meant.
    std::fs::create_dir(site.path("config/plugins")).expect("made");
    until("the type is gone", || (good(&gateway, ACME).status == 400).then_some(()));
}

#[test]
fn a_type_that_breaks_keeps_its_last_good_version() {
    let site = Site::new(SETTINGS);
    write_type(&site);
    assert!(site.good(&["check"]).contains("12 type(s)"));
    let gateway = site.serve();
    assert_eq!(good(&gateway, ACME).status, 201);

    site.write(&format!("{HOME}/cases/bad.yaml"), &BAD.replace("[metadata.parcel]", "[title]"));
    gateway.logs("shop/parcel_sent/cases/bad.yaml: type parcel_sent");
    until("it is counted", || (metric(&gateway, "bellboard_types_kept") == 1.0).then_some(()));
    assert_eq!(good(&gateway, ACME).status, 201);
    assert_eq!(ready(&gateway)["quarantined_types"], json!([]));

    gateway.logs("type parcel_sent changed: state good → broken, its last good version is served");
    // One that was never good is quarantined by name, and harms no other.
    site.write("config/plugins/shop/parcel_lost/type.yaml", &TYPE.replace("safe_link", "safe_lnk"));
    gateway.logs("shop/parcel_lost/type.yaml:7: type parcel_lost");
    until("it is named", || (ready(&gateway)["quarantined_types"] == json!(["parcel_lost"])).then_some(()));
    assert_eq!((good(&gateway, ACME).status, gateway.hello(KEY).status), (201, 201));

    gateway.logs("type parcel_lost added (broken, not served)");

    site.write(&format!("{HOME}/cases/bad.yaml"), BAD);
    site.write(&format!("{HOME}/type.yaml"), &TYPE.replace("has left", "is gone"));
    site.write(&format!("{HOME}/cases/good.yaml"), &GOOD.replace("has left", "is gone"));
    until("the new version is served", || good(&gateway, ACME).body.contains("is gone").then_some(()));
    gateway.logs("type parcel_sent changed: content");
    std::fs::remove_dir_all(site.path(HOME)).expect("removed");
    gateway.logs("type parcel_sent removed");
}
