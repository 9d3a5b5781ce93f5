//! The pages' routes, and what every answer bears.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{Redirect, Response};
use axum::routing::{get, post};

use crate::guard::Entry;
use crate::pages::{
    audit, connect, directory, doctor, duplicates, fields, filters, health, leave, matches, models,
    network, queues, record, review, rules, runs, saving, schedule, seats, start, tenants, wizard,
};
use crate::state::Console;
use crate::trouble::{self, Trouble};
use crate::{assets, login};

/// No form is longer.
const LARGEST_FORM: usize = 64 * 1024;

/// What a page may do: show our own style, script and images, send forms to us, be in no frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Every page, below `/console`.
pub fn router(console: Console) -> Router {
    let at = |path: &str| format!("/{{environment}}{path}");
    let pages = Router::new()
        .route("/", get(home))
        .route(assets::PATH, get(assets::serve))
        .route("/login", get(login::ask).post(login::open))
        .route("/login/openid", get(login::leave_for_issuer))
        .route("/login/callback", get(login::come_from_issuer))
        .route("/logout", post(login::close))
        .route("/operate", get(tenants::show))
        .route("/operate/directory", get(directory::show).post(directory::publish))
        .route("/operate/queues", get(queues::show))
        .route(&at(""), get(start::show))
        .route(&at("/wizard"), get(wizard::show).post(wizard::answer))
        .route(&at("/wizard/back"), post(wizard::back))
        .route(&at("/wizard/check"), post(wizard::check))
        .route(&at("/connect"), post(connect::begin))
        .route(&at("/health"), get(health::show))
        .route(&at("/runs"), get(runs::list).post(runs::start))
        .route(&at("/runs/{run}"), get(runs::show).post(runs::steer))
        .route(&at("/matches"), get(matches::show))
        .route(&at("/review"), get(review::show))
        .route(&at("/duplicates"), get(duplicates::show))
        .route(&at("/models"), get(models::show).post(models::change))
        .route(&at("/rules"), get(rules::show).post(rules::change))
        .route(&at("/record"), get(record::find))
        .route(&at("/records/{object}/{record}"), get(record::show).post(record::correct))
        .route(&at("/fields"), get(fields::show).post(fields::change))
        .route(&at("/fields/preview"), post(fields::preview))
        .route(&at("/filters"), get(filters::show).post(filters::change))
        .route(&at("/schedule"), get(schedule::show).post(schedule::change))
        .route(&at("/saving"), get(saving::show).post(saving::change))
        .route(&at("/seats"), get(seats::show).post(seats::choose))
        .route(&at("/audit"), get(audit::show))
        .route(&at("/doctor"), get(doctor::show))
        .route(&at("/network"), get(network::show))
        .route(&at("/leave"), get(leave::ask).post(leave::disconnect))
        .route(&at("/purges/{purge}"), get(leave::show))
        .fallback(async || Trouble::NotFound)
        .method_not_allowed_fallback(async || Trouble::NotFound)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(middleware::from_fn(dress))
        .with_state(console);
    // Whoever writes the address by hand may end it so.
    let with_slash = get(async || Redirect::permanent("/console"));
    Router::new().route("/console/", with_slash).nest("/console", pages)
}

/// Where somebody begins: at their org's pages, or at those for who runs the product.
async fn home(entry: Entry) -> Redirect {
    let runs_it = entry.session.visitor.tenant.is_none();
    Redirect::to(if runs_it { "/console/operate" } else { "/console/production" })
}

/// Gives an answer its page where it has none yet, and its headers.
async fn dress(request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let mut response = trouble::page(next.run(request).await, &headers);
    let given = response.headers_mut();
    // Pages hold what an org says of people: no cache may keep one.
    given.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let always: [(HeaderName, &str); 6] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
    ];
    for (name, value) in always {
        given.insert(name, HeaderValue::from_static(value));
    }
    response
}
