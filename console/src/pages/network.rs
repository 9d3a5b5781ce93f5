//! The addresses that an org must let in.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;

use crate::frame::{Frame, show as page};
use crate::guard::Visit;
use crate::trouble::Trouble;

#[derive(Deserialize)]
struct NetworkAccess {
    version: String,
    ranges: Vec<String>,
    steps: Vec<String>,
}

#[derive(Template)]
#[template(path = "network.html")]
struct Page {
    frame: Frame,
    access: NetworkAccess,
    /// The first and the last address of each range, as Salesforce asks for them.
    pairs: Vec<(String, String)>,
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let access: NetworkAccess = visit.ask.at("/v1/network-access").await?;
    let pairs = access.ranges.iter().filter_map(|range| pair(range)).collect();
    page(&Page { frame: visit.frame("/network").await?, access, pairs })
}

/// The first and the last address of a range such as 203.0.113.0/28.
fn pair(range: &str) -> Option<(String, String)> {
    let (base, bits) = range.split_once('/')?;
    let base = u32::from(base.parse::<std::net::Ipv4Addr>().ok()?);
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
    let address = |number: u32| std::net::Ipv4Addr::from(number).to_string();
    Some((address(base & !rest), address(base | rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_shown_as_salesforce_asks_for_it() {
        let of = |range: &str| pair(range).map(|(first, last)| format!("{first} {last}"));
        assert_eq!(of("203.0.113.7/32").as_deref(), Some("203.0.113.7 203.0.113.7"));
        assert_eq!(of("203.0.113.16/28").as_deref(), Some("203.0.113.16 203.0.113.31"));
        assert_eq!(of("203.0.113.0/33"), None);
        assert_eq!(of("x"), None);
    }
}
