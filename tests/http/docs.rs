//! `GET /crm/notification/docs/`.

use reqwest::Method;

use crate::support::{api::ask, settings::*};

#[tokio::test]
async fn the_page_needs_no_network_beyond_the_gateway() {
    let page = shared().get("/docs/").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert_eq!(shared().get("/docs").await.expect(200).text, page.text);
    assert!(page.text.starts_with("<!DOCTYPE html>"));
    assert!(page.text.contains("<title>Bellboard API</title>"));
    assert!(page.text.contains("\"sendNotification\""), "the document stands in the page");
    // The markup and the style load nothing; what the script's text holds are templates and names.
    let page_without_scripts = without_scripts(&page.text);
    for loads in [
        "<script src",
        "<link",
        "<img",
        "<iframe",
        "@import",
        "url(http",
        "url(//",
        "url(\"http",
        "url('http",
    ] {
        assert!(!page_without_scripts.contains(loads), "{loads}");
    }
    assert!(!page.text.contains("<script src"));
    // The bundle asks a validator on the network only for a document that it loads from an address.
    assert!(page.text.contains("spec: spec") && !page.text.contains("url: spec"));
    let called = page.text.rfind("SwaggerUIBundle({").expect("the page's own script");
    assert!(!page.text[called..].contains("http"), "{}", &page.text[called..]);
}

#[tokio::test]
async fn the_pages_run_no_other_script_and_stand_in_no_foreign_frame() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use sha2::{Digest, Sha256};
    for path in ["/docs/", "/docs/errors"] {
        let page = shared().get(path).await.expect(200);
        let policy = page.header("content-security-policy");
        for part in ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'self'"]
        {
            assert!(policy.split("; ").any(|p| p == part), "{part}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        let sources = |directive: &str| {
            let found = policy.split("; ").find_map(|p| p.strip_prefix(directive));
            found.expect("a directive").to_owned()
        };
        let page = without_scripts(&page.text);
        let styles = page.split("<style").skip(1).map(|rest| {
            rest.split_once('>').and_then(|(_, text)| text.split_once("</style>")).expect("an element").0
        });
        let hashes = styles.map(|text| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text))));
        assert_eq!(sources("style-src "), hashes.collect::<Vec<_>>().join(" "));
        let scripts = sources("script-src ");
        assert!(
            scripts.starts_with("'sha256-") || (path == "/docs/errors" && scripts == "'none'"),
            "{scripts}"
        );
    }
}

#[tokio::test]
async fn the_document_and_the_page_need_no_credential_and_are_revalidated() {
    for path in ["/docs/", "/openapi.json"] {
        let answer = shared().get(path).await.expect(200);
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(!answer.header("x-request-id").is_empty());
    }
    let other = ask(shared().request(Method::DELETE, "/docs/")).await;
    other.failed(405, "Method not allowed; use GET, HEAD");
}

fn without_scripts(page: &str) -> String {
    let mut parts = page.split("<script");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for script in parts {
        rest.push_str(script.split_once("</script>").map_or("", |(_, after)| after));
    }
    rest
}
