//! A text that is served as it is, or compressed, and not sent again to those who have it.

use std::{io::Write, sync::Arc};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use poem::{
    Request, Response,
    error::MethodNotAllowedError,
    http::{HeaderValue, Method, StatusCode, header},
};
use sha2::{Digest, Sha256};

use super::accept;

/// A text, cheap to clone.
#[derive(Clone)]
pub struct Fixed {
    media_type: &'static str,
    /// What a page may load and do.
    policy: Option<HeaderValue>,
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
        Self { media_type, policy: None, plain, gzip }
    }

    /// A page that loads nothing: its scripts and styles stand in it, and what it asks is its gateway.
    pub fn page(html: String) -> Self {
        let [scripts, styles] = inline_sources(&html);
        let policy = format!(
            "default-src 'none'; script-src {scripts}; style-src {styles}; img-src 'self' data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
        );
        Self { policy: HeaderValue::from_str(&policy).ok(), ..Self::new("text/html; charset=utf-8", html) }
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
        if let Some(policy) = &self.policy {
            response = response
                .header(header::CONTENT_SECURITY_POLICY, policy)
                .header(header::REFERRER_POLICY, "no-referrer");
        }
        if request.header(header::IF_NONE_MATCH).is_some_and(|known| known == &*form.tag) {
            return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
        }
        if gzip.is_some() {
            response = response.header(header::CONTENT_ENCODING, "gzip");
        }
        Ok(response.body(form.bytes.clone()))
    }
}

/// The sources of a policy that allow the scripts, and the styles, that stand in a page, and no other.
fn inline_sources(html: &str) -> [String; 2] {
    const NAMES: [&str; 2] = ["script", "style"];
    let mut sources = [Vec::new(), Vec::new()];
    let mut rest = html;
    // In order, as what looks like an element in a script's text is none.
    let next = |rest: &str| {
        let found =
            NAMES.iter().enumerate().filter_map(|(n, name)| Some((rest.find(&format!("<{name}"))?, n)));
        found.min()
    };
    while let Some((at, n)) = next(rest) {
        let end = format!("</{}>", NAMES[n]);
        let element = rest[at..].split_once('>').and_then(|(_, text)| text.split_once(&end));
        let Some((text, then)) = element else { break };
        sources[n].push(format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text))));
        rest = then;
    }
    sources.map(|of| if of.is_empty() { "'none'".to_owned() } else { of.join(" ") })
}

fn compressed(text: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 3), Compression::best());
    encoder.write_all(text).ok()?;
    encoder.finish().ok().map(Bytes::from)
}
