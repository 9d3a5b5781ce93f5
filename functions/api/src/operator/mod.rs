//! The routes for the product's own back end: tenants and their moves, seats, the directory, links
//! to the console, the queues; and for who runs the product: breaking the glass.

mod break_glass;
mod console_links;
mod directory;
mod moving;
mod queues;
mod seats;
mod tenants;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::Api;

/// No batch of an import is larger: a function's request holds 6 MB.
const LARGEST_BATCH: usize = 4 << 20;

/// Routes outside any tenant.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(console_links::create))
        .routes(routes!(queues::list))
        .routes(routes!(directory::list, directory::begin))
        .routes(routes!(directory::current))
        .routes(routes!(directory::show))
        .routes(routes!(directory::publish))
}

/// Routes below a tenant's connection.
pub(crate) fn of_connection() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(break_glass::smash)).routes(routes!(break_glass::look))
}

/// Routes below a tenant.
pub(crate) fn of_tenant() -> OpenApiRouter<Api> {
    // A line may hold an activity's text, and a batch many lines.
    let import = OpenApiRouter::default()
        .routes(routes!(moving::import))
        .layer(DefaultBodyLimit::max(LARGEST_BATCH));
    OpenApiRouter::default()
        .routes(routes!(tenants::change, tenants::remove))
        .routes(routes!(seats::add))
        .routes(routes!(seats::remove))
        .routes(routes!(moving::hand_over, moving::take_back))
        .routes(routes!(moving::export))
        .merge(import)
}
