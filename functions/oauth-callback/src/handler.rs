//! From the browser's request to the end of an authorization, and to a page that says what it was.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use secrecy::{ExposeSecret, SecretString};
use shared::capabilities::connecting::{Connect, ConnectError, Connected, cookie_name};
use shared::kernel::Environment;
use url::form_urlencoded;

use crate::page;

/// The longest reason of a refusal that is shown: it comes from outside.
const LONGEST_REASON: usize = 300;

/// The parameters that Salesforce sent along, and the browser's cookie.
struct Callback {
    environment: Environment,
    state: String,
    browser: Option<SecretString>,
    code: Result<SecretString, String>,
}

/// The callback's route, over `connect`.
pub fn router(connect: Connect) -> Router {
    // Only the browser's own visit ends an authorization: axum would take a HEAD for one.
    let end = get(end).head(async || StatusCode::METHOD_NOT_ALLOWED);
    Router::new().route("/oauth/callback/{environment}", end).with_state(connect)
}

async fn end(
    State(connect): State<Connect>,
    Path(environment): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let Some(callback) = callback(&environment, &query, &headers) else {
        return page::refused(StatusCode::BAD_REQUEST, &ConnectError::State.to_string());
    };
    let Callback { environment, state, browser, code } = callback;
    let browser = browser.as_ref().map(ExposeSecret::expose_secret);
    match connect.finish(environment, &state, browser, code).await {
        Ok(Connected::Org { connection }) => {
            tracing::info!(connection.id = %connection.scope(), "an org was connected");
            page::done("Your org is connected", "The first import has begun.")
        }
        Ok(Connected::Regranted) => {
            page::done("The authorization was renewed", "Nothing is imported anew.")
        }
        Ok(Connected::Seat) => {
            page::done("You are authorized", "What you do is logged in your CRM from now on.")
        }
        Err(error) => refusal(&error),
    }
}

/// Each parameter once, and either a code or an error: anything else did not come from Salesforce.
fn callback(environment: &str, query: &str, headers: &HeaderMap) -> Option<Callback> {
    let environment = environment.parse().ok()?;
    let once = |name: &str| {
        let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.into_owned());
        values.next().is_none().then_some(value)
    };
    let (state, code) = (once("state")??, once("code")?);
    let (error, description) = (once("error")?, once("error_description")?);
    let code = match (code, error) {
        (Some(code), None) => Ok(SecretString::from(code)),
        (None, Some(error)) => {
            Err(description.unwrap_or(error).chars().take(LONGEST_REASON).collect())
        }
        _ => return None,
    };
    let browser = cookie(headers, &cookie_name(&state));
    Some(Callback { environment, state, browser, code })
}

/// The value of a cookie that came once.
fn cookie(headers: &HeaderMap, name: &str) -> Option<SecretString> {
    let headers = headers.get_all(COOKIE).iter().filter_map(|v| v.to_str().ok());
    let pairs = headers.flat_map(|header| header.split(';')).filter_map(|p| p.split_once('='));
    let mut values = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
    let value = values.next()?;
    values.next().is_none().then(|| SecretString::from(value))
}

fn refusal(error: &ConnectError) -> Response {
    let status = match error {
        ConnectError::Work(_) => StatusCode::INTERNAL_SERVER_ERROR,
        ConnectError::Salesforce(_) | ConnectError::OAuth(_) => StatusCode::BAD_GATEWAY,
        _ => StatusCode::BAD_REQUEST,
    };
    let told = error.to_log();
    if status.is_server_error() {
        tracing::error!(error = told, "an authorization could not be ended");
    } else {
        tracing::warn!(error = told, "an authorization was refused");
    }
    match error {
        ConnectError::Work(_) => page::refused(status, "Something failed here; start again."),
        // Cause and cure, as the connection doctor would say them.
        told => {
            let told = told.steps().iter().fold(told.to_string(), |text, step| text + ". " + step);
            page::refused(status, &told)
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Method, Request};
    use jiff::Timestamp;
    use lambda_http::request::from_str;
    use shared::testing::{Memory, product};

    use tower::ServiceExt;

    use super::*;

    const EVENT: &str = include_str!("../../../events/oauth-callback.callback.json");

    fn connect() -> Connect {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        product(memory.ports(), "test/").connect()
    }

    /// As API Gateway's event comes to the router.
    fn routed(event: &str) -> Request<Body> {
        from_str(event).unwrap().map(|_| Body::empty())
    }

    fn parsed(request: &Request<Body>) -> Option<Callback> {
        callback("production", request.uri().query().unwrap_or_default(), request.headers())
    }

    fn request(query: &[(&str, &str)]) -> Request<Body> {
        let mut event: serde_json::Value = serde_json::from_str(EVENT).unwrap();
        let encoded: String =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        event["rawQueryString"] = encoded.into();
        // API Gateway joins repeated parameters; the raw text is what counts.
        event["queryStringParameters"] = serde_json::Value::Null;
        routed(&event.to_string())
    }

    #[tokio::test]
    async fn a_state_that_was_not_given_out_is_refused() {
        let response = router(connect()).oneshot(routed(EVENT)).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let page = page::text(response).await;
        assert!(page.contains("this authorization was not begun here"));
    }

    #[tokio::test]
    async fn only_the_browsers_own_visit_ends_an_authorization() {
        let mut request = routed(EVENT);
        *request.method_mut() = Method::HEAD;
        let response = router(connect()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn a_callback_has_either_a_code_or_an_error_and_each_parameter_once() {
        let given = |query: &[(&str, &str)]| parsed(&request(query)).map(|c| c.code.is_ok());
        assert_eq!(given(&[("state", "s"), ("code", "c")]), Some(true));
        assert_eq!(given(&[("state", "s"), ("error", "access_denied")]), Some(false));
        assert_eq!(given(&[("state", "s"), ("code", "c"), ("error", "e")]), None);
        assert_eq!(given(&[("state", "s")]), None);
        assert_eq!(given(&[("code", "c")]), None);
        assert_eq!(given(&[("state", "s"), ("state", "t"), ("code", "c")]), None);
    }

    #[tokio::test]
    async fn a_refusal_that_an_admin_can_mend_says_where() {
        let declined = "app must be installed into org".to_owned();
        let page = page::text(refusal(&ConnectError::Declined(declined))).await;
        assert!(page.contains("External Client App Manager"), "{page}");
    }

    #[test]
    fn the_browser_brings_its_cookie_once() {
        let with = |cookies: &str| {
            let mut request = request(&[("state", "s"), ("code", "c")]);
            request.headers_mut().insert(COOKIE, cookies.parse().unwrap());
            let browser = parsed(&request).unwrap().browser?;
            Some(browser.expose_secret().to_owned())
        };
        let name = cookie_name("s");
        assert_eq!(with(&format!("a=b; {name}=kept; c=d")), Some("kept".to_owned()));
        assert_eq!(with(&format!("{name}=one; {name}=two")), None, "a second one was slipped in");
        assert_eq!(with("a=b"), None);
    }

    #[test]
    fn a_reason_from_outside_is_cut() {
        let reason = "x".repeat(5_000);
        let query = [("state", "s"), ("error", "e"), ("error_description", reason.as_str())];
        let callback = parsed(&request(&query)).unwrap();
        assert_eq!(callback.code.unwrap_err().len(), LONGEST_REASON);
    }
}
