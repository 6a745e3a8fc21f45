//! `GET /crm/notification/ui/`, and the scripts that the page loads.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::Method;

use crate::support::{api::ask, settings::*};

const PAGE: &str = "/ui/";
const SCRIPTS: [&str; 2] = ["/ui/inbox.js", "/ui/page.js"];

#[tokio::test]
async fn the_page_may_load_and_ask_its_gateway_alone() {
    let page = shared().get(PAGE).await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(shared().get("/ui").await.expect(200).text, page.text);
    let policy = page.header("content-security-policy");
    for part in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'self'"] {
        assert!(policy.split("; ").any(|p| p == part), "{part}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!page.text.contains("http:") && !page.text.contains("https:") && !page.text.contains("style="));
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    // What it loads is there, wherever it was opened from.
    for script in page.text.split("src=\"").skip(1) {
        let path = script.split('"').next().unwrap_or_default();
        shared().get(path.strip_prefix("/crm/notification").expect("the one prefix")).await.expect(200);
    }
}

#[tokio::test]
async fn they_need_no_credential_and_are_sent_once() {
    for path in [PAGE].into_iter().chain(SCRIPTS) {
        let first = shared().get(path).await.expect(200);
        assert_eq!(first.header("cache-control"), "no-cache");
        assert_eq!(first.header("x-content-type-options"), "nosniff");
        let request = shared().request(Method::GET, path).header("if-none-match", first.header("etag"));
        let again = ask(request).await.expect(304);
        assert!(again.text.is_empty());
        let other = ask(shared().request(Method::POST, path)).await;
        other.failed(405, "Method not allowed; use GET, HEAD");
    }
}

#[tokio::test]
async fn they_come_compressed_to_who_takes_that() {
    for path in [PAGE, "/docs", "/openapi.json"].into_iter().chain(SCRIPTS) {
        let plain = shared().get(path).await.expect(200);
        assert!(plain.header("vary").contains("Accept-Encoding"), "{path}");
        let compressed = || shared().request(Method::GET, path).header("accept-encoding", "br, gzip");
        let answer = compressed().send().await.expect("an answer");
        assert_eq!(answer.headers()["content-encoding"], "gzip", "{path}");
        let tag = answer.headers()["etag"].to_str().expect("text").to_owned();
        assert_ne!(tag, plain.header("etag"));
        let mut text = String::new();
        let bytes = answer.bytes().await.expect("a body");
        GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
        assert_eq!(text, plain.text, "{path}");
        ask(compressed().header("if-none-match", tag)).await.expect(304);
    }
}

#[tokio::test]
async fn the_component_is_a_module_that_pages_of_other_origins_may_load() {
    for path in SCRIPTS {
        let script = shared().get(path).await.expect(200);
        assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    }
    let component = shared().get("/ui/inbox.js").await.expect(200);
    assert_eq!(component.header("access-control-allow-origin"), "*");
    assert!(component.text.contains("bellboard-inbox"));
}
