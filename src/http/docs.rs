//! The document and the page that shows it; both work with no network beyond the gateway.

use std::sync::{Arc, Mutex, PoisonError};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use poem::{
    Endpoint, Request, Response,
    error::MethodNotAllowedError,
    http::{Method, StatusCode, header},
};
use sha2::{Digest, Sha256};

use super::{context::Context, document, error::Failure, service};
use crate::domain::Limits;

/// Where the document stands.
pub const DOCUMENT_PATH: &str = "/crm/notification/openapi.json";
/// Where the page stands; with a slash at its end too.
pub const PAGE_PATH: &str = "/crm/notification/docs";

/// A text that depends on the limits in force, made again only when they change.
pub struct Page {
    media_type: &'static str,
    make: fn(&Limits) -> String,
    made: Mutex<Option<(Limits, Made)>>,
}

/// A text, cheap to clone, and the tag that tells it from others.
#[derive(Clone)]
struct Made {
    text: Bytes,
    tag: Arc<str>,
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

    fn made(&self, limits: &Limits) -> Made {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((of, made)) if of == limits => made.clone(),
            _ => {
                let text = (self.make)(limits);
                let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(&text)[..12]);
                let new = Made { text: text.into(), tag: format!("\"{hash}\"").into() };
                *made = Some((*limits, new.clone()));
                new
            }
        }
    }
}

impl Endpoint for Page {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(MethodNotAllowedError.into());
        }
        let limits = Context::of(&request).map_err(Failure)?.snapshot().limits;
        let made = self.made(&limits);
        let response = Response::builder()
            .content_type(self.media_type)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::ETAG, &*made.tag)
            .header("x-content-type-options", "nosniff");
        if request.header(header::IF_NONE_MATCH).is_some_and(|known| known == &*made.tag) {
            return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
        }
        Ok(response.body(made.text))
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
