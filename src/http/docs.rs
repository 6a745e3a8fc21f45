//! The document and the page that shows it; both work with no network beyond the gateway.

use std::sync::{Mutex, PoisonError};

use poem::{Endpoint, Request, Response};

use super::{context::Context, document, error::Failure, fixed::Fixed, service};
use crate::domain::Limits;

/// Where the document stands.
pub const DOCUMENT_PATH: &str = "/crm/notification/openapi.json";
/// Where the page stands; with a slash at its end too.
pub const PAGE_PATH: &str = "/crm/notification/docs";

/// A text that depends on the limits in force, made again only when they change.
pub struct Page {
    media_type: &'static str,
    make: fn(&Limits) -> String,
    made: Mutex<Option<(Limits, Fixed)>>,
}

impl Page {
    /// The document as JSON.
    pub fn document() -> Self {
        let make = |limits: &Limits| format!("{:#}\n", document(limits));
        Self { media_type: "application/json", make, made: Mutex::default() }
    }

    /// The page that shows the document.
    pub fn docs() -> Self {
        Self { media_type: "text/html; charset=utf-8", make: html, made: Mutex::default() }
    }

    fn made(&self, limits: &Limits) -> Fixed {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((of, made)) if of == limits => made.clone(),
            _ => {
                let new = Fixed::new(self.media_type, (self.make)(limits));
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
