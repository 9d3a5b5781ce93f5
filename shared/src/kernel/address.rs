//! What an address says of the way there.

use url::{Host, Url};

/// True of a host that is this machine.
#[must_use]
pub fn is_this_machine<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// True of an address to which nobody on the way can read what is sent: https, or http on this
/// machine.
#[must_use]
pub fn is_unread(url: &Url) -> bool {
    let is_here = url.host().is_some_and(|host| is_this_machine(&host));
    url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && is_here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_without_tls() {
        let unread = |text: &str| is_unread(&text.parse().unwrap());
        for good in ["https://a.example", "http://localhost:1", "http://127.0.0.1", "http://[::1]"]
        {
            assert!(unread(good), "{good}");
        }
        for bad in ["http://a.example", "http://127.0.0.1.example", "ftp://localhost", "file:///x"]
        {
            assert!(!unread(bad), "{bad}");
        }
    }
}
