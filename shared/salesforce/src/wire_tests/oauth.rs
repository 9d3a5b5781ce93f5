use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;
use wiremock::matchers::{body_string_contains, header, method, path, query_param_is_missing};
use wiremock::{Mock, ResponseTemplate};

use super::*;

const SECRET: &str = "canary-client-secret";
const CALLBACK: &str = "https://sync.example.com/oauth/callback/production";

fn oauth_to(address: SocketAddr) -> OAuthClient {
    let credentials = AppCredentials {
        client_id: "3MVG9key".to_owned(),
        client_secret: SecretString::from(SECRET),
    };
    OAuthClient::new(http_to(address), credentials)
}

async fn a_login_server() -> (MockServer, OAuthClient) {
    let server = MockServer::start().await;
    let oauth = oauth_to(*server.address());
    (server, oauth)
}

fn sign(id: &str, issued_at: &str, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, format!("{id}{issued_at}").as_bytes()))
}

fn a_token_body() -> Value {
    json!({
        "access_token": ACCESS_TOKEN,
        "refresh_token": "5Aep-canary-refresh",
        "signature": sign(ID_URL, "1795288123604", SECRET),
        "scope": "refresh_token api id",
        "instance_url": INSTANCE,
        "id": ID_URL,
        "token_type": "Bearer",
        "issued_at": "1795288123604",
    })
}

async fn answer_token(server: &MockServer, status: u16, body: Value) {
    Mock::given(method("POST"))
        .and(path("/services/oauth2/token"))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(server)
        .await;
}

async fn exchange(oauth: &OAuthClient) -> Result<TokenResponse, OAuthError> {
    let code = SecretString::from("aPrx-canary-code");
    let pkce = Pkce::from_entropy([9; 32]);
    let callback = Url::parse(CALLBACK).unwrap();
    oauth.exchange(&LoginHost::production(), &callback, &code, &pkce, &Scope::NEEDED).await
}

async fn refresh(oauth: &OAuthClient) -> Result<TokenResponse, OAuthError> {
    let token = SecretString::from("5Aep-canary-old");
    let scopes = Scopes::parse("api refresh_token id");
    oauth.refresh(&LoginHost::production(), &token, &scopes).await
}

#[tokio::test]
async fn a_code_is_exchanged_with_secret_and_verifier_at_the_login_host() {
    let (server, oauth) = a_login_server().await;
    Mock::given(method("POST"))
        .and(path("/services/oauth2/token"))
        .and(query_param_is_missing("code"))
        .and(header("host", "login.salesforce.com"))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(body_string_contains("grant_type=authorization_code"))
        .and(body_string_contains("code=aPrx-canary-code"))
        .and(body_string_contains(format!("client_secret={SECRET}")))
        .and(body_string_contains("code_verifier="))
        .and(body_string_contains(
            "redirect_uri=https%3A%2F%2Fsync.example.com%2Foauth%2Fcallback%2Fproduction",
        ))
        .respond_with(ResponseTemplate::new(200).set_body_json(a_token_body()))
        .expect(1)
        .mount(&server)
        .await;
    let token = exchange(&oauth).await.unwrap();
    assert_eq!(token.access_token.expose_secret(), ACCESS_TOKEN);
    assert_eq!(token.refresh_token.as_ref().unwrap().expose_secret(), "5Aep-canary-refresh");
    assert_eq!(token.instance_url, an_instance());
    assert_eq!(token.org_id.as_str(), "00Dxx0000001gPLEAY");
    assert_eq!(token.user_id.as_str(), "005xx000001SwiUAAS");
    assert_eq!(token.scope.iter().collect::<Vec<_>>(), ["api", "id", "refresh_token"]);
    assert_eq!(token.issued_at.to_string(), "2026-11-21T19:08:43.604Z");
    assert!(!format!("{token:?}").contains("canary"));
}

#[tokio::test]
async fn a_refresh_gives_the_rotated_token_or_none() {
    let (server, oauth) = a_login_server().await;
    Mock::given(body_string_contains("grant_type=refresh_token"))
        .and(body_string_contains("refresh_token=5Aep-canary-old"))
        .and(body_string_contains(format!("client_secret={SECRET}")))
        .respond_with(ResponseTemplate::new(200).set_body_json(a_token_body()))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let token = refresh(&oauth).await.unwrap();
    assert_eq!(token.refresh_token.unwrap().expose_secret(), "5Aep-canary-refresh");
    let mut body = a_token_body();
    body.as_object_mut().unwrap().remove("refresh_token");
    answer_token(&server, 200, body).await;
    assert!(refresh(&oauth).await.unwrap().refresh_token.is_none());
}

#[tokio::test]
async fn a_token_response_that_cannot_be_trusted_is_not_taken() {
    let other_org = "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiVAAS";
    let sandbox_id = ID_URL.replace("login.", "test.");
    let evil_id = ID_URL.replace("login.salesforce.com", "evil.com");
    let foreign_id = ID_URL.replace("login.salesforce.com", "other.my.salesforce.com");
    let signed = |id: &str| json!({"id": id, "signature": sign(id, "1795288123604", SECRET)});
    for (change, reason) in [
        (json!({"signature": "AAAA"}), UntrustedToken::Signature),
        (
            json!({"signature": sign(ID_URL, "1795288123604", "another secret")}),
            UntrustedToken::Signature,
        ),
        (json!({"id": other_org}), UntrustedToken::Signature),
        (json!({"issued_at": "1795288123605"}), UntrustedToken::Signature),
        (
            json!({"instance_url": "https://x.my.salesforce.com.evil.com"}),
            UntrustedToken::InstanceUrl,
        ),
        (json!({"instance_url": "http://169.254.169.254"}), UntrustedToken::InstanceUrl),
        (
            json!({"instance_url": "https://acme--uat.sandbox.my.salesforce.com"}),
            UntrustedToken::Issuer,
        ),
        (signed(&evil_id), UntrustedToken::IdentityUrl),
        (signed(&sandbox_id), UntrustedToken::Issuer),
        (signed(&foreign_id), UntrustedToken::Issuer),
        (json!({"scope": "refresh_token api id full"}), UntrustedToken::Scope),
        (json!({"access_token": null}), UntrustedToken::Malformed),
        (json!({"instance_url": null}), UntrustedToken::Malformed),
    ] {
        let (server, oauth) = a_login_server().await;
        let mut body = a_token_body();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        answer_token(&server, 200, body).await;
        let error = exchange(&oauth).await.unwrap_err();
        assert!(matches!(error, OAuthError::Untrusted(why) if why == reason), "{change}: {error}");
        assert!(error.is_outcome_unknown());
        assert_tells_no_secret(&error);
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_identity_at_the_my_domain_or_at_the_org_itself_is_the_issuers() {
    let my_domain = LoginHost::parse("acme.my.salesforce.com", HostPolicy::Commercial).unwrap();
    for id in [ID_URL, &ID_URL.replace("login.salesforce.com", "acme.my.salesforce.com")] {
        for host in [&my_domain, &LoginHost::production()] {
            let (server, oauth) = a_login_server().await;
            let mut body = a_token_body();
            body["id"] = json!(id);
            body["signature"] = json!(sign(id, "1795288123604", SECRET));
            answer_token(&server, 200, body).await;
            let token = SecretString::from("5Aep-canary-old");
            let scopes = Scopes::parse("api offline_access id");
            assert!(oauth.refresh(host, &token, &scopes).await.is_ok(), "{id} {host}");
        }
    }
}

#[tokio::test]
async fn refusals_of_the_token_endpoint_are_told_apart() {
    for (status, error, description, check) in [
        (
            400,
            "invalid_grant",
            "expired authorization code",
            (|e| matches!(e, OAuthError::ConcurrentRefresh)) as fn(&OAuthError) -> bool,
        ),
        (
            400,
            "invalid_grant",
            "expired access/refresh token",
            |e| matches!(e, OAuthError::GrantDead { code, .. } if code == "invalid_grant"),
        ),
        (401, "invalid_client", "app must be installed into org", |e| {
            matches!(e, OAuthError::AppNotInstalled { .. })
        }),
        (400, "inactive_user", "", |e| matches!(e, OAuthError::InactiveUser { .. })),
        (400, "invalid_grant", "ip restricted", |e| matches!(e, OAuthError::IpRestricted { .. })),
        (400, "invalid_client_id", "client identifier invalid", |e| {
            matches!(e, OAuthError::Misconfigured { .. })
        }),
    ] {
        let (server, oauth) = a_login_server().await;
        answer_token(&server, status, json!({"error": error, "error_description": description}))
            .await;
        let error = refresh(&oauth).await.unwrap_err();
        assert!(check(&error), "{error:?}");
        assert!(!error.is_outcome_unknown());
        assert_tells_no_secret(&error);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_oauth_leaves_the_grant_alone() {
    let html = "<html>canary</html>";
    for (answer, outcome_unknown) in [
        (ResponseTemplate::new(503).set_body_raw(html, "text/html"), true),
        (ResponseTemplate::new(200).set_body_raw(html, "text/html"), true),
        (ResponseTemplate::new(200), true),
        (ResponseTemplate::new(500).set_body_json(json!({"error": "unknown_error"})), true),
        (ResponseTemplate::new(302).insert_header("location", "https://evil.com/"), true),
        (ResponseTemplate::new(420).set_body_raw(html, "text/html"), false),
        (ResponseTemplate::new(400).set_body_json(json!([{"errorCode": "X"}])), false),
        (
            ResponseTemplate::new(200)
                .set_body_json(a_token_body())
                .set_delay(Duration::from_secs(1)),
            true,
        ),
    ] {
        let (server, oauth) = a_login_server().await;
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let error = refresh(&oauth).await.unwrap_err();
        assert!(matches!(error, OAuthError::Unavailable { .. }), "{error:?}");
        assert_eq!(error.is_outcome_unknown(), outcome_unknown, "{error:?}");
        assert_eq!(error.advice(), Advice::Retry { after: None });
        assert_tells_no_secret(&error);
    }
}

#[tokio::test]
async fn a_limited_login_stands_back_as_long_as_told() {
    let (server, oauth) = a_login_server().await;
    let answer = ResponseTemplate::new(429).insert_header("retry-after", "30");
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    let after = Some(Duration::from_secs(30));
    assert_eq!(refresh(&oauth).await.unwrap_err().advice(), Advice::StandBack { after });
}

#[tokio::test]
async fn only_a_request_that_was_sent_leaves_the_outcome_open() {
    let error = refresh(&oauth_to(a_dead_address().await)).await.unwrap_err();
    assert!(matches!(error, OAuthError::Unavailable { outcome_unknown: false, .. }), "{error:?}");
    let error = refresh(&oauth_to(a_raw_server(Vec::new()).await)).await.unwrap_err();
    assert!(matches!(error, OAuthError::Unavailable { outcome_unknown: true, .. }), "{error:?}");
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"access_token\":\"canary".to_vec();
    let error = refresh(&oauth_to(a_raw_server(cut).await)).await.unwrap_err();
    assert!(matches!(error, OAuthError::Unavailable { outcome_unknown: true, .. }), "{error:?}");
    assert_tells_no_secret(&error);
}

#[tokio::test]
async fn a_token_is_revoked_and_a_dead_one_is_no_error() {
    let token = SecretString::from("5Aep-canary+/=");
    for (answer, expected) in [
        (ResponseTemplate::new(200), Some(true)),
        (ResponseTemplate::new(400).set_body_json(json!({"error": "invalid_token"})), Some(false)),
        (
            ResponseTemplate::new(400).set_body_json(
                json!({"error": "unsupported_token_type", "error_description": "this token type is \
                     not supported"}),
            ),
            Some(false),
        ),
        (ResponseTemplate::new(503), None),
        (ResponseTemplate::new(400).set_body_raw("<html>", "text/html"), None),
        (ResponseTemplate::new(400).set_body_json(json!({"error": "invalid_request"})), None),
    ] {
        let (server, oauth) = a_login_server().await;
        Mock::given(method("POST"))
            .and(path("/services/oauth2/revoke"))
            .and(body_string_contains("token=5Aep-canary%2B%2F%3D"))
            .respond_with(answer)
            .expect(1)
            .mount(&server)
            .await;
        assert_eq!(oauth.revoke(&LoginHost::production(), &token).await.ok(), expected);
    }
}

fn an_identity() -> Value {
    json!({
        "id": ID_URL, "asserted_user": true, "user_id": "005xx000001SwiUAAS",
            "organization_id": "00Dxx0000001gPLEAY",
        "username": "ann@acme.example", "email": "ann@acme.example", "email_verified": true,
            "display_name": "Ann",
        "active": true, "user_type": "STANDARD", "locale": "en_US",
            "last_modified_date": "2026-01-01T10:00:00Z",
        "urls": {}, "photos": {},
    })
}

fn an_id_url() -> IdentityUrl {
    IdentityUrl::parse(ID_URL, HostPolicy::Commercial).unwrap()
}

#[tokio::test]
async fn an_identity_is_asked_for_with_the_token_in_the_header() {
    let (server, oauth) = a_login_server().await;
    Mock::given(method("GET"))
        .and(path("/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS"))
        .and(header("host", "login.salesforce.com"))
        .and(header("authorization", format!("Bearer {ACCESS_TOKEN}")))
        .respond_with(ResponseTemplate::new(200).set_body_json(an_identity()))
        .expect(1)
        .mount(&server)
        .await;
    let identity = oauth.identity(&an_id_url(), &a_session()).await.unwrap().value;
    assert_eq!(identity.username, "ann@acme.example");
    assert_eq!((identity.active, identity.email_verified), (Some(true), Some(true)));
}

#[tokio::test]
async fn an_identity_that_is_sent_on_is_asked_of_the_org_and_nowhere_else() {
    let (server, oauth) = a_login_server().await;
    Mock::given(header("host", "login.salesforce.com"))
        .respond_with(ResponseTemplate::new(302).insert_header("location", "https://evil.com/id"))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(header("host", "acme.my.salesforce.com"))
        .respond_with(ResponseTemplate::new(200).set_body_json(an_identity()))
        .expect(1)
        .mount(&server)
        .await;
    assert!(oauth.identity(&an_id_url(), &a_session()).await.is_ok());
}

#[tokio::test]
async fn a_bad_token_or_anothers_identity_is_refused() {
    let (server, oauth) = a_login_server().await;
    let bad = ResponseTemplate::new(403).set_body_string("Bad_OAuth_Token");
    Mock::given(method("GET")).respond_with(bad).up_to_n_times(1).mount(&server).await;
    let error = oauth.identity(&an_id_url(), &a_session()).await.unwrap_err();
    assert_eq!(error.advice(), Advice::Reauthorize);
    let mut other = an_identity();
    other["organization_id"] = json!("00Dxx0000001gPM");
    let answer = ResponseTemplate::new(200).set_body_json(other);
    Mock::given(method("GET")).respond_with(answer).mount(&server).await;
    let error = oauth.identity(&an_id_url(), &a_session()).await.unwrap_err();
    assert!(matches!(error, SalesforceError::Protocol { .. }), "{error:?}");
}

#[test]
fn a_ca_file_that_is_none_is_refused() {
    for pem in ["", "not pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let options = HttpOptions { ca_pem: Some(pem.as_bytes().to_vec()), ..quick() };
        assert!(Http::new(options).is_err(), "{pem}");
    }
}
