//! Which links a reader may be sent to.

/// Checks that a link is a path of the site (`/services/167`, `?tab=2`, `services/167`) or an
/// absolute `http://` or `https://` URL. The error completes the clause "link …".
///
/// Refused: every other scheme (`javascript:`, `data:`), protocol-relative links (`//host`),
/// backslashes (browsers read them as slashes), white space at either end, and control or
/// invisible direction characters (browsers drop some of them before they read the scheme).
pub fn check_link(link: &str) -> Result<(), &'static str> {
    const KINDS: &str = "must be a path of the site or an http(s) URL";
    if link.is_empty() {
        return Err("must not be empty");
    }
    if link.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err("must not contain control or invisible characters");
    }
    if link.contains('\\') {
        return Err("must not contain a backslash");
    }
    if link.trim() != link {
        return Err("must not start or end with white space");
    }
    if link.starts_with("//") {
        return Err(KINDS);
    }
    // Only what stands before the first `/`, `?` or `#` can hold a scheme.
    let head = link.split(['/', '?', '#']).next().unwrap_or_default();
    match head.split_once(':') {
        None => Ok(()),
        Some((scheme, "")) if is_web(scheme) && has_host(&link[head.len()..]) => Ok(()),
        Some(_) => Err(KINDS),
    }
}

fn is_web(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// Whether what follows `http:` is `//` and a host.
fn has_host(rest: &str) -> bool {
    rest.strip_prefix("//")
        .and_then(|r| r.split(['/', '?', '#']).next())
        .is_some_and(|authority| !authority.is_empty() && !authority.contains(char::is_whitespace))
}

/// Zero-width and direction-changing characters, which make a link look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::check_link;

    #[test]
    fn paths_and_web_urls_are_links() {
        for link in [
            "/services/167",
            "services/167",
            "?tab=2",
            "#top",
            "/a:b",
            "https://x.example/a?b=c:d",
            "HTTP://x",
            "/ü",
        ] {
            assert_eq!(check_link(link), Ok(()), "{link}");
        }
    }

    #[test]
    fn everything_that_could_run_or_mislead_is_refused() {
        for link in [
            "",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            " /a",
            "/a ",
            "mailto:a@b",
            "http:",
            "http://",
            "http:/x",
            "https:///x",
            "/a\u{0}b",
            "/a\u{202E}b",
            ":x",
        ] {
            assert!(check_link(link).is_err(), "{link:?}");
        }
    }
}
