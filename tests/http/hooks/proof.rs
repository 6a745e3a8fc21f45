//! Who may bring something: by a token, or by a signature over the bytes of the body.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::{bring, inbox, metric, received, sign, titles, *};
use crate::support::settings::{ADMIN, fresh_id};

pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_secs()).expect("seconds")
}

/// An event of Stripe, in bytes as no JSON writer here would make them.
fn payment(user: i64, id: &str) -> String {
    format!(
        "{{\n  \"id\": \"{id}\",\n  \"type\": \"payment_intent.succeeded\", \"data\": {{\"object\": {{ \"id\": \"pi_{id}\",\n\
         \"amount_received\": 4990, \"currency\": \"eur\", \"metadata\": {{\"user_id\": \"{user}\"}} }} }} }}\n"
    )
}

async fn stripe(secret: &str, at: i64, body: &str) -> Answer {
    let header = format!("t={at},v1={},v0={}", sign(secret, &format!("{at}.{body}")), "0".repeat(64));
    bring("payments", body, &[("Stripe-Signature", &header)]).await
}

#[tokio::test]
async fn payments_are_signed_with_either_secret_over_time_and_bytes() {
    let user = fresh_id();
    let (first, second) = (payment(user, &format!("evt_a{user}")), payment(user, &format!("evt_b{user}")));
    stripe(OLD, now(), &first).await.body(200, &received(1, 0, 0, 0));
    stripe(NEW, now(), &second).await.body(200, &received(1, 0, 0, 0));
    // Stripe delivers again with a signature of its own: it is the same event.
    stripe(NEW, now(), &first).await.body(200, &received(0, 1, 0, 0));
    let stored = inbox(user).await;
    assert_eq!(titles(&stored), ["Payment received"; 2]);
    assert_eq!((&stored[0]["message"], &stored[0]["type"]), (&json!("EUR 49.90"), &json!("billing_payment")));
    assert_eq!(stored[0]["metadata"]["amount"], 4990);

    let invalid = "Invalid signature";
    stripe("whsec_a-secret-that-nobody-configured-1", now(), &first).await.unauthorized(invalid);
    let header = format!("t={},v1={}", now(), sign(OLD, &format!("{}.{first}", now())));
    let signature: &[(&str, &str)] = &[("Stripe-Signature", &header)];
    for tampered in [first.replace("4990", "4991"), format!("{first} "), first.trim_end().to_owned()] {
        bring("payments", &tampered, signature).await.unauthorized(invalid);
    }
    bring("payments", &first, &[signature[0], signature[0]]).await.unauthorized(invalid);
    bring("payments", &first, &[("Stripe-Signature", "v1=")]).await.unauthorized(invalid);
    bring("payments", &first, &[]).await.unauthorized("Authentication required");
    bring("payments", &first, &[("Authorization", &format!("Bearer {NEW}"))])
        .await
        .unauthorized("Authentication required");
    // Outside the window a good signature is an old one.
    let refused = r#"bellboard_auth_failures_total{reason="stale_signature"}"#;
    for at in [now() - 120, now() + 120] {
        stripe(NEW, at, &second).await.unauthorized("The signature is not of this time");
    }
    assert!(metric(refused) >= 2);
    assert_eq!(inbox(user).await.len(), 2);
}

#[tokio::test]
async fn github_signs_the_bytes_and_a_replay_stores_nothing() {
    let body = json!({
        "action": "assigned", "assignee": {"login": "ada"}, "repository": {"full_name": "shop/crm"},
        "issue": {"number": 7, "title": "It leaks", "html_url": "https://github.com/shop/crm/issues/7"},
    })
    .to_string();
    let header = format!("sha256={}", sign(TOKEN, &body));
    let deliver = async |body: &str, signature: &str, delivery: &str| {
        let headers = [
            ("X-Hub-Signature-256", signature),
            ("X-GitHub-Event", "issues"),
            ("X-GitHub-Delivery", delivery),
        ];
        bring("ci", body, &headers).await
    };
    deliver(&body, &header, "1").await.body(200, &received(1, 0, 0, 0));
    // The delivery's id is not signed, so who replays could have another one.
    deliver(&body, &header, "2").await.body(200, &received(0, 1, 0, 0));
    assert_eq!(titles(&inbox(700).await), ["shop/crm#7 was assigned to you"]);
    deliver(&body.replace('7', "8"), &header, "3").await.unauthorized("Invalid signature");
    let sha1 = header.replace("sha256=", "sha1=");
    deliver(&body, &sha1, "4").await.unauthorized("Invalid signature");
    let ping = json!({"zen": "Keep it logically awesome."}).to_string();
    let signature = format!("sha256={}", sign(TOKEN, &ping));
    bring("ci", &ping, &[("X-Hub-Signature-256", &signature), ("X-GitHub-Event", "ping")])
        .await
        .body(200, &received(0, 0, 1, 0));
}

#[tokio::test]
async fn any_mapping_goes_with_any_proof() {
    let user = fresh_id();
    let body = json!({"user_id": user, "title": "Signed"}).to_string();
    let signature = format!("sha256={}", sign(TOKEN, &body));
    bring("signed", &body, &[("X-Hub-Signature-256", &signature)]).await.expect(200);
    bring("signed", &body, &[("X-API-KEY", TOKEN)]).await.unauthorized("Authentication required");
    assert_eq!(titles(&inbox(user).await), ["Signed"]);
}

#[tokio::test]
async fn a_token_is_taken_where_the_sender_can_put_it() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let user = fresh_id();
    let body = json!({"user_id": user, "title": "t"}).to_string();
    let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("prometheus:{secret}")));
    for header in [
        ("Authorization", format!("Bearer {TOKEN}")),
        ("Authorization", format!("ApiKey {TOKEN}")),
        ("Authorization", basic(TOKEN)),
        ("X-API-KEY", TOKEN.to_owned()),
    ] {
        bring("anything", &body, &[(header.0, &header.1)]).await.body(200, &received(1, 0, 0, 0));
    }
    let no_token = "Invalid token";
    for header in [format!("Bearer {TOKEN}x"), format!("Bearer {NEW}"), format!("Bearer {ADMIN}"), basic("x")]
    {
        bring("anything", &body, &[("Authorization", &header)]).await.unauthorized(no_token);
    }
    bring("anything", &body, &[("X-API-KEY", ADMIN)]).await.unauthorized("Invalid API key");
    bring("anything", &body, &[]).await.unauthorized("Authentication required");
    // A hook's token is good for its hook alone.
    GATEWAY.api().key(TOKEN).send(&json!({})).await.unauthorized("Invalid API key");
    assert_eq!(inbox(user).await.len(), 4);
    for unknown in ["none", "ANYTHING"] {
        bring(unknown, &body, &[("X-API-KEY", TOKEN)]).await.failed(404, "No such hook");
    }
    bring("", &body, &[("X-API-KEY", TOKEN)]).await.failed(404, "No such path");
}

#[tokio::test]
async fn a_refused_body_is_not_read_and_no_secret_is_told() {
    // What the head alone refuses needs no body at all.
    let address = GATEWAY.public.trim_start_matches("http://");
    let head = "POST /crm/notification/hooks/anything HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\nX-API-KEY: wrong\r\n\r\n";
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connects");
    stream.write_all(head.as_bytes()).await.expect("is sent");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 401");

    stripe("whsec_a-secret-that-nobody-configured-1", now(), "{}").await.unauthorized("Invalid signature");
    let told = [
        GATEWAY.admin_get("/metrics"),
        GATEWAY.admin_get("/config/summary"),
        GATEWAY.log(),
        GATEWAY.api().key(ADMIN).get("/audit?limit=200").await.text,
    ];
    for text in &told {
        assert!([TOKEN, OLD, NEW].iter().all(|secret| !text.contains(secret)), "{text}");
    }
    assert!(told[1].contains("hook payments") && told[3].contains("invalid_signature"), "{told:?}");
}
