//! Unit tests; the wire is tested in `wire_tests.rs`.

use super::*;
use crate::{HostPolicy, HttpOptions};
use serde::Serialize;
use static_assertions::assert_not_impl_any;

assert_not_impl_any!(TokenResponse: std::fmt::Display, Serialize, PartialEq);
assert_not_impl_any!(Session: std::fmt::Display, Serialize, PartialEq);
assert_not_impl_any!(AppCredentials: std::fmt::Display, Serialize, PartialEq);
assert_not_impl_any!(Pkce: std::fmt::Display, Serialize, PartialEq);

fn a_client() -> OAuthClient {
    let credentials = AppCredentials {
        client_id: "3MVG9key".to_owned(),
        client_secret: SecretString::from("canary-secret"),
    };
    OAuthClient::new(Http::new(HttpOptions::default()).unwrap(), credentials)
}

#[test]
fn the_challenge_is_s256_of_the_verifier() {
    // RFC 7636, appendix B.
    let pkce =
        Pkce::from_verifier(SecretString::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
            .unwrap();
    assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let pkce = Pkce::from_entropy([7; 32]);
    assert_eq!(pkce.verifier().expose_secret().len(), 43);
    assert_eq!(format!("{pkce:?}"), "Pkce([redacted])");
}

#[test]
fn a_verifier_has_the_form_of_the_rfc() {
    for bad in
        ["", "short", &"x".repeat(42), &"x".repeat(129), &"x y".repeat(20), &"\u{e4}".repeat(43)]
    {
        assert!(Pkce::from_verifier(SecretString::from(bad)).is_err(), "{bad}");
    }
}

#[test]
fn the_authorize_url_asks_for_what_is_needed_and_holds_no_secret() {
    let host = LoginHost::parse("acme.my.salesforce.com", HostPolicy::Commercial).unwrap();
    let pkce = Pkce::from_entropy([1; 32]);
    let redirect_uri = Url::parse("https://sync.example.com/oauth/callback/production").unwrap();
    let url = a_client().authorize_url(
        &host,
        &AuthorizationRequest {
            redirect_uri: &redirect_uri,
            state: "s&t a+te",
            pkce: &pkce,
            scopes: &Scope::NEEDED,
            login_hint: Some("ann+crm@example.com"),
            prompt: Some(Prompt::Login),
        },
    );
    assert_eq!(
        (url.scheme(), url.host_str(), url.path()),
        ("https", Some("acme.my.salesforce.com"), "/services/oauth2/authorize")
    );
    let mut pairs: Vec<_> = url.query_pairs().collect();
    pairs.sort();
    let challenge = pkce.challenge();
    let mut expected = vec![
        ("client_id", "3MVG9key"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("login_hint", "ann+crm@example.com"),
        ("prompt", "login"),
        ("redirect_uri", redirect_uri.as_str()),
        ("response_type", "code"),
        ("scope", "api refresh_token id"),
        ("state", "s&t a+te"),
    ];
    expected.sort_unstable();
    assert_eq!(
        pairs,
        expected
            .into_iter()
            .map(|(k, v)| (k.into(), v.into()))
            .collect::<Vec<(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)>>()
    );
    assert!(!url.as_str().contains(pkce.verifier().expose_secret()));
    assert!(!url.as_str().contains("canary"));
    assert!(!format!("{:?}", a_client()).contains("canary"));
}
