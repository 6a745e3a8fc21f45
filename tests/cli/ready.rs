//! `bellboard ready`: what a container's health check runs.

use super::{SETTINGS, gateway::Site};

#[test]
fn it_tells_by_its_exit_code_whether_the_gateway_is_ready() {
    let site = Site::new(SETTINGS);
    let gateway = site.serve();
    let ask = ["ready", "--admin-listen", &gateway.admin];
    assert!(site.good(&ask).starts_with(r#"{"ready":true,"#));
    // Without the option the configuration says where.
    let told = format!("server: {{admin_listen: '{}'}}\n{SETTINGS}", gateway.admin);
    site.write("told/bellboard.yaml", &told);
    site.good(&["ready", "--config", "told/bellboard.yaml"]);

    // The gateway goes on with what it has, and is ready.
    site.write("config/bellboard.yaml", "broken: [\n");
    gateway.logs("the configuration was not changed");
    site.good(&ask);

    let address = gateway.admin.clone();
    gateway.stop();
    let err = site.bad(&["ready", "--admin-listen", &address]);
    assert!(err.contains(&format!("cannot be asked at {address}")), "{err}");
}
