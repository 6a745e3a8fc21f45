//! A real Prometheus scrapes the gateway, and the dashboard's panels show what it got.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use super::{path, read};
use crate::support::{
    Gateway, Token,
    gateway::until_async,
    prometheus::{Prometheus, promtool},
    stream::Stream,
};

const KEY: &str = "sender-key-of-the-scraped-gateway-00001";
const POOR: &str = "poor-key-of-the-scraped-gateway-0000001";
const SECRET: &str = "signing-secret-of-the-scraped-gateway-01";
const TOKEN: &str = "token-of-the-hook-of-the-scraped-gateway";

fn settings() -> String {
    format!(
        "tenants:\n  default:\n    seed: [1]\n    issuers: [{{algorithm: HS256, secret: {SECRET}}}]\n    \
         hooks: {{cron: {{mapping: generic, secrets: [{{secret: {TOKEN}}}], fallback: 1}}}}\n\
         api_keys:\n  {KEY}: {{description: sender}}\n  {POOR}: {{rate_limit: {{per_second: 1, burst: 1}}}}\n"
    )
}

/// Everything that a panel may ask for happens once: what is stored, let through, refused, denied, read, followed
/// and brought to a hook.
async fn traffic(gateway: &Gateway) {
    let (sender, user) = (gateway.api().key(KEY), gateway.api().bearer(Token::of(SECRET, 1).sign()));
    let send = |fields: Value| {
        let mut body = json!({"user_id": 1, "type": "custom", "title": "Hello"});
        body.as_object_mut().expect("an object").extend(fields.as_object().cloned().unwrap_or_default());
        body
    };
    let mut stream = Stream::open(&user, None).await;
    stream.expect("ready").await;
    sender.post_json("/send", &send(json!({}))).await.expect(201);
    stream.expect("notification").await;
    let odd = json!({"type": "billing_invoice", "metadata": {"amount": [1]}});
    sender.post_json("/send", &send(odd)).await.expect(201);
    sender.post_json("/send", &send(json!({"link": "javascript:alert(1)"}))).await.expect(400);
    gateway.api().get("/unread-count").await.expect(401);
    for _ in 0..3 {
        gateway.api().key(POOR).get("/types").await;
        user.get("/unread-count").await.expect(200);
    }
    let event = json!({"title": "Backup done", "recipient": "nobody"});
    gateway.api().key(TOKEN).post_json("/hooks/cron", &event).await.expect(200);
    gateway.api().key(KEY).post_json("/hooks/cron", &event).await.expect(401);
}

/// Every query of the dashboard, as Grafana would ask it of everything.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().expect("panels");
    let asked = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().expect("a title");
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(move |target| (title.to_owned(), target["expr"].as_str().expect("a query").to_owned()))
    });
    let notes = dashboard["annotations"]["list"].as_array().expect("annotations").iter();
    let notes =
        notes.map(|note| ("annotations".to_owned(), note["expr"].as_str().expect("a query").to_owned()));
    asked
        .chain(notes)
        .map(|(title, query)| {
            (title, query.replace("$__rate_interval", "20s").replace("$job", ".*").replace("$instance", ".*"))
        })
        .collect()
}

#[tokio::test]
async fn every_panel_of_the_dashboard_shows_something() {
    let dashboard: Value = serde_json::from_str(&read("config/grafana-dashboard.json")).expect("JSON");
    let queries = queries(&dashboard);
    assert!(queries.len() > 20, "{queries:?}");
    let gateway = Gateway::start(&settings());
    let target = gateway.admin.trim_start_matches("http://");
    let prometheus = Prometheus::start(&[(
        "prometheus.yml",
        &format!(
            "global: {{scrape_interval: 250ms, evaluation_interval: 250ms}}\nrule_files: ['{}']\nscrape_configs:\n  \
         - {{job_name: bellboard, static_configs: [{{targets: ['{target}']}}]}}\n",
            path("config/alerts.yaml").display()
        ),
    )]);
    until_async("scraped", async || !prometheus.query("bellboard_snapshot_generation").await.is_empty())
        .await;
    let changed = settings() + "log: {level: warn}\n";
    fs::write(gateway.path("bellboard.yaml"), changed).expect("the settings change");

    let mut missing = Vec::new();
    for _ in 0..60 {
        traffic(&gateway).await;
        missing.clear();
        for (title, query) in &queries {
            let rows = prometheus.query(query).await;
            let is_number = |row: &Value| row["value"][1].as_str().is_some_and(|value| value != "NaN");
            if !rows.iter().any(is_number) {
                missing.push(format!("{title}: {query}"));
            }
        }
        if missing.is_empty() {
            return the_alert_rules_are_good(&prometheus).await;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("nothing to show:\n{}", missing.join("\n"));
}

/// Prometheus evaluates each of them with no fault.
async fn the_alert_rules_are_good(prometheus: &Prometheus) {
    let told = prometheus.get("/api/v1/rules").await;
    let rules = told["groups"][0]["rules"].as_array().expect("rules");
    assert!(rules.len() > 10 && rules.iter().all(|rule| rule["health"] == "ok"), "{told:#}");
}

#[tokio::test]
async fn promtool_has_nothing_to_say_of_the_metrics() {
    let gateway = Gateway::start(&settings());
    traffic(&gateway).await;
    let mut metrics = String::new();
    // Those of the connections come with the answers, so one request is not enough.
    until_async("scraped", async || {
        metrics = gateway.admin_api().get_at("/metrics").await.expect(200).text;
        metrics.contains("bellboard_streams_ended_total")
    })
    .await;
    let told = promtool(&["check", "metrics"], &metrics);
    let said = String::from_utf8_lossy(&told.stdout) + String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success() && said.trim().is_empty(), "{said}");
}
