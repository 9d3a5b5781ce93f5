//! The routes of `/v1`.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::problem::Problem;
use crate::routes::{
    activities, connections, corrections, directory, matches, models, runs, tenants,
};
use crate::state::Api;

/// No request body is larger; directory parts go to the object store.
const LARGEST_BODY: usize = 256 * 1024;

/// All routes over these use cases.
pub(crate) fn router(api: Api) -> Router {
    let connection = Router::new()
        .route("/", get(connections::show).delete(connections::disconnect))
        .route("/authorize", post(connections::authorize))
        .route("/seats/{seat}/authorize", post(connections::authorize_seat))
        .route("/settings", get(connections::settings).put(connections::change_settings))
        .route("/runs", get(runs::list).post(runs::start))
        .route("/runs/{run}", get(runs::show))
        .route("/runs/{run}/{steer}", post(runs::steer))
        .route("/import-settings", get(runs::settings).put(runs::change_settings))
        .route("/match-runs", get(runs::list_match_runs).post(runs::rematch))
        .route("/match-runs/{run}", get(runs::show_match_run))
        .route("/matches", get(matches::list))
        .route("/matches/summary", get(matches::summary))
        .route("/matches/{object}/{record}", get(matches::show))
        .route(
            "/matches/{object}/{record}/corrections",
            get(corrections::show).post(corrections::say),
        )
        .route("/entities/{object}/{entity}", get(corrections::bidders))
        .route("/corrections", post(corrections::import))
        .route("/models", get(models::list).post(models::tune))
        .route("/models/{model}", get(models::show))
        .route("/model", get(models::chosen).put(models::choose))
        .route("/seats/{seat}/saved", get(matches::saved))
        .route("/activities", post(activities::post))
        .route("/activities/{activity}", get(activities::show));
    let tenant = Router::new()
        .route("/", get(tenants::show))
        .route("/seats", get(tenants::seats).post(tenants::add_seat))
        .route("/purges/{purge}", get(connections::purge))
        .nest("/connections/{environment}", connection);
    Router::new()
        .route("/v1/tenants", post(tenants::create))
        .nest("/v1/tenants/{tenant}", tenant)
        .route("/v1/directory/versions", post(directory::begin))
        .route("/v1/directory/versions/{version}", get(directory::show))
        .route("/v1/directory/versions/{version}/publish", post(directory::publish))
        .fallback(async || Problem::not_found("resource"))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(api)
}
