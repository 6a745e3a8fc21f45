//! A text that is served as it is, or compressed, and not sent again to those who have it.

use std::{io::Write, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use poem::{
    Request, Response,
    error::MethodNotAllowedError,
    http::{Method, StatusCode, header},
};
use sha2::{Digest, Sha256};

use super::accept;

/// A text, cheap to clone.
#[derive(Clone)]
pub struct Fixed {
    media_type: &'static str,
    plain: Form,
    /// None where it would save nothing.
    gzip: Option<Form>,
}

/// What goes over the wire, and the tag that tells it from others.
#[derive(Clone)]
struct Form {
    bytes: Bytes,
    tag: Arc<str>,
}

impl Form {
    fn new(bytes: Bytes) -> Self {
        let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(&bytes)[..12]);
        Self { bytes, tag: format!("\"{hash}\"").into() }
    }
}

impl Fixed {
    /// Takes a text of that media type.
    pub fn new(media_type: &'static str, text: impl Into<Bytes>) -> Self {
        let plain = Form::new(text.into());
        let gzip = compressed(&plain.bytes).filter(|gzip| gzip.len() < plain.bytes.len()).map(Form::new);
        Self { media_type, plain, gzip }
    }

    /// The answer to a GET or HEAD.
    ///
    /// # Errors
    /// When it is another method.
    pub fn answer(&self, request: &Request) -> poem::Result<Response> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(MethodNotAllowedError.into());
        }
        let gzip = self.gzip.as_ref().filter(|_| accept::takes_gzip(request.headers()));
        let form = gzip.unwrap_or(&self.plain);
        let mut response = Response::builder()
            .content_type(self.media_type)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::ETAG, &*form.tag)
            .header(header::VARY, "Accept-Encoding")
            .header("x-content-type-options", "nosniff");
        if request.header(header::IF_NONE_MATCH).is_some_and(|known| known == &*form.tag) {
            return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
        }
        if gzip.is_some() {
            response = response.header(header::CONTENT_ENCODING, "gzip");
        }
        Ok(response.body(form.bytes.clone()))
    }
}

fn compressed(text: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 3), Compression::best());
    encoder.write_all(text).ok()?;
    encoder.finish().ok().map(Bytes::from)
}
