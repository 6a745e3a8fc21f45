//! What each integration of the contract sends, with the configuration that comes with the gateway.

use serde_json::{Value, json};

use crate::support::{Gateway, Token};

const KEY: &str = "your-secure-api-key-minimum-32-characters";

/// Their requests: the contract's fields and kinds of values.
fn examples() -> Vec<Value> {
    vec![
        json!({"user_id": 123, "type": "provision_complete", "title": "Line is up",
            "message": "The line can be used from now on", "link": "/services/31"}),
        json!({"user_id": 123, "type": "provision_complete", "title": "Line is up",
            "message": "The line can be used from now on", "link": "/services/31",
            "metadata": {"service_id": 31, "provision_job_id": "job-2026-0007", "duration_seconds": 45},
            "related_ticket_id": 42, "related_user_id": 5}),
        json!({"user_id": 123, "type": "provision_complete", "title": "Line set up",
            "message": "Line 31 was set up and switched on", "link": "/services/31",
            "metadata": {"service_id": 31, "provision_job_id": "job-2026-0007", "duration_seconds": 45,
                "playbook": "line_setup"}}),
        json!({"user_id": 5, "type": "provision_failed", "title": "Line is not up",
            "message": "Setting up line 31 ended in an error", "link": "/services/31",
            "metadata": {"service_id": 31, "playbook": "line_setup", "success": false}}),
        json!({"user_id": 5, "type": "billing_invoice", "title": "Invoice 4711",
            "message": "$99.5, to be paid by 2026-02-01", "link": "/invoices/4711",
            "metadata": {"invoice_id": 4711, "amount": 99.5, "due_date": "2026-02-01", "customer_id": 1001}}),
        json!({"user_id": 1, "type": "system_alert", "title": "⚠️ Disk nearly full",
            "message": "The database's disk is 87% full",
            "metadata": {"severity": "warning", "alert_time": "2026-01-11T14:30:00.123456",
                "source": "alertmanager"}}),
        json!({"user_id": 2, "type": "billing_payment", "title": "Paid",
            "message": "$99.5 has arrived", "link": "/payments/77",
            "metadata": {"payment_id": 77, "amount": 99.5, "payment_method": "card"}}),
        json!({"user_id": 3, "type": "service_expiring", "title": "Line 31 ends in a week",
            "message": "Its last day is 2026-01-18", "link": "/services/31",
            "metadata": {"service_id": 31, "days_remaining": 7, "expiry_date": "2026-01-18"}}),
        json!({"user_id": 1, "type": "custom", "title": "Trying the key",
            "message": "It should arrive"}),
        json!({"user_id": 1, "type": "custom", "title": "Trying the integration",
            "message": "From the test user's own script"}),
    ]
}

#[tokio::test]
async fn every_kind_of_request_is_stored_and_read_and_none_draws_a_warning() {
    let gateway = Gateway::start_with_file("config/bellboard.yaml");
    let api = gateway.api().key(KEY);
    for mut sent in examples() {
        let answer = api.send(&sent).await.expect(201);
        let mut stored = answer.json()["notification"].take();
        let id = stored["notification_id"].take();
        let user = gateway.api().bearer(
            Token::of(
                "bellboard-development-secret-not-for-production",
                sent["user_id"].as_i64().expect("an id"),
            )
            .sign(),
        );
        assert_eq!(user.get("/?limit=1").await.json()["notifications"][0]["notification_id"], id);
        let object = stored.as_object_mut().expect("one");
        object.retain(|name, _| !["notification_id", "is_read", "created_at"].contains(&name.as_str()));
        // What was not sent was not added either.
        assert_eq!(stored, sent.take());
    }
    let metrics = gateway.admin_api().request_at(reqwest::Method::GET, "/metrics");
    let metrics = crate::support::api::ask(metrics).await.text;
    assert!(!metrics.contains("bellboard_send_warnings_total{"), "{metrics}");
}

#[tokio::test]
async fn its_errors_are_to_the_letter() {
    let gateway = Gateway::start_with_file("config/bellboard.yaml");
    let api = gateway.api().key(KEY);
    let answer = api.send(&json!({"type": "custom", "title": "t"})).await.expect(400);
    assert_eq!(answer.text, r#"{"result":"Failed","reason":"user_id is required"}"#);
    let answer = api.send(&json!({"user_id": 999, "type": "custom", "title": "t"})).await.expect(404);
    assert_eq!(answer.text, r#"{"result":"Failed","reason":"User 999 not found"}"#);
    let answer = gateway.api().key("your-api-key").send(&json!({})).await.expect(401);
    assert_eq!(answer.text, r#"{"message":"Invalid API key"}"#);
}

#[tokio::test]
async fn its_troubleshooting_queries_run_as_written() {
    let gateway = Gateway::start_with_file("config/bellboard.yaml");
    let api = gateway.api().key(KEY);
    let (first, second) = (api.notify(123, "first").await, api.notify(123, "second").await);
    let named = json!({"user_id": 2, "type": "custom", "title": "t"});
    let named = api.request(reqwest::Method::POST, "/send").header("X-Request-Id", "request-77").json(&named);
    crate::support::api::ask(named).await.expect(201);
    let mut tool = gateway.tool().await;
    assert_eq!(tool.number("SELECT id FROM users WHERE id = 123").await, 123);
    tool.run("SELECT * FROM notifications WHERE user_id = 123 ORDER BY created_at DESC").await;
    let rows =
        "SELECT notification_id, CAST(created_at AS text), title FROM notifications WHERE user_id = 123
                 ORDER BY created_at DESC";
    let rows = tool.rows(rows).await;
    let mut ids: Vec<i64> = rows.iter().map(|row| row[0].number()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [first, second]);
    let created = rows[0][1].text();
    assert!(created.starts_with("20") && created.contains(':'), "readable: {created}");
    assert!(["first", "second"].contains(&rows[0][2].text()));
    // Who sent a notification, and in which request, is stored with it.
    let named = tool.rows("SELECT sender, request_id FROM notification WHERE user_id = 2").await;
    assert_eq!(named[0][1].text(), "request-77");
    assert_eq!(named[0][0].text(), format!("key:{}", &crate::support::settings::hash_of(KEY)[..12]));
}

/// The machine's own program is older than the library that is built in.
#[tokio::test]
async fn its_troubleshooting_query_shows_what_will_expire_to_the_sqlite3_program() {
    let settings =
        format!("plugins: ./plugins\ntenants: {{default: {{seed: [123]}}}}\napi_keys: {{{KEY}: {{}}}}\n");
    let gateway = Gateway::start_in_file(&settings, |folder| {
        let home = folder.join("plugins/shop/offer");
        std::fs::create_dir_all(&home).expect("a folder");
        let offer = "description: An offer for a week.\nicon: tag\nseverity: info\npipeline:\n  - expiry: {ttl: 7d}\n";
        std::fs::write(home.join("type.yaml"), offer).expect("a type");
    });
    gateway.api().key(KEY).notify_of("offer", 123, "A week long").await;
    let query = "SELECT title, expires_at IS NOT NULL FROM notifications WHERE user_id = 123";
    let ran = std::process::Command::new("sqlite3").arg(gateway.path("x.db")).arg(query).output();
    let ran = ran.expect("sqlite3 is installed by `bash tests/run`");
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "A week long|1\n", "{ran:?}");
}
