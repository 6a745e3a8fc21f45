//! `bellboard serve` refuses to start where it would not be safe or could not work, and says why.

use super::{
    KEY, SETTINGS,
    gateway::{DEVELOPMENT_KEY, Site},
};

const FREE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];

#[test]
fn published_credentials_are_not_for_other_machines() {
    let site = Site::default_settings();
    for (words, field) in [
        (["serve", "--listen", "0.0.0.0:0", "--admin-listen", "127.0.0.1:0"], "server.listen"),
        (["serve", "--listen", "127.0.0.1:0", "--admin-listen", "[::]:0"], "server.admin_listen"),
    ] {
        let err = site.bad(&words);
        assert!(err.contains(field) && err.contains("reachable from other machines"), "{err}");
        assert!(err.contains("Provisioning notification system"), "it says which: {err}");
        assert!(!err.contains(DEVELOPMENT_KEY) && !err.contains("bellboard-development-secret"), "{err}");
    }
    assert!(!site.path("bellboard.db").exists(), "nothing was begun");
}

#[test]
fn the_admin_listener_needs_protection_elsewhere() {
    let site = Site::new(SETTINGS);
    let err = site.bad(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "0.0.0.0:0"]);
    assert!(err.contains("admin_token") && err.contains("admin_networks"), "{err}");
}

#[test]
fn a_second_process_on_one_database_is_refused() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let err = site.bad(&FREE);
    assert!(err.contains("bellboard.db.lock") && err.contains("another process"), "{err}");
    assert_eq!(gateway.hello(KEY).status, 201, "the first does not mind");
}

#[test]
fn a_port_in_use_is_named_with_its_field() {
    let site = Site::new(SETTINGS);
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = held.local_addr().expect("an address").to_string();
    let err = site.bad(&["serve", "--listen", &taken, "--admin-listen", "127.0.0.1:0"]);
    assert!(err.contains(&format!("server.listen: cannot listen on {taken}")), "{err}");
    let err = site.bad(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", &taken]);
    assert!(err.contains(&format!("server.admin_listen: cannot listen on {taken}")), "{err}");
}

#[test]
fn missing_and_broken_settings_are_told() {
    let err = Site::empty().bad(&FREE);
    assert!(err.contains("config/bellboard.yaml: does not exist"), "{err}");
    let broken = SETTINGS.replace("open", "opne").replace("seed", "sed");
    let err = Site::new(&broken).bad(&FREE);
    assert!(err.contains("bellboard.yaml:4: tenants.default.sed"), "{err}");
    assert!(err.contains("bellboard.yaml:8: tenants.acme.users"), "{err}");
    let err = Site::new(SETTINGS).bad(&[FREE.as_slice(), &["--store", "mysql://x"]].concat());
    assert!(err.contains("sqlite://PATH"), "{err}");
}

#[test]
fn a_broken_type_does_not_keep_the_gateway_from_starting() {
    let site = Site::new(SETTINGS);
    site.write("config/plugins/parcel/type.yaml", "description: A parcel.\n");
    let gateway = site.serve();
    gateway.logs("config/plugins/parcel/type.yaml");
    assert_eq!(gateway.hello(KEY).status, 201);
    let ready = gateway.admin("/readyz");
    assert_eq!((ready.status, ready.json()["quarantined_types"][0].as_str()), (200, Some("parcel")));
}
