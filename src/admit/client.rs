//! The address that a request really comes from, when trusted proxies stand between.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Walks back from the peer, hop by hop, for as long as the hop is a trusted proxy: what a trusted
/// proxy wrote is believed, and nothing that stands before it. `None` when a trusted proxy stands
/// between and the address behind it is not known: a proxy's own address is never a client's.
///
/// Where both headers are there and tell different addresses, neither is believed: a proxy writes one
/// of them and hands the other on as the client sent it, and nothing tells which.
pub fn client_address(
    peer: IpAddr,
    forwarded_for: Option<&str>,
    forwarded: Option<&str>,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    if trusted.is_empty() {
        return Some(peer);
    }
    let by_list = forwarded_for.map(|list| walk(peer, list.rsplit(',').map(address), trusted));
    let by_pairs = forwarded.map(|list| walk(peer, list.rsplit(',').map(for_pair), trusted));
    match (by_list, by_pairs) {
        (Some(one), Some(other)) if one != other => None,
        (Some(client), _) | (None, Some(client)) => client,
        // Nobody is said to stand behind the peer.
        (None, None) => Some(peer),
    }
}

/// `None` where a trusted proxy wrote a hop that cannot be read.
fn walk(peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>, trusted: &[IpNet]) -> Option<IpAddr> {
    let is_trusted = |hop: &IpAddr| trusted.iter().any(|network| network.contains(hop));
    let mut client = peer;
    for hop in hops {
        if !is_trusted(&client) {
            break;
        }
        client = hop?;
    }
    Some(client)
}

/// An address, with or without brackets and port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

/// The address of an element such as `for="[2001:db8::1]:4711";proto=https`.
fn for_pair(element: &str) -> Option<IpAddr> {
    let value = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })?;
    address(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded_for: Option<&str>, forwarded: Option<&str>) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        client_address(peer.parse().unwrap(), forwarded_for, forwarded, &trusted)
            .map_or("unknown".into(), |client| client.to_string())
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        for (peer, list, expected) in [
            // Nobody stands between, so the header is the client's own invention.
            ("203.0.113.9", "192.0.2.1", "203.0.113.9"),
            ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
            // Everything left of the first hop that is not trusted is the client's own invention.
            ("10.0.0.1", "10.0.0.7, 198.51.100.4, 192.0.2.1", "192.0.2.1"),
            ("10.0.0.1", "198.51.100.4, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
            ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
            ("10.0.0.1", "192.0.2.1, unknown", "unknown"),
            ("10.0.0.1", "192.0.2.1, , 10.0.0.2", "unknown"),
            ("10.0.0.1", "", "unknown"),
            ("::ffff:10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
            ("10.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
            ("fd00::1", "[2001:db8::1]:4711", "2001:db8::1"),
            ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(client(peer, Some(list), None), expected, "{peer} {list}");
        }
    }

    #[test]
    fn forwarded_reads_the_same_way() {
        for (list, expected) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("for=198.51.100.4, proto=https; For=\"192.0.2.1:80\" ;by=10.0.0.9, for=10.0.0.2", "192.0.2.1"),
            ("for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=192.0.2.1, for=_hidden", "unknown"),
            ("for=192.0.2.1, proto=https", "unknown"),
        ] {
            assert_eq!(client("10.0.0.1", None, Some(list)), expected, "{list}");
        }
    }

    #[test]
    fn a_header_that_the_proxy_only_handed_on_forges_nothing() {
        assert_eq!(client("10.0.0.1", Some("192.0.2.1"), Some("for=192.0.2.1")), "192.0.2.1");
        assert_eq!(client("10.0.0.1", Some("192.0.2.1"), Some("for=198.51.100.4")), "unknown");
        assert_eq!(client("10.0.0.1", Some("198.51.100.4"), Some("for=192.0.2.1")), "unknown");
        assert_eq!(client("10.0.0.1", Some("unknown"), Some("for=192.0.2.1")), "unknown");
        assert_eq!(client("10.0.0.1", None, None), "10.0.0.1");
        // Who comes without a proxy is known, whatever the headers say.
        assert_eq!(client("203.0.113.9", Some("unknown"), Some("for=192.0.2.1")), "203.0.113.9");
    }
}
