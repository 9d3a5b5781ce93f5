//! Name resolution that never takes a Salesforce name to a private address.
//!
//! The allow-list checks names; this checks where they lead, so that a poisoned or split-horizon
//! DNS cannot turn our token requests inward. Other names (a proxy's) are resolved as usual.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::hosts::is_salesforce_name;

#[derive(Debug, thiserror::Error)]
#[error("the name resolves to no public address")]
struct NoPublicAddress;

#[derive(Debug)]
pub(super) struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed = allowed(name.as_str(), found);
            if allowed.is_empty() {
                return Err(NoPublicAddress.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn allowed(name: &str, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if is_salesforce_name(name) {
        addresses.retain(|address| is_public(address.ip()));
    }
    addresses
}

/// True of an address that anybody may reach: none of a private network, of this machine, or of
/// another special block.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// Not one of the special-purpose blocks of the IANA registry (RFC 6890).
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || matches!(
            ip.octets(),
            [0 | 240..=255, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18..=19, ..]
        );
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(ip) = ip.to_ipv4_mapped() {
        return is_public_v4(ip);
    }
    match ip.segments() {
        // NAT64 leads to the IPv4 address it holds.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        [0x2001, 0xdb8, ..] => false,
        // Global unicast is 2000::/3.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salesforce_name_never_leads_to_a_private_address() {
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2001:db8::1",
        ];
        for ip in private {
            let address = SocketAddr::new(ip.parse().unwrap(), 0);
            assert_eq!(allowed("acme.my.salesforce.com", vec![address]), [], "{ip}");
            assert_eq!(allowed("proxy.internal", vec![address]), [address], "{ip}");
        }
        for ip in ["8.8.8.8", "136.146.1.1", "2606:4700::1111", "64:ff9b::808:808"] {
            let address = SocketAddr::new(ip.parse().unwrap(), 0);
            assert_eq!(allowed("login.salesforce.com", vec![address]), [address], "{ip}");
        }
    }
}
