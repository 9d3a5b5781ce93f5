//! The authorize endpoint: login page, consent page, and the way back to the app.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use url::Url;

use super::pages;
use crate::call::{Call, Form};
use crate::grants::{App, AppPolicy, AuthorizeRequest, Code, OAuth, Ticket};
use crate::ids::RecordId;
use crate::org::Org;
use crate::reply::{html, redirect};
use crate::sync::{lock, read};
use crate::world::World;

/// How long a code may wait for its exchange.
const CODE_LIFE_MS: i64 = 15 * 60_000;
/// How long a person may look at the consent page.
const TICKET_LIFE_MS: i64 = 30 * 60_000;

/// Why a request is refused.
enum Refused {
    /// Shown to the person; the app never hears of it.
    Page(&'static str, String),
    /// Sent back to the app.
    Back(String),
}

impl Refused {
    fn into_response(self) -> Response<Body> {
        match self {
            Self::Page(error, description) => error_page(error, &description),
            Self::Back(to) => redirect(&to),
        }
    }
}

/// The page that Salesforce shows when it cannot send the person back to the app.
fn error_page(error: &str, description: &str) -> Response<Body> {
    html(StatusCode::BAD_REQUEST, pages::error(error, description))
}

/// `GET /services/oauth2/authorize`: the login page.
pub(super) fn start(call: &Call) -> Response<Body> {
    let form = call.form();
    let checked = check(&lock(&call.world.oauth), &form);
    match checked {
        Ok((app, _)) => {
            let hint = form.get("login_hint");
            let page = pages::login(&app.name, &call.query, hint, None, &usernames(call));
            html(StatusCode::OK, page)
        }
        Err(refused) => refused.into_response(),
    }
}

/// `POST /services/oauth2/authorize`: the login form comes back.
pub(super) fn login(call: &Call) -> Response<Body> {
    let form = call.form();
    let checked = check(&lock(&call.world.oauth), &form);
    let (app, request) = match checked {
        Ok(checked) => checked,
        Err(refused) => return refused.into_response(),
    };
    let asked = parameters(&form);
    let retry = |problem: &str| {
        let username = form.get("username");
        let page = pages::login(&app.name, &asked, username, Some(problem), &usernames(call));
        html(StatusCode::OK, page)
    };
    let (Some(username), Some(_)) = (form.get("username"), form.get("password")) else {
        return retry("Enter a username and a password.");
    };
    let Some((org, user)) = find_user(call, username) else {
        return retry(
            "Please check your username and password. If you still can't log in, contact your \
             Salesforce administrator.",
        );
    };
    match admit(call, &org, user, &app) {
        Ok(()) => {}
        Err(problem @ (_, true)) => return retry(&problem.0),
        Err((description, false)) => return error_page("invalid_client", &description),
    }
    let ticket = call.world.random.token(40);
    let now = call.world.clock.now();
    let (person, org_name) = {
        let data = read(&org.data);
        (data.text(user, "Name"), data.name.clone())
    };
    let page = pages::consent(&app.name, &person, &org_name, &request.scope, &ticket);
    let waiting = Ticket { request, org: org.id, user, expires: now + TICKET_LIFE_MS };
    lock(&call.world.oauth).tickets.insert(ticket, waiting);
    html(StatusCode::OK, page)
}

/// `POST /services/oauth2/approve`: the consent form comes back.
pub(super) fn decide(call: &Call) -> Response<Body> {
    let form = call.form();
    let mut oauth = lock(&call.world.oauth);
    let now = call.world.clock.now();
    let ticket = form
        .get("ticket")
        .and_then(|ticket| oauth.tickets.remove(ticket))
        .filter(|ticket| ticket.expires > now);
    let Some(ticket) = ticket else {
        return error_page("invalid_request", "this page has expired; start again from the app");
    };
    let request = ticket.request;
    if form.get("decision") != Some("approve") {
        let to = back(
            &request,
            &[("error", "access_denied"), ("error_description", "end-user denied authorization")],
        );
        return redirect(&to);
    }
    let to = issue_code(&mut oauth, &call.world, request, ticket.org, ticket.user);
    redirect(&to)
}

fn issue_code(
    oauth: &mut OAuth,
    world: &World,
    request: AuthorizeRequest,
    org: RecordId,
    user: RecordId,
) -> String {
    let code = format!("aPrx{}", world.random.token(70));
    let to = back(&request, &[("code", &code)]);
    let expires = world.clock.now() + CODE_LIFE_MS;
    oauth.codes.insert(code, Code { request, org, user, expires, used: false });
    to
}

/// Logs in and consents without pages; gives the address to which the browser would be sent.
pub(crate) fn approve_directly(
    world: &World,
    authorize_url: &str,
    username: &str,
) -> Result<String, String> {
    let url = Url::parse(authorize_url).map_err(|error| error.to_string())?;
    let form = Form::from_pairs(url.query_pairs().into_owned().collect());
    let mut oauth = lock(&world.oauth);
    let request = match check(&oauth, &form) {
        Ok((_, request)) => request,
        Err(Refused::Back(to)) => return Ok(to),
        Err(Refused::Page(error, description)) => return Err(format!("{error}: {description}")),
    };
    let found = world.orgs().into_iter().find_map(|org| {
        let user = read(&org.data).user_named(username)?;
        Some((org.id, user))
    });
    let (org, user) = found.ok_or_else(|| format!("no user `{username}`"))?;
    Ok(issue_code(&mut oauth, world, request, org, user))
}

impl Form {
    fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }
}

/// The parameters that the login form carries along.
fn parameters(form: &Form) -> Vec<(String, String)> {
    [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "nonce",
        "display",
    ]
    .into_iter()
    .filter_map(|name| form.get(name).map(|value| (name.to_owned(), value.to_owned())))
    .collect()
}

fn check(oauth: &OAuth, form: &Form) -> Result<(Arc<App>, AuthorizeRequest), Refused> {
    let page = |error, description: &str| Refused::Page(error, description.to_owned());
    let app = form
        .get("client_id")
        .and_then(|id| oauth.app(id))
        .ok_or_else(|| page("invalid_client_id", "client identifier invalid"))?;
    let redirect_uri = form
        .get("redirect_uri")
        .ok_or_else(|| page("redirect_uri_missing", "redirect_uri missing"))?;
    let loopback = app.allow_loopback && is_loopback(redirect_uri);
    if !loopback && !app.redirect_uris.iter().any(|own| own == redirect_uri) {
        return Err(page("redirect_uri_mismatch", "redirect_uri must match configuration"));
    }
    let request = AuthorizeRequest {
        client_id: app.client_id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        scope: form.get("scope").unwrap_or("api id").to_owned(),
        state: form.get("state").map(str::to_owned),
        challenge: form.get("code_challenge").map(str::to_owned),
    };
    let refused = |error: &str, description: &str| {
        Refused::Back(back(&request, &[("error", error), ("error_description", description)]))
    };
    if form.get("response_type") != Some("code") {
        return Err(refused("unsupported_response_type", "response type not supported"));
    }
    if request
        .scope
        .split_whitespace()
        .any(|scope| !app.policy.scopes.iter().any(|own| own == scope))
    {
        return Err(refused("invalid_scope", "the requested scope is not allowed"));
    }
    if app.policy.require_pkce && request.challenge.is_none() {
        return Err(refused("invalid_request", "missing required code challenge"));
    }
    // jsforce and the sf CLI leave the method out; it is S256 then.
    if form.get("code_challenge_method").is_some_and(|method| method != "S256") {
        return Err(refused("invalid_request", "invalid code challenge method"));
    }
    Ok((app, request))
}

fn is_loopback(uri: &str) -> bool {
    Url::parse(uri)
        .is_ok_and(|url| matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")))
}

/// The app's callback with parameters and the state.
fn back(request: &AuthorizeRequest, parameters: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse(&request.redirect_uri) else {
        return request.redirect_uri.clone();
    };
    let mut query = url.query_pairs_mut();
    query.extend_pairs(parameters);
    if let Some(state) = &request.state {
        query.append_pair("state", state);
    }
    drop(query);
    url.into()
}

/// Some users that the page offers, so that a person need not look for one.
fn usernames(call: &Call) -> Vec<String> {
    const OFFERED: usize = 50;
    let mut all = Vec::new();
    for org in call.host.served(call.world.orgs()) {
        let data = read(&org.data);
        let Some(table) = data.table("User") else { continue };
        let active =
            table.iter().map(|(id, _)| id).filter(|id| data.value(*id, "IsActive").is_true());
        all.extend(active.take(OFFERED - all.len()).map(|id| data.text(id, "Username")));
    }
    all
}

pub(super) fn find_user(call: &Call, username: &str) -> Option<(Arc<Org>, RecordId)> {
    call.host.served(call.world.orgs()).into_iter().find_map(|org| {
        let user = read(&org.data).user_named(username)?;
        Some((org, user))
    })
}

/// Checks that this user may use this app in this org.
/// The flag is true if the person may try another login.
fn admit(call: &Call, org: &Org, user: RecordId, app: &App) -> Result<(), (String, bool)> {
    // Locks are taken in one order everywhere: OAuth's before an org's.
    let policy = lock(&call.world.oauth).policy(&org.label, app);
    let data = read(&org.data);
    let settings = &data.settings;
    if settings.my_domain_login_only && call.host.is_generic() {
        let problem =
            format!("Your administrator has required you to log in at https://{}.", org.host());
        return Err((problem, true));
    }
    if !data.value(user, "IsActive").is_true() || data.value(user, "IsFrozen__sim").is_true() {
        return Err((
            "Your access has been disabled by your system administrator.".to_owned(),
            true,
        ));
    }
    if settings.block_uninstalled_apps && !settings.installed_apps.contains(&app.client_id) {
        return Err(("app must be installed into org".to_owned(), false));
    }
    if settings.api_access_control && !settings.installed_apps.contains(&app.client_id) {
        return Err(("this app is blocked by admin".to_owned(), false));
    }
    let username = data.text(user, "Username");
    if policy.admin_approval_only && !policy.approved_usernames.contains(&username) {
        return Err(("user is not admin approved to access this app".to_owned(), false));
    }
    if !AppPolicy::admits(policy.ip_ranges.as_deref(), &call.ip.to_string()) {
        return Err(("ip restricted".to_owned(), false));
    }
    Ok(())
}
