//! A playbook under the real Ansible, with the callback plugin.

use std::process::Command;

use super::{KEY, SETTINGS, example, inbox, installed, scripts::between};
use crate::support::Gateway;

fn playbook(url: &str, key: &str, service: i64) -> (bool, String) {
    let ran = Command::new(installed("python/bin/ansible-playbook"))
        .args([
            "provision.yml",
            "-i",
            "localhost,",
            "-e",
            "user_id=123",
            "-e",
            &format!("service_id={service}"),
        ])
        .current_dir(example("ansible"))
        .env("BELLBOARD_URL", url)
        .env("BELLBOARD_API_KEY", key)
        .env("ANSIBLE_NOCOLOR", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("ansible-playbook runs");
    let told = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    (ran.status.success(), told)
}

#[tokio::test]
async fn a_playbook_tells_how_it_went() {
    let gateway = Gateway::start(SETTINGS);
    let (good, told) = playbook(&gateway.public, KEY, 167);
    assert!(good && !told.contains("WARNING"), "{told}");
    let stored = inbox(&gateway, 123).await;
    assert_eq!((stored.len(), &stored[0]["type"]), (1, &"provision_complete".into()), "{told}");
    assert_eq!(
        (&stored[0]["title"], &stored[0]["link"]),
        (&"Service 167 is provisioned".into(), &"/services/167".into())
    );
    let metadata = &stored[0]["metadata"];
    assert_eq!((&metadata["playbook"], &metadata["success"]), (&"provision.yml".into(), &true.into()));

    let (good, told) = playbook(&gateway.public, KEY, 5000);
    assert!(!good, "{told}");
    let stored = inbox(&gateway, 123).await;
    assert_eq!((stored.len(), &stored[0]["type"]), (2, &"provision_failed".into()), "{told}");
    let message = stored[0]["message"].as_str().expect("a message");
    assert!(message.starts_with("Activate the line on localhost: "), "{message}");

    // What stands between may say a date to try again at.
    let (good, told) = playbook(&between(), KEY, 167);
    assert!(good && !told.contains("WARNING"), "{told}");

    // A gateway that refuses it fails no playbook.
    let (good, told) = playbook(&gateway.public, "a-key-that-nobody-has-configured-at-all", 167);
    assert!(good && told.contains("bellboard: 401"), "{told}");
}
