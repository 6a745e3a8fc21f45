//! `deploy/compose/` and the image: two nodes behind a load balancer.

use serde_json::Value;

use super::{LAST_COMMIT, SHUTDOWN, Site, duration, port, read, serve, text, yaml};
use crate::cli::gateway::until;

/// The words of an instruction of the Dockerfile in its exec form.
fn words(dockerfile: &str, instruction: &str) -> Vec<String> {
    let line = dockerfile.lines().map(str::trim).find_map(|line| line.strip_prefix(instruction));
    serde_json::from_str(line.expect("the instruction").trim()).expect("the exec form")
}

#[test]
fn a_node_starts_as_its_container_does_and_is_found_ready() {
    let dockerfile = read("deploy/docker/Dockerfile");
    let settings = read("deploy/compose/config/bellboard.yaml");
    let site = Site::empty();
    site.write("etc/bellboard/bellboard.yaml", &settings);
    assert!(dockerfile.contains("\nENV BELLBOARD_CONFIG=/etc/bellboard/bellboard.yaml\n"));
    let gateway = serve(&site, "etc/bellboard/bellboard.yaml");

    // The health check is told where the settings' admin listener is.
    let settings: Value = serde_saphyr::from_str(&settings).expect("YAML");
    let admin = port(&settings, "admin_listen");
    let check = words(&dockerfile[dockerfile.find("HEALTHCHECK").expect("a check")..], "CMD");
    let address = format!("127.0.0.1:{admin}");
    let check: Vec<_> =
        check[1..].iter().map(|word| if *word == address { &gateway.admin } else { word }.as_str()).collect();
    assert!(check.contains(&gateway.admin.as_str()), "{check:?} asks at {address}");
    // Docker repeats it, too: it is ready once the first fetch of the issuer's keys has ended.
    until("healthy", || (site.run(&check).code == Some(0)).then_some(()));
    assert_eq!(words(&dockerfile, "ENTRYPOINT"), ["/usr/local/bin/bellboard"]);
    assert!(dockerfile.ends_with("\nCMD [\"serve\"]\n"));

    // The balancer asks both nodes what this one answers.
    let haproxy = read("deploy/compose/haproxy.cfg");
    let (_, check) = haproxy.split_once("option httpchk GET ").expect("a check");
    assert_eq!(gateway.admin(check.lines().next().unwrap_or_default()).status, 200);
    assert!(haproxy.contains(&format!("check port {admin} ")));
    let drain = duration(text(&settings, "/server/drain_time"));
    let compose = &yaml("deploy/compose/compose.yaml")[0];
    for node in ["bellboard-1", "bellboard-2"] {
        assert!(haproxy.contains(&format!("server {node} {node}:{}\n", port(&settings, "listen"))));
        let node = &compose["services"][node];
        assert!(duration(text(node, "/stop_grace_period")) > drain + SHUTDOWN + LAST_COMMIT);
        assert_eq!(text(node, "/volumes/0"), "./config:/etc/bellboard:ro");
    }
    // Its address is the one that the nodes trust, and its network the one that they admit.
    let balancer = &compose["services"]["load-balancer"];
    let trusted = format!("{}/32", text(balancer, "/networks/bellboard/ipv4_address"));
    assert_eq!(text(&settings, "/server/trusted_proxies/0"), trusted);
    let network = &compose["networks"]["bellboard"];
    assert_eq!(text(&settings, "/server/admin_networks/0"), text(network, "/ipam/config/0/subnet"));
}

#[test]
fn the_image_is_built_from_all_that_the_build_needs_with_a_toolchain_that_is_new_enough() {
    let sent: Vec<_> =
        read(".dockerignore").lines().filter_map(|l| Some(l.strip_prefix('!')?.to_owned())).collect();
    let manifest = read("Cargo.toml");
    let (_, members) = manifest.split_once("members = [").expect("members");
    let members = members.split(']').next().unwrap_or_default().split('"').skip(1).step_by(2);
    let needed =
        ["Cargo.toml", "Cargo.lock", "build.rs", "src", "migrations", "ui"].into_iter().chain(members);
    for path in needed {
        assert!(sent.iter().any(|sent| path.split('/').next() == Some(sent)), "{path} is not sent");
    }
    let after = |text: &str, what: &str| -> (u32, u32) {
        let (_, rest) = text.split_once(what).expect("a version");
        let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or_default());
        (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
    };
    let image = read("deploy/docker/Dockerfile");
    assert!(after(&image, "\nFROM rust:") >= after(&manifest, "rust-version = \""));
}
