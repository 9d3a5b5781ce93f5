//! The routes of `/v1`, and their description, which comes from the same list.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;

use crate::problem::Problem;
use crate::state::Api;
use crate::{admin, openapi, operator, security_txt, seller};

/// No request body is larger; directory parts go to the object store.
const LARGEST_BODY: usize = 256 * 1024;

/// Every route, by audience, with its description.
pub(crate) fn described() -> OpenApiRouter<Api> {
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

/// All routes over these capabilities.
pub fn router(api: Api) -> Router {
    let document = async || ([(CONTENT_TYPE, "application/yaml")], openapi::SERVED);
    let (router, _) = described().split_for_parts();
    router
        .route(openapi::PATH, get(document))
        .route(openapi::SECURITY_TXT, get(security_txt::show))
        .fallback(async || Problem::not_found("resource"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(api)
}
