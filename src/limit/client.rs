//! What stands for a client in everything that is counted by source address.

use std::net::{IpAddr, Ipv6Addr};

/// The client that an address belongs to: an IPv4 address, or the /64 that an IPv6 host commonly has to itself.
pub fn client_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}
