//! Stripe's and GitHub's webhooks, signed by their own libraries, and a backup that tells how it went.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use super::{SIGNING, example, inbox, installed, run, text, titles};
use crate::support::Gateway;

const STRIPE: &str = "whsec_secret-of-the-stripe-of-examples-01";
const GITHUB: &str = "secret-of-the-github-of-the-examples-0001";
const BACKUP: &str = "token-of-the-backups-of-the-examples-0001";
const OTHER: &str = "a-secret-that-is-configured-nowhere-00001";

fn gateway() -> Gateway {
    Gateway::start_in(&text("webhooks/bellboard.yaml"), |folder| {
        let secrets = [
            ("signing-secret", SIGNING),
            ("stripe-secret", STRIPE),
            ("github-secret", GITHUB),
            ("backup-token", BACKUP),
        ];
        for (file, secret) in secrets {
            fs::write(folder.join(file), secret).expect("a secret");
        }
    })
}

/// What the gateway answers to an event of a provider.
fn bring(gateway: &Gateway, provider: &str, words: &[&str], body: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/senders/webhooks.mjs");
    let url = format!("{}/crm/notification/hooks/{provider}", gateway.public);
    let mut child = Command::new(installed("bin/node"))
        .arg(script)
        .args([provider, &url])
        .args(words)
        .env("BELLBOARD_TEST_SENDERS_MODULES", installed("senders/node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    child.stdin.take().expect("piped").write_all(body.as_bytes()).expect("it reads");
    let ran = child.wait_with_output().expect("it ends");
    assert!(ran.status.success(), "{provider} {words:?}");
    String::from_utf8(ran.stdout).expect("text")
}

/// What is answered to a body that brings so many notifications, now and before, and so many for nobody known.
fn received(stored: u64, repeated: u64, unknown: u64) -> String {
    format!(
        r#"200 {{"result":"Success","message":"Received","stored":{stored},"repeated":{repeated},"ignored":0,"unknown_recipients":{unknown}}}"#
    ) + "\n"
}

/// The event as Stripe sends it, of a customer.
fn payment(id: &str, customer: &str) -> String {
    let payment = json!({
        "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa", "object": "payment_intent", "amount": 4990, "amount_received": 4990,
        "currency": "eur", "customer": customer, "livemode": false, "metadata": {}, "status": "succeeded",
    });
    let event = json!({
        "id": id, "object": "event", "api_version": "2025-08-27.basil", "created": 1_768_141_800,
        "data": {"object": payment}, "livemode": false, "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null}, "type": "payment_intent.succeeded",
    });
    serde_json::to_string_pretty(&event).expect("JSON")
}

#[tokio::test]
async fn a_payment_that_stripe_signs_is_told_and_no_other() {
    let gateway = gateway();
    let (known, unknown) = (payment("evt_1", "cus_9s6XKzkNRiz8i3"), payment("evt_2", "cus_other"));
    assert_eq!(bring(&gateway, "stripe", &[STRIPE], &known), received(1, 0, 0));
    assert_eq!(bring(&gateway, "stripe", &[STRIPE], &known), received(0, 1, 0));
    assert_eq!(bring(&gateway, "stripe", &[STRIPE], &unknown), received(1, 0, 1));
    let refused = bring(&gateway, "stripe", &[OTHER], &payment("evt_3", "cus_9s6XKzkNRiz8i3"));
    assert_eq!(refused, "401 {\"message\":\"Invalid signature\"}\n");
    for user in [42, 1] {
        let stored = inbox(&gateway, user).await;
        assert_eq!(titles(&stored), ["Payment received"], "of {user}");
        assert_eq!(
            (&stored[0]["message"], &stored[0]["type"]),
            (&"EUR 49.90".into(), &"billing_payment".into())
        );
    }
}

#[tokio::test]
async fn what_github_really_sent_is_told_where_github_signs_it() {
    let gateway = gateway();
    let github = |words: &[&str]| bring(&gateway, "github", words, "");
    // Somebody is asked for a review; somebody who is not listed gets an issue; it is of a repository that is.
    assert_eq!(github(&[GITHUB, "pull_request", "review_requested"]), received(1, 0, 0));
    assert_eq!(github(&[GITHUB, "issues", "assigned"]), received(1, 0, 1));
    assert_eq!(github(&[GITHUB, "issues", "opened"]), received(2, 0, 0));
    assert_eq!(github(&[GITHUB, "issues", "opened"]), received(0, 2, 0));
    assert_eq!(github(&[OTHER, "issues", "opened"]), "401 {\"message\":\"Invalid signature\"}\n");
    let opened = "Codertocat/Hello-World#1: Spelling error in the README file";
    let review = "Review of Codertocat/Hello-World#2 is asked for";
    assert_eq!(titles(&inbox(&gateway, 42).await), [opened, review]);
    assert_eq!(titles(&inbox(&gateway, 43).await), [opened]);
    assert_eq!(titles(&inbox(&gateway, 1).await), ["Codertocat/Hello-World#1 was assigned to you"]);
}

#[tokio::test]
async fn a_backup_tells_how_it_went_and_ends_as_it_did() {
    let gateway = gateway();
    let backup = |token: &str, command: &str| {
        let mut script = Command::new(example("webhooks/backup.sh"));
        script.args(["sh", "-c", command]).env("BACKUP_TOKEN", token);
        script.env("BELLBOARD_HOOK", format!("{}/crm/notification/hooks/backup", gateway.public));
        script
    };
    run(&mut backup(BACKUP, "true"));
    let failed = backup(BACKUP, "exit 7").output().expect("a shell");
    assert_eq!(failed.status.code(), Some(7));
    let refused = backup(OTHER, "true").output().expect("a shell");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("401"));
    for user in [42, 43] {
        let stored = inbox(&gateway, user).await;
        assert!(stored.len() == 2 && titles(&stored)[0].ends_with(" failed"), "{stored:?}");
        assert_eq!((&stored[0]["severity"], &stored[1]["severity"]), (&"error".into(), &"success".into()));
    }
}
