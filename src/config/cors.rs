//! The pages of other origins that may ask as a tenant's users do.

use std::time::Duration;

use url::Url;

use super::{Cors, field::Section};

const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn decode(tenant: &Section<'_>) -> Cors {
    let default = Cors::default();
    let Some(s) = tenant.section("cors", &["allowed_origins", "max_age"]) else { return default };
    Cors {
        allowed_origins: s.list("allowed_origins", origin),
        max_age: s.duration("max_age", Duration::ZERO..=DAY).unwrap_or(default.max_age),
    }
}

/// An origin as browsers write it, as it is compared with what they say.
fn origin(text: &str) -> Result<String, String> {
    const SHAPE: &str = "must be an origin, such as https://crm.example.com: scheme, host, and port where it is not \
                         the scheme's own";
    let origin = Url::parse(text).map_err(|_| SHAPE)?.origin();
    // A pattern looks like a host to the parser.
    let is_web = text.starts_with("http://") || text.starts_with("https://");
    if !is_web || text.contains('*') || !origin.is_tuple() {
        return Err(SHAPE.into());
    }
    match origin.ascii_serialization() {
        written if written == text => Ok(written),
        written => Err(format!("must be an origin alone, as browsers write it: {written}")),
    }
}
