//! What a person sees when there is no page for them. The words are ours or the API's own; nothing
//! of what went on inside is shown.

use std::error::Error;
use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use shared::work::chain;

use crate::ask::Refusal;
use crate::assets;
use crate::openid::OpenIdError;

/// Why there is no page.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// Nobody is logged in.
    NoSession,
    /// A customer's page, and somebody who runs the product.
    Operator,
    /// A login at the issuer that did not come about.
    Login(OpenIdError),
    /// A form that this session did not get, or from another site.
    Form,
    /// There is no such page.
    NotFound,
    /// A link that opens no session.
    Link,
    /// The API does not do it.
    Refused(Refusal),
    /// A mistake of ours.
    Broken(Arc<dyn Error + Send + Sync>),
}

impl Trouble {
    /// A mistake of ours, for the log alone.
    pub(crate) fn broken(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Broken(Arc::new(error))
    }
}

impl From<OpenIdError> for Trouble {
    fn from(error: OpenIdError) -> Self {
        Self::Login(error)
    }
}

impl IntoResponse for Trouble {
    /// An answer without a body: [`page`] fills it in, since only there the request's id is known.
    fn into_response(self) -> Response {
        match &self {
            Self::NoSession => return Redirect::to("/console/login").into_response(),
            Self::Operator => return Redirect::to("/console/operate").into_response(),
            Self::Login(error) => {
                tracing::warn!(error = chain(error), "a login did not come about");
            }
            _ => {}
        }
        if let Self::Broken(error) = &self {
            tracing::error!(error = chain(&**error), "a page could not be made");
        }
        let mut response = words(&self).status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A trouble in words.
struct Words {
    status: StatusCode,
    title: String,
    text: String,
}

impl Words {
    fn new(status: StatusCode, title: &str, text: &str) -> Self {
        Self { status, title: title.to_owned(), text: text.to_owned() }
    }
}

fn words(trouble: &Trouble) -> Words {
    match trouble {
        Trouble::NoSession | Trouble::Operator => {
            Words::new(StatusCode::UNAUTHORIZED, "Log in first", "")
        }
        Trouble::Login(error) => login(*error),
        Trouble::Form => Words::new(
            StatusCode::FORBIDDEN,
            "This form is out of date",
            "Nothing was changed. Load the page again and send it once more.",
        ),
        Trouble::NotFound => Words::new(
            StatusCode::NOT_FOUND,
            "There is no such page",
            "The address may be wrong, or what it named is gone.",
        ),
        Trouble::Link => Words::new(
            StatusCode::FORBIDDEN,
            "This link does not work any more",
            "A link logs in once, within ten minutes. Ask for a new one.",
        ),
        Trouble::Refused(refusal) => refused(refusal),
        Trouble::Broken(_) => Words::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong on our side",
            "Nothing is lost. Try again in a minute.",
        ),
    }
}

fn login(error: OpenIdError) -> Words {
    match error {
        OpenIdError::NotBegun => Words::new(
            StatusCode::FORBIDDEN,
            "This login was not begun here",
            "It took longer than ten minutes, or another browser began it. Log in again.",
        ),
        OpenIdError::Refused => Words::new(
            StatusCode::FORBIDDEN,
            "You were not logged in",
            "Your company’s login page sent you back without a login. Log in again.",
        ),
        OpenIdError::NoRights => Words::new(
            StatusCode::FORBIDDEN,
            "Your account has no rights here",
            "You are logged in at your company, which gave you no role, tenant or seat of CRM \
             sync. Ask who looks after your accounts.",
        ),
        OpenIdError::Issuer(_) => Words::new(
            StatusCode::BAD_GATEWAY,
            "Your company’s login page cannot be used",
            "It does not answer, or not as it should. Try again in a minute; who runs CRM sync \
             finds more in the log.",
        ),
    }
}

fn refused(refusal: &Refusal) -> Words {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let detail = refusal.detail.as_deref().unwrap_or_default();
    let (title, text) = match refusal.kind.as_str() {
        "unauthorized" => ("Log in first", "Your session has ended."),
        "forbidden" | "seat_required" => {
            ("This page is not for your role", "Ask your admin if you need it.")
        }
        "not_entitled" => (
            "CRM sync is not part of your contract",
            "What was brought in can still be disconnected and deleted.",
        ),
        "not_found" => ("There is no such thing here", "It may be gone, or never have been."),
        "paused" => ("The connection is paused", detail),
        "unavailable" => ("Try again shortly", "A service that this needs does not answer."),
        "internal" => ("Something went wrong on our side", "Try again in a minute."),
        _ => (refusal.title.as_str(), detail),
    };
    Words::new(status, title, text)
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Page {
    title: String,
    text: String,
    style: String,
    icon: String,
    /// By which the log finds what happened.
    request_id: Option<String>,
}

/// Gives an answer without a page the one that says why.
pub(crate) fn page(response: Response, request: &HeaderMap) -> Response {
    let Some(trouble) = response.extensions().get::<Trouble>() else { return response };
    let Words { status, title, text } = words(trouble);
    let id = request.get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let request_id = id.filter(|_| status.is_server_error());
    let (style, icon) = (assets::STYLE.path(), assets::ICON.path());
    match (Page { title, text, style, icon, request_id }).render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(_) => status.into_response(),
    }
}
