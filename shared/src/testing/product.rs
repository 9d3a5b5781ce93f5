//! The whole product over some ports, for the handlers' tests.

use crate::capabilities::custody::SalesforceApp;
use crate::ports::Ports;
use crate::product::{Orgs, Product};
use crate::salesforce::{ApiVersion, Http, HttpOptions};

/// The product over `ports`; its app's secret is `app`, and it can reach no org.
///
/// # Panics
/// When no HTTP client can be made.
#[must_use]
#[expect(clippy::expect_used, reason = "a test may panic")]
pub fn product(ports: Ports, secret_prefix: &str) -> Product<Orgs> {
    let http = Http::new(HttpOptions::default()).expect("a client");
    let base = "https://crm-sync.example.com".parse().expect("an address");
    let version = ApiVersion::default();
    let app = SalesforceApp::new(ports.clone(), http, version, "app".to_owned(), base, None);
    Product::new(ports).opening(secret_prefix.to_owned()).reaching(app)
}
