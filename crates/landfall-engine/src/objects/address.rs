//! Which addresses a storage may have. A name is judged by what it resolves to, when it is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where clouds tell their own machines credentials: only the providers of credentials may ask there.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];
/// The name that one of them has.
const METADATA_NAME: &str = "metadata.google.internal";

/// The address that a host of a URL is, where it is no name.
pub(super) fn literal_address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// Whether `host` is where a cloud tells credentials.
pub(super) fn is_metadata_host(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    name.eq_ignore_ascii_case(METADATA_NAME) || literal_address(host).is_some_and(is_metadata)
}

/// Whether `address` is where a cloud tells credentials.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    METADATA.contains(&embedded_ipv4(address))
}

/// Whether nobody may connect there, whatever is allowed: the address is none of one machine, or tells credentials.
pub(super) fn is_never_allowed(address: IpAddr) -> bool {
    let address = embedded_ipv4(address);
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    address.is_unspecified() || address.is_multicast() || is_broadcast || is_metadata(address)
}

/// Whether `address` is not one of the public internet: this machine, a network of one's own, or reserved.
pub(super) fn is_private(address: IpAddr) -> bool {
    match embedded_ipv4(address) {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

/// What an IPv6 address that carries an IPv4 address leads to.
fn embedded_ipv4(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        // Mapped, translated (RFC 6052), and the old "compatible" form; `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => of(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => of(high, low),
        // 6to4.
        [0x2002, high, low, ..] => of(high, low),
        _ => address,
    }
}

/// The special blocks of the IANA's registry for IPv4.
fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && b & 0xfe == 18)
        // Multicast, reserved, broadcast.
        || a >= 224
}

/// The special blocks of the IANA's registry for IPv6.
fn is_private_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        // Site-local of old.
        || segments[0] & 0xffc0 == 0xfec0
        // Translation within a network.
        || segments[..3] == [0x64, 0xff9b, 1]
        // Discarded, Teredo and other tunnels, documentation.
        || segments[..4] == [0x100, 0, 0, 0]
        || (segments[0] == 0x2001 && segments[1] < 0x200)
        || (segments[0] == 0x2001 && segments[1] == 0xdb8)
        || segments[0] & 0xfff0 == 0x3ff0
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn of(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn addresses_of_ones_own_networks_are_private() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.1.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:169.254.169.254",
            "64:ff9b::192.168.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(is_private(of(address)), "{address}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_not() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "52.216.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "169.253.0.1",
            "192.1.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2600:1f18::1",
            "2a00:1450:4001::200e",
        ] {
            assert!(!is_private(of(address)), "{address}");
            assert!(!is_never_allowed(of(address)), "{address}");
        }
    }

    #[test]
    fn where_credentials_are_told_nobody_else_goes() {
        for address in ["169.254.169.254", "169.254.170.2", "::ffff:169.254.170.23", "fd00:ec2::23", "fd00:ec2::254"] {
            assert!(is_never_allowed(of(address)) && is_metadata(of(address)), "{address}");
        }
        for host in ["169.254.169.254", "[fd00:ec2::23]", "metadata.google.internal", "Metadata.Google.Internal."] {
            assert!(is_metadata_host(host), "{host}");
        }
        for host in ["169.254.169.253", "metadata.google.internal.example.com", "localhost", "[::1]"] {
            assert!(!is_metadata_host(host), "{host}");
        }
        for address in ["0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "ff02::1"] {
            assert!(is_never_allowed(of(address)), "{address}");
        }
        for address in ["127.0.0.1", "10.0.0.1", "::1", "fd12::1"] {
            assert!(!is_never_allowed(of(address)), "{address}");
        }
    }
}
