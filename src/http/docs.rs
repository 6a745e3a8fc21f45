//! The document, the page that shows it, and the page of all errors; they work with no network beyond the gateway.

use std::sync::{Mutex, PoisonError};

use poem::{Endpoint, Request, Response};
use pulldown_cmark::{Options, Parser};

use super::{context::Context, document, error::Failure, fixed::Fixed, service};
use crate::domain::Limits;

/// Where the document stands.
pub const DOCUMENT_PATH: &str = "/crm/notification/openapi.json";
/// Where the page stands; with a slash at its end too.
pub const PAGE_PATH: &str = "/crm/notification/docs";

/// A text that depends on the limits in force, made again only when they change.
pub struct Page {
    make: fn(&Limits) -> Fixed,
    made: Mutex<Option<(Limits, Fixed)>>,
}

impl Page {
    /// The document as JSON.
    pub fn document() -> Self {
        let make = |limits: &Limits| Fixed::new("application/json", format!("{:#}\n", document(limits)));
        Self { make, made: Mutex::default() }
    }

    /// The page that shows the document.
    pub fn docs() -> Self {
        Self { make: |limits| Fixed::page(html(limits)), made: Mutex::default() }
    }

    /// The page that explains the errors, one anchor a code.
    pub fn errors() -> Self {
        Self { make: |_| Fixed::page(errors()), made: Mutex::default() }
    }

    fn made(&self, limits: &Limits) -> Fixed {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((of, made)) if of == limits => made.clone(),
            _ => {
                let new = (self.make)(limits);
                *made = Some((*limits, new.clone()));
                new
            }
        }
    }
}

impl Endpoint for Page {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let limits = Context::of(&request).map_err(Failure)?.snapshot().limits;
        self.made(&limits).answer(&request)
    }
}

/// The framework's page carries its script and style inside; only its document is exchanged for
/// the finished one.
fn html(limits: &Limits) -> String {
    let service = service();
    let page = service.swagger_ui_html();
    // `</script>` inside a description would end the page's script.
    let finished = document(limits).to_string().replace("</", "<\\/");
    let page = page.replacen(&service.spec(), &finished, 1).replacen("Swagger UI", "Bellboard API", 1);
    format!("<!DOCTYPE html>{page}")
}

/// `docs/errors.md` as a page: a problem's `type` leads to the heading of its code.
fn errors() -> String {
    const STYLE: &str = "body{max-width:48rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 sans-serif}\
                         pre{overflow-x:auto}td{padding:0 1rem 0 0}h3:target{background:#fe8}";
    let anchored = |line: &str| match line.trim_start_matches('#') {
        title if title.len() < line.len() => {
            format!("{line} {{#{}}}\n", title.trim().to_lowercase())
        }
        _ => format!("{line}\n"),
    };
    let text: String = include_str!("../../docs/errors.md").lines().map(anchored).collect();
    let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES;
    let mut page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Bellboard errors</title>\
         <style>{STYLE}</style></head><body>"
    );
    pulldown_cmark::html::push_html(&mut page, Parser::new_ext(&text, options));
    page + "</body></html>"
}
