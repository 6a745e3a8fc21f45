//! Issuers whose public keys stand under a URL.

use std::time::Duration;

use super::{Jwks, field::Section};

/// The fields of an issuer that say where its keys are.
pub(super) const FIELDS: [&str; 5] =
    ["jwks_url", "jwks_refresh", "jwks_keep", "jwks_allow_private", "jwks_proxy"];

const LONGEST_URL: usize = 2_048;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Where an issuer's keys are, if it says so.
pub(super) fn decode(s: &Section<'_>) -> Option<Jwks> {
    let [url, refresh, keep, allow_private, proxy] = FIELDS;
    let allow_private = s.flag(allow_private);
    let refresh = s.duration(refresh, SECOND..=7 * DAY).unwrap_or(15 * MINUTE);
    let keep_for = s.duration(keep, SECOND..=90 * DAY).unwrap_or(DAY.max(refresh));
    if keep_for < refresh {
        s.field()
            .fail(format!("{keep} must not be less than jwks_refresh: no key would last to the next fetch"));
    }
    let proxy = s.read(proxy, |text| {
        let has_host = ["http://", "https://"]
            .iter()
            .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
        let is_plain = text.len() <= LONGEST_URL && text.bytes().all(|b| b.is_ascii_graphic());
        let proxy = (has_host && is_plain).then(|| text.to_owned());
        proxy.ok_or_else(|| "must be the URL of a proxy, such as http://proxy.internal:3128".into())
    });
    let url = s.get(url)?.read(|text| self::url(text, allow_private))?;
    Some(Jwks { url, refresh, keep: keep_for, allow_private, proxy })
}

/// The shape alone; whether it is a URL in full is seen where it is used.
fn url(text: &str, allow_private: bool) -> Result<String, String> {
    let rest =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://").filter(|_| allow_private));
    let Some(rest) = rest else {
        return Err("must begin with https:// (or http:// with jwks_allow_private: true)".into());
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = text.len() <= LONGEST_URL && text.bytes().all(|b| b.is_ascii_graphic());
    if host.is_empty() || host.contains('@') || !plain {
        return Err("must be a URL with a host, and with no name or password in it".into());
    }
    Ok(text.into())
}
