//! A text that is served as it is, and not sent again to those who have it.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use poem::{
    Request, Response,
    error::MethodNotAllowedError,
    http::{Method, StatusCode, header},
};
use sha2::{Digest, Sha256};

/// A text, cheap to clone, and the tag that tells it from others.
#[derive(Clone)]
pub struct Fixed {
    media_type: &'static str,
    text: Bytes,
    tag: Arc<str>,
}

impl Fixed {
    /// Takes a text of that media type.
    pub fn new(media_type: &'static str, text: impl Into<Bytes>) -> Self {
        let text = text.into();
        let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(&text)[..12]);
        Self { media_type, text, tag: format!("\"{hash}\"").into() }
    }

    /// The answer to a GET or HEAD.
    ///
    /// # Errors
    /// When it is another method.
    pub fn answer(&self, request: &Request) -> poem::Result<Response> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(MethodNotAllowedError.into());
        }
        let response = Response::builder()
            .content_type(self.media_type)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::ETAG, &*self.tag)
            .header("x-content-type-options", "nosniff");
        if request.header(header::IF_NONE_MATCH).is_some_and(|known| known == &*self.tag) {
            return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
        }
        Ok(response.body(self.text.clone()))
    }
}
