//! The routes of `/v1`, and their description, which comes from the same list.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;

use crate::callers::answered_once;
use crate::extract::LARGEST_BODY;
use crate::problem::Problem;
use crate::state::Api;
use crate::{admin, openapi, operator, security_txt, seller};

/// The place of a tenant's connection in paths.
const OF_CONNECTION: &str = "/v1/tenants/{tenant}/connections/{environment}";

/// No path is longer, in bytes as they are sent: the longest id in one has 512 bytes, each of which
/// may be written as three.
const LONGEST_PATH: usize = 2048;

/// No query is longer: the longest cursor has not a thousand characters.
const LONGEST_QUERY: usize = 1200;

/// Every route with its description: those of the API, and those that ask Salesforce as a seller.
pub(crate) fn described() -> OpenApiRouter<Api> {
    let asked = OpenApiRouter::default().nest(OF_CONNECTION, seller::asked_of_org());
    let mut routes = of_api().merge(asked);
    openapi::add_idempotency_keys(routes.get_openapi_mut());
    routes
}

/// The routes of the API, by audience.
fn of_api() -> OpenApiRouter<Api> {
    let connection =
        admin::of_connection().merge(seller::of_connection()).merge(operator::of_connection());
    let tenant = admin::of_tenant()
        .merge(operator::of_tenant())
        .nest("/connections/{environment}", connection);
    OpenApiRouter::with_openapi(openapi::base())
        .merge(operator::routes())
        .merge(admin::routes())
        .nest("/v1/tenants/{tenant}", tenant)
}

/// All routes over these capabilities, for one process that serves both kinds.
pub fn router(api: Api) -> Router {
    served(documents(described()), api)
}

/// The routes that ask no org.
pub fn api_router(api: Api) -> Router {
    served(documents(of_api()), api)
}

/// The routes that ask Salesforce as a seller.
pub fn ask_router(api: Api) -> Router {
    let asked = OpenApiRouter::default().nest(OF_CONNECTION, seller::asked_of_org());
    served(asked.split_for_parts().0, api)
}

/// The routes, and the documents about them.
fn documents(routes: OpenApiRouter<Api>) -> Router<Api> {
    let document = async || ([(CONTENT_TYPE, "application/yaml")], openapi::SERVED);
    let described = routes.split_for_parts().0;
    described
        .route(openapi::PATH, get(document))
        .route(openapi::SECURITY_TXT, get(security_txt::show))
}

/// The frame that every answer has.
fn served(router: Router<Api>, api: Api) -> Router {
    router
        // Only around what there is: what a path or a method is not goes before a key.
        .route_layer(middleware::from_fn_with_state(api.clone(), answered_once))
        .fallback(async || Problem::not_found("resource"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(bounded))
        .layer(middleware::map_response(kept_by_nobody))
        .with_state(api)
}

/// Answers hold what belongs to a customer: nothing between us and the caller keeps one, and no
/// browser takes one for another kind of document than it is.
async fn kept_by_nobody(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Refuses what no id and no cursor is long enough for, before anything looks at it: a key of the
/// table has room for 1,024 bytes.
async fn bounded(request: Request, next: Next) -> Result<Response, Problem> {
    let uri = request.uri();
    if uri.path().len() > LONGEST_PATH {
        return Err(Problem::not_found("resource"));
    }
    if uri.query().is_some_and(|query| query.len() > LONGEST_QUERY) {
        return Err(Problem::unreadable(StatusCode::BAD_REQUEST, "the query is too long"));
    }
    Ok(next.run(request).await)
}
