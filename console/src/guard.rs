//! Guards: extractors that let through who is logged in, and forms of their own session only.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{AppendHeaders, IntoResponseParts};
use serde::Deserialize;
use shared::capabilities::seats::Role;
use shared::capabilities::sessions::{LONGEST, Session, SessionCookie};
use shared::kernel::Environment;
use url::form_urlencoded;

use crate::ask::{Ask, AskOfTenant};
use crate::frame::Frame;
use crate::state::Console;
use crate::trouble::Trouble;

/// The field of a form that shows it to be of its session.
const FORM_TOKEN: &str = "csrf";

/// A login at an issuer is done within ten minutes, or is begun anew.
const LOGIN_SECONDS: i64 = 600;

/// Somebody who is logged in, whoever it is.
pub(crate) struct Entry {
    pub(crate) console: Console,
    pub(crate) session: Session,
    pub(crate) cookie: SessionCookie,
    /// What was done before this page, by its name.
    said: Option<String>,
}

/// Somebody of a tenant who is logged in.
pub(crate) struct Visit {
    pub(crate) entry: Entry,
    pub(crate) ask: AskOfTenant,
    /// The environment that the path names; the production org's where it names none.
    pub(crate) environment: Environment,
}

/// Somebody who runs the product, and is logged in.
pub(crate) struct Operating {
    pub(crate) entry: Entry,
    pub(crate) ask: Ask,
}

/// Somebody who is logged in, and the form that they sent.
pub(crate) struct Act<V = Visit>(pub(crate) V, pub(crate) Fields);

/// The fields of a form.
pub(crate) struct Fields(Vec<(String, String)>);

#[derive(Deserialize)]
struct AtEnvironment {
    #[serde(default = "production")]
    environment: Environment,
}

fn production() -> Environment {
    Environment::Production
}

impl Fields {
    pub(crate) fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// A field's text, without space around it; none if it is empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The texts of all fields of a name that have one.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self.0.iter().filter(move |(key, _)| key == name);
        values.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// The texts of all fields of a name, empty or not.
    pub(crate) fn each(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.trim())
    }

    /// True if a box is ticked.
    pub(crate) fn is_ticked(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// A field's number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

impl Entry {
    /// Gives the session another cookie.
    pub(crate) async fn rotate(&self, connecting: bool) -> Result<SessionCookie, Trouble> {
        let rotated = self.console.sessions.rotate(&self.cookie, connecting).await;
        rotated.map_err(Trouble::broken)?.ok_or(Trouble::NoSession)
    }

    /// What was done before this page.
    pub(crate) fn said(&self) -> Option<&str> {
        self.said.as_deref()
    }
}

impl Visit {
    /// The frame of a page.
    pub(crate) async fn frame(&self, here: &'static str) -> Result<Frame, Trouble> {
        Frame::of(self, here).await
    }

    /// True if the person has this role.
    pub(crate) fn has(&self, role: Role) -> bool {
        self.entry.session.visitor.roles.contains(&role)
    }
}

/// Whoever is logged in, as a form knows them.
pub(crate) trait LoggedIn {
    /// Who it is.
    fn entry(&self) -> &Entry;
}

impl LoggedIn for Entry {
    fn entry(&self) -> &Entry {
        self
    }
}

impl LoggedIn for Visit {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

impl LoggedIn for Operating {
    fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// The name of the session's cookie. Browsers take a name that begins with `__Host-` over TLS only:
/// on plain HTTP of this machine there is no TLS, and the name is another.
fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-crm-sync" } else { "crm-sync-console" }
}

/// Sets the session's cookie; none to take it away.
pub(crate) fn set_cookie(secure: bool, cookie: Option<&SessionCookie>) -> impl IntoResponseParts {
    let value = cookie.map(SessionCookie::expose);
    set(secure, cookie_name(secure), value.as_deref(), LONGEST.as_secs())
}

/// The name of the cookie of a login at an issuer, while it goes on.
fn login_cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-crm-sync-login" } else { "crm-sync-login" }
}

/// Sets the cookie of a login that goes on; none to take it away.
pub(crate) fn set_login_cookie(secure: bool, secret: Option<&str>) -> impl IntoResponseParts {
    set(secure, login_cookie_name(secure), secret, LOGIN_SECONDS)
}

/// Sets a cookie for so many seconds; without a value takes it away. `Lax`, since the browser comes
/// back from Salesforce and from an issuer.
fn set(
    secure: bool,
    name: &str,
    value: Option<&str>,
    seconds: i64,
) -> AppendHeaders<Option<(HeaderName, HeaderValue)>> {
    let (value, seconds) = value.map_or(("", 0), |value| (value, seconds));
    let flag = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{flag}");
    AppendHeaders(HeaderValue::try_from(text).ok().map(|value| (SET_COOKIE, value)))
}

/// The cookie of a login that goes on, if it came once.
pub(crate) fn login_cookie(headers: &HeaderMap, secure: bool) -> Option<String> {
    cookie_of(headers, login_cookie_name(secure))
}

/// A cookie's value, if it came once.
fn cookie_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let headers = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = headers.flat_map(|header| header.split(';')).filter_map(|p| p.split_once('='));
    let mut values = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
    let value = values.next()?;
    if values.next().is_some() { None } else { Some(value.to_owned()) }
}

/// A browser says where a form was: it is taken from our own pages only.
pub(crate) fn is_from_here(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
}

impl FromRequestParts<Console> for Entry {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Trouble> {
        let cookie = cookie_of(&parts.headers, cookie_name(console.secure));
        let cookie = cookie.and_then(|text| text.parse::<SessionCookie>().ok());
        let cookie = cookie.ok_or(Trouble::NoSession)?;
        let session = console.sessions.find(&cookie).await.map_err(Trouble::broken)?;
        let session = session.ok_or(Trouble::NoSession)?;
        let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let said = query.text("said").map(str::to_owned);
        Ok(Self { console: console.clone(), session, cookie, said })
    }
}

impl FromRequestParts<Console> for Visit {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Trouble> {
        let entry = Entry::from_request_parts(parts, console).await?;
        // Who runs the product looks at no customer's pages: for that the glass is broken.
        let visitor = entry.session.visitor.clone();
        let tenant = visitor.tenant.ok_or(Trouble::Operator)?;
        let place = Path::<AtEnvironment>::from_request_parts(parts, console).await;
        let Path(AtEnvironment { environment }) = place.map_err(|_| Trouble::NotFound)?;
        let ask = Ask::new(console.api.clone(), visitor).below(tenant);
        Ok(Self { entry, ask, environment })
    }
}

impl FromRequestParts<Console> for Operating {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Trouble> {
        let entry = Entry::from_request_parts(parts, console).await?;
        let visitor = entry.session.visitor.clone();
        if visitor.tenant.is_some() || !visitor.roles.contains(&Role::Service) {
            return Err(Trouble::NotFound);
        }
        Ok(Self { ask: Ask::new(console.api.clone(), visitor), entry })
    }
}

impl<V> FromRequest<Console> for Act<V>
where
    V: LoggedIn + FromRequestParts<Console, Rejection = Trouble> + Send,
{
    type Rejection = Trouble;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Trouble> {
        let (mut parts, body) = request.into_parts();
        let person = V::from_request_parts(&mut parts, console).await?;
        let from_here = is_from_here(&parts.headers);
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, console).await.map_err(|_| Trouble::Form)?;
        let fields = Fields::parse(&body);
        let token = person.entry().cookie.form_token();
        let is_of_session = fields.text(FORM_TOKEN).is_some_and(|given| same(given, &token));
        if from_here && is_of_session { Ok(Self(person, fields)) } else { Err(Trouble::Form) }
    }
}

/// Compares without telling by the time how much of it is right.
pub(crate) fn same(given: &str, token: &str) -> bool {
    blake3::hash(given.as_bytes()) == blake3::hash(token.as_bytes())
}
