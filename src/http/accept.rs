//! What a client asks for: which of the two forms of an error by `Accept`, and whether a text compressed.

use poem::http::{HeaderMap, HeaderName, header};

/// Problem details, as RFC 9457 has them.
pub const PROBLEM: &str = "application/problem+json";
/// Everything else that is JSON.
pub const JSON: &str = "application/json";

/// Whether a client names problem details, and wants plain JSON no more than those. Who accepts anything has not asked.
pub fn asks_for_problem(headers: &HeaderMap) -> bool {
    let worth = |names: &[&str]| worth(headers, &header::ACCEPT, names).unwrap_or(0.0);
    let problem = worth(&[PROBLEM]);
    problem > 0.0 && problem >= worth(&[JSON, "application/*", "*/*"])
}

/// Whether a client takes a text compressed with gzip. Who names no coding gets it as it is.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    worth(headers, &header::ACCEPT_ENCODING, &["gzip", "*"]).is_some_and(|quality| quality > 0.0)
}

/// The quality that a header gives to something, by its names from the exact one to that of anything: the exactest that
/// stands there decides, wherever it stands.
fn worth(headers: &HeaderMap, header: &HeaderName, names: &[&str]) -> Option<f32> {
    let given =
        |name: &&str| ranges(headers, header).filter(|(range, _)| range.eq_ignore_ascii_case(name)).last();
    names.iter().find_map(given).map(|(_, quality)| quality)
}

/// What a header lists, each with its quality; what cannot be read is passed over.
fn ranges<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = (&'a str, f32)> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?;
        let quality = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| is_quality(name));
        let quality = quality.map_or(Ok(1.0), |(_, quality)| quality.trim().parse()).ok()?;
        (0.0..=1.0).contains(&quality).then_some((name, quality))
    })
}

fn is_quality(name: &str) -> bool {
    name.trim().eq_ignore_ascii_case("q")
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    #[test]
    fn only_who_asks_by_name_gets_problem_details() {
        for (lines, asks) in [
            (&[][..], false),
            (&[""], false),
            (&["*/*"], false),
            (&["application/*"], false),
            (&["application/json"], false),
            (&["text/event-stream"], false),
            (&["application/problem+json"], true),
            (&["Application/Problem+JSON; charset=utf-8"], true),
            // As the RFC's own example has it.
            (&["application/json, application/problem+json"], true),
            (&["application/json", "application/problem+json"], true),
            (&["application/problem+json;q=0.5, application/json"], false),
            (&["application/problem+json ; Q=0.5 , application/json;q=0.4"], true),
            (&["application/problem+json;q=0.5, */*"], false),
            (&["application/problem+json, */*;q=0.1"], true),
            // The range that names it best decides, wherever it stands.
            (&["application/json;q=0.1, application/problem+json;q=0.5, application/*, */*"], true),
            (&["application/problem+json;q=0"], false),
            (&["application/problem+json;q=2"], false),
            (&["application/problem+json;q=nan"], false),
            (&["application/problem+jsonx"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::ACCEPT, HeaderValue::from_static(line));
            }
            assert_eq!(asks_for_problem(&headers), asks, "{lines:?}");
        }
    }

    #[test]
    fn a_text_is_compressed_for_who_takes_that() {
        for (line, takes) in [
            ("", false),
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("deflate", false),
            ("gzip;q=0", false),
            ("*", true),
            ("*, gzip;q=0", false),
            ("identity", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(line));
            assert_eq!(takes_gzip(&headers), takes, "{line}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
