//! The routes of `/v1`.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{MethodRouter, get, post};

use crate::problem::Problem;
use crate::routes::{
    activities, connections, corrections, directory, matches, models, runs, selections, setup,
    tenants, votes,
};
use crate::state::Api;

/// No request body is larger; directory parts go to the object store.
const LARGEST_BODY: usize = 256 * 1024;

/// The description of the API, for its callers. A test holds it to the routes.
pub(crate) const OPENAPI: &str = include_str!("../../../docs/openapi.yaml");

/// Routes that know their own paths, so that the description can be held to them.
struct Routes {
    router: Router<Api>,
    paths: Vec<String>,
}

impl Routes {
    fn new() -> Self {
        Self { router: Router::new(), paths: Vec::new() }
    }

    fn route(mut self, path: &str, methods: MethodRouter<Api>) -> Self {
        self.paths.push(path.to_owned());
        self.router = self.router.route(path, methods);
        self
    }

    fn nest(mut self, prefix: &str, inner: Self) -> Self {
        let path = |path: &String| format!("{prefix}{}", path.trim_end_matches('/'));
        self.paths.extend(inner.paths.iter().map(path));
        self.router = self.router.nest(prefix, inner.router);
        self
    }
}

fn routes() -> Routes {
    let connection = Routes::new()
        .route("/", get(connections::show).delete(connections::disconnect))
        .route("/authorize", post(connections::authorize))
        .route("/seats/{seat}/authorize", post(connections::authorize_seat))
        .route("/seats/{seat}/authorization", get(setup::seat_authorization))
        .route("/wizard", get(setup::wizard).put(setup::answer_wizard))
        .route("/wizard/back", post(setup::wizard_back))
        .route("/permissions", get(setup::permissions))
        .route("/permissions/check", post(setup::check_permissions))
        .route("/doctor", get(setup::doctor))
        .route("/settings", get(connections::settings).put(connections::change_settings))
        .route("/runs", get(runs::list).post(runs::start))
        .route("/runs/{run}", get(runs::show))
        .route("/runs/{run}/{steer}", post(runs::steer))
        .route("/import-settings", get(runs::settings).put(runs::change_settings))
        .route("/org-fields/{object}", get(selections::org_fields))
        .route("/field-mappings", get(selections::mappings).put(selections::map))
        .route("/field-mappings/copy", post(selections::copy))
        .route("/field-mappings/preview", get(selections::previewed).post(selections::preview))
        .route("/record-filters", get(selections::filters).put(selections::filter))
        .route("/account-model", get(selections::account_model).put(selections::set_account_model))
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
    let tenant = Routes::new()
        .route("/", get(tenants::show))
        .route("/seats", get(tenants::seats).post(tenants::add_seat))
        .route("/crm-votes", get(votes::list).post(votes::vote))
        .route("/purges/{purge}", get(connections::purge))
        .nest("/connections/{environment}", connection);
    Routes::new()
        .route("/v1/tenants", post(tenants::create))
        .nest("/v1/tenants/{tenant}", tenant)
        .route("/v1/directory/versions", post(directory::begin))
        .route("/v1/directory/versions/{version}", get(directory::show))
        .route("/v1/directory/versions/{version}/publish", post(directory::publish))
        .route("/v1/network-access", get(setup::network_access))
        .route("/openapi.yaml", get(async || ([(CONTENT_TYPE, "application/yaml")], OPENAPI)))
}

/// All routes over these use cases.
pub(crate) fn router(api: Api) -> Router {
    routes()
        .router
        .fallback(async || Problem::not_found("resource"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(api)
}

/// The path of every route.
#[cfg(test)]
pub(crate) fn paths() -> Vec<String> {
    routes().paths
}
