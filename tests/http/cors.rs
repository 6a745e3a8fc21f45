//! Pages of other origins: which may ask, and which may see the answer.

use std::{fs, sync::LazyLock};

use reqwest::Method;

use crate::support::{Answer, Api, Gateway, Token, api::ask, gateway::until_async, settings};

const HOME: &str = "https://crm.example.com";
const ACME: &str = "https://acme.example:8443";
const BOTH: &str = "https://portal.example";
const STRANGERS: [&str; 6] = [
    "https://evil.example",
    "http://crm.example.com",
    "https://crm.example.com:8443",
    "https://crm.example.com.evil.example",
    "https://CRM.example.com",
    "null",
];
const EVENTS: &[u8] = b"text/event-stream";
const HOME_SECRET: &str = "signing-secret-of-the-default-tenant-0001";
const ACME_SECRET: &str = "signing-secret-of-the-tenant-acme-0000001";

fn settings(home: &str, acme: &str) -> String {
    format!(
        r#"
tenants:
  default:
    users: open
    issuers: [{{algorithm: HS256, secret: {HOME_SECRET}}}]
    cors: {{allowed_origins: [{home}]}}
  acme:
    users: open
    issuers: [{{algorithm: HS256, secret: {ACME_SECRET}}}]
    rate_limits: {{per_user: {{per_second: 1, burst: 5}}}}
    cors: {{allowed_origins: [{acme}], max_age: 1m}}
api_keys: {{}}
"#
    )
}

static GATEWAY: LazyLock<Gateway> =
    LazyLock::new(|| Gateway::start(&settings(&format!("{HOME}, {BOTH}"), &format!("{ACME}, {BOTH}"))));

fn home(user: i64) -> Api {
    GATEWAY.api().bearer(Token::of(HOME_SECRET, user).sign())
}

fn acme(user: i64) -> Api {
    GATEWAY.api().bearer(Token::of(ACME_SECRET, user).sign())
}

async fn preflight(api: &Api, path: &str, origin: &str, method: &str) -> Answer {
    let request = api.request(Method::OPTIONS, path).header("Origin", origin);
    let request = request.header("Access-Control-Request-Method", method);
    ask(request.header("Access-Control-Request-Headers", "authorization")).await
}

async fn from(api: &Api, origin: &str, method: Method, path: &str) -> Answer {
    ask(api.request(method, path).header("Origin", origin)).await
}

/// Whether who keeps the answer is told that it depends on the origin.
fn by_origin(answer: &Answer) -> bool {
    answer.headers.get_all("vary").iter().any(|line| line == "Origin")
}

fn allowed(answer: &Answer) -> &str {
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn a_preflight_is_answered_for_the_origins_of_all_tenants() {
    let api = GATEWAY.api();
    for (origin, max_age) in [(HOME, "600"), (ACME, "60"), (BOTH, "60")] {
        for (path, methods) in
            [("/", "GET, HEAD"), ("/1", "DELETE"), ("/1/restore", "POST"), ("/stream", "GET, HEAD")]
        {
            let answer = preflight(&api, path, origin, "GET").await.expect(204);
            assert_eq!((allowed(&answer), answer.text.as_str()), (origin, ""));
            assert_eq!(answer.header("access-control-allow-methods"), methods);
            assert_eq!((answer.header("access-control-max-age"), answer.header("vary")), (max_age, "Origin"));
            let headers = answer.header("access-control-allow-headers").to_lowercase();
            for name in ["authorization", "content-type", "last-event-id", "idempotency-key"] {
                assert!(headers.contains(name), "{headers}");
            }
            assert!(!headers.contains("api-key") && !headers.contains('*'), "{headers}");
        }
    }
    for stranger in STRANGERS {
        let answer = preflight(&api, "/", stranger, "GET").await.expect(405);
        assert_eq!((allowed(&answer), by_origin(&answer)), ("", true), "{stranger}");
    }
    assert_eq!(allowed(&preflight(&api, "/nothing", HOME, "GET").await.expect(404)), HOME);
    from(&api, HOME, Method::OPTIONS, "/").await.expect(405);
    ask(api.request(Method::OPTIONS, "/").header("Access-Control-Request-Method", "GET")).await.expect(405);
}

#[tokio::test]
async fn an_answer_is_shown_to_pages_of_its_callers_tenant_alone() {
    for (api, own, other) in [(home(1), HOME, ACME), (acme(1), ACME, HOME)] {
        for (status, method, path) in [
            (200, Method::GET, "/"),
            (404, Method::DELETE, "/7"),
            (403, Method::GET, "/users"),
            (400, Method::GET, "/?limit=0"),
        ] {
            let answer = from(&api, own, method.clone(), path).await;
            // Its limit is for the other test; it is told here already.
            assert!(answer.status == status || answer.status == 429, "{answer:?}");
            assert_eq!((allowed(&answer), by_origin(&answer)), (own, true));
            let shown = answer.header("access-control-expose-headers").to_lowercase();
            for name in
                ["x-request-id", "x-event-id", "x-inbox", "x-restorable-for", "retry-after", "ratelimit"]
            {
                assert!(shown.contains(name), "{shown}");
            }
            assert_eq!(answer.header("access-control-allow-credentials"), "");
            for foreign in STRANGERS.into_iter().chain([other]).take(if own == HOME { 7 } else { 0 }) {
                let answer = from(&api, foreign, method.clone(), path).await.expect(status);
                assert_eq!((allowed(&answer), by_origin(&answer)), ("", true), "{foreign}");
                assert_eq!(answer.header("access-control-expose-headers"), "");
            }
        }
        assert_eq!(allowed(&from(&api, BOTH, Method::GET, "/").await), BOTH);
    }
    let answer = home(1).get("/").await.expect(200);
    assert_eq!((allowed(&answer), answer.header("vary")), ("", "Origin"), "for who keeps it");
}

#[tokio::test]
async fn a_stream_is_shown_likewise() {
    let api = home(3);
    for (origin, shown) in [(HOME, true), (ACME, false), (STRANGERS[0], false)] {
        let stream = api.request(Method::GET, "/stream").header("Origin", origin).send().await;
        let stream = stream.expect("an answer");
        assert_eq!((stream.status().as_u16(), stream.headers()["content-type"].as_bytes()), (200, EVENTS));
        let allowed = stream.headers().get("access-control-allow-origin");
        assert_eq!(allowed.is_some_and(|allowed| allowed == origin), shown, "{origin}");
        assert_eq!(stream.headers()["vary"], "Origin");
    }
    let nobody = from(&GATEWAY.api(), ACME, Method::GET, "/stream").await.expect(401);
    assert_eq!(allowed(&nobody), ACME);
}

#[tokio::test]
async fn a_page_sees_that_it_is_to_wait() {
    let api = acme(2);
    loop {
        let answer = from(&api, ACME, Method::GET, "/").await;
        assert_eq!(allowed(&answer), ACME);
        if answer.status == 429 {
            assert!(!answer.header("retry-after").is_empty());
            assert_eq!(allowed(&from(&api, HOME, Method::GET, "/").await), "", "of no other tenant");
            break;
        }
    }
}

#[tokio::test]
async fn a_page_tells_an_expired_token_from_a_network_that_is_down() {
    let expired = |secret| GATEWAY.api().bearer(Token::of(secret, 1).expired().sign());
    for api in [GATEWAY.api(), expired(HOME_SECRET), expired(ACME_SECRET), GATEWAY.api().bearer("x")] {
        for origin in [HOME, ACME, BOTH] {
            let answer = from(&api, origin, Method::GET, "/").await.expect(401);
            assert_eq!(allowed(&answer), origin);
            assert!(answer.header("access-control-expose-headers").contains("WWW-Authenticate"));
        }
        for stranger in STRANGERS {
            assert_eq!(allowed(&from(&api, stranger, Method::GET, "/").await.expect(401)), "");
        }
    }
}

#[tokio::test]
async fn where_no_tenant_allows_any_nothing_is_said() {
    let api = settings::as_user(settings::fresh_user().await);
    let said = |answer: &Answer| {
        by_origin(answer) || answer.headers.keys().any(|name| name.as_str().starts_with("access-control"))
    };
    assert!(!said(&from(&api, HOME, Method::GET, "/").await.expect(200)));
    assert!(!said(&preflight(&api, "/", HOME, "GET").await.expect(405)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn origins_come_and_go_with_the_settings() {
    let gateway = Gateway::start(&settings(HOME, ACME));
    let write = |text: &str| fs::write(gateway.path("bellboard.yaml"), text).expect("written");
    let api = gateway.api().bearer(Token::of(HOME_SECRET, 1).sign());
    let shows = async |origin: &str| {
        let asked = preflight(&gateway.api(), "/", origin, "GET").await.status == 204;
        (asked, allowed(&from(&api, origin, Method::GET, "/").await) == origin)
    };
    assert_eq!((shows(HOME).await, shows(BOTH).await), ((true, true), (false, false)));
    write(&settings(BOTH, ACME));
    until_async("in force", async || shows(BOTH).await == (true, true)).await;
    assert_eq!((shows(HOME).await, shows(ACME).await), ((false, false), (true, false)));
    // A change with a fault changes nothing.
    write(&settings("\"*\"", ACME));
    until_async("refused", async || gateway.log().contains("cors.allowed_origins")).await;
    assert_eq!(shows(BOTH).await, (true, true));
    tokio::task::block_in_place(|| gateway.stop());
}
