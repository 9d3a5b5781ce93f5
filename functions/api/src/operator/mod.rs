//! The routes for the product's own back end: tenants, seats, the directory.

mod directory;
mod seats;
mod tenants;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::Api;

/// Routes outside any tenant.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(tenants::create))
        .routes(routes!(directory::begin))
        .routes(routes!(directory::current))
        .routes(routes!(directory::show))
        .routes(routes!(directory::publish))
}

/// Routes below a tenant.
pub(crate) fn of_tenant() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(seats::add))
}
