//! Whether a request came directly, to a host that is meant.
//!
//! Whoever is trusted by the address of the connection alone must not be a proxy's client, nor a web page whose own
//! name resolves to this machine (DNS rebinding): a browser then names that page's host.

use std::net::IpAddr;

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

fn is_forwarding(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-")
}

fn is_local(host: &str, hosts: &[String]) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address.split('%').next().unwrap_or_default(),
        None => host.split_once(':').map_or(host, |(name, _)| name).trim_end_matches('.'),
    };
    let is_name = |known: &str| known.eq_ignore_ascii_case(name);
    name.is_empty()
        || name.parse::<IpAddr>().is_ok()
        || is_name("localhost")
        || hosts.iter().any(|h| is_name(h))
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
            ["", "127.0.0.1:9090", "10.1.2.3", "[::1]:9090", "[fe80::1%eth0]", "localhost", "LocalHost:9090"]
        {
            assert!(direct(&[("host", host)]), "{host}");
        }
        for host in ["bellboard.internal", "Bellboard.Internal.:9090"] {
            assert!(direct(&[("host", host)]), "{host}");
        }
        for host in
            ["attacker.example", "localhost.attacker.example", "127.0.0.1.nip.io:9090", "[::1", "internal"]
        {
            assert!(!direct(&[("host", host)]), "{host}");
        }
        assert!(!direct(&[("host", "localhost"), ("host", "attacker.example")]));
        let absolute =
            Request::builder().uri_str("http://attacker.example/readyz").header("host", "localhost");
        assert!(!is_direct(&absolute.finish(), &[]));
    }

    #[test]
    fn no_header_of_a_proxy_is_direct() {
        for name in
            ["forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]
        {
            assert!(!direct(&[("host", "localhost"), (name, "x")]), "{name}");
        }
    }
}
