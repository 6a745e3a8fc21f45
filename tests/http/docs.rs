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
