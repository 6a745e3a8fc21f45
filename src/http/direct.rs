//! Whether a request came directly, to a host that is meant.
//!
//! Whoever is trusted by the address of the connection alone must not be a proxy's client, nor a web page whose own
//! name resolves to this machine (DNS rebinding): a browser then names that page's host.

use std::net::{Ipv4Addr, Ipv6Addr};

use poem::{
    Request,
    http::{HeaderName, header::HOST},
};

/// Returns whether no proxy forwarded the request, and every host that it names is an IP address, `localhost` or one
/// of `hosts`. A request that names no host passes.
pub fn is_direct(request: &Request, hosts: &[String]) -> bool {
    let headers = request.headers();
    let of_target = request.uri().host().map(Some);
    let of_headers = headers.get_all(HOST).iter().map(|host| host.to_str().ok());
    let mut named = of_target.into_iter().chain(of_headers);
    !headers.keys().any(is_forwarding) && named.all(|host| host.is_some_and(|host| is_local(host, hosts)))
}

/// What proxies and content delivery networks say of a request's origin, beside `X-Forwarded-…`.
const FORWARDING: [&str; 12] = [
    "forwarded",
    "forwarded-for",
    "via",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-host",
    "x-envoy-external-address",
    "cf-connecting-ip",
    "fastly-client-ip",
    "true-client-ip",
];

fn is_forwarding(name: &HeaderName) -> bool {
    FORWARDING.contains(&name.as_str())
        || ["x-forwarded-", "x-original-forwarded-"].iter().any(|start| name.as_str().starts_with(start))
}

fn is_local(host: &str, hosts: &[String]) -> bool {
    let Some(name) = without_port(host) else { return false };
    if let Some(address) = name.strip_prefix('[') {
        // A zone may follow the address.
        let address = address.trim_end_matches(']').split('%').next().unwrap_or_default();
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_name = |known: &str| known.eq_ignore_ascii_case(name);
    host.is_empty()
        || name.parse::<Ipv4Addr>().is_ok()
        || is_name("localhost")
        || hosts.iter().any(|h| is_name(h))
}

/// Returns the name or address in a `Host` header; `None` where what follows it is no port.
fn without_port(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, port) = host.split_at(end);
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.len() <= 5;
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(headers: &[(&str, &str)]) -> bool {
        let request = Request::builder().uri_str("/readyz");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        is_direct(&request.finish(), &["bellboard.internal".to_owned()])
    }

    #[test]
    fn only_an_address_localhost_and_listed_names_are_local_hosts() {
        assert!(direct(&[]));
        for host in
            ["", "127.0.0.1:9090", "10.1.2.3", "[::1]:9090", "[fe80::1%eth0]", "localhost", "LocalHost.:9090"]
        {
            assert!(direct(&[("host", host)]), "{host}");
        }
        for host in ["bellboard.internal", "Bellboard.Internal.:9090"] {
            assert!(direct(&[("host", host)]), "{host}");
        }
        for host in [
            "attacker.example",
            "localhost.attacker.example",
            "127.0.0.1.nip.io:9090",
            "[::1",
            "[::1]evil",
            "[localhost]",
            "::1",
            "internal",
            ".",
            "localhost..",
            "localhost:9090:evil",
            "127.0.0.1:abc",
            "user@localhost",
        ] {
            assert!(!direct(&[("host", host)]), "{host}");
        }
        assert!(!direct(&[("host", "localhost"), ("host", "attacker.example")]));
        let absolute =
            Request::builder().uri_str("http://attacker.example/readyz").header("host", "localhost");
        assert!(!is_direct(&absolute.finish(), &[]));
    }

    #[test]
    fn no_header_of_a_proxy_is_direct() {
        let of_a_prefix = ["x-forwarded-for", "x-forwarded-host", "x-original-forwarded-for"];
        for name in FORWARDING.into_iter().chain(of_a_prefix) {
            assert!(!direct(&[("host", "localhost"), (name, "x")]), "{name}");
        }
    }
}
