//! The routes for a tenant's admin: the connection, its imports, its matches.

mod account_model;
mod audit;
mod author;
mod connections;
mod corrections;
mod crm_users;
mod crm_votes;
mod doctor;
mod dry_runs;
mod exports;
mod field_mappings;
mod import_settings;
mod mapping_previews;
mod match_report;
mod match_rules;
mod match_runs;
mod matches;
mod models;
mod network_access;
mod org_fields;
mod org_users;
mod permissions;
mod purges;
mod record_filters;
mod runs;
mod saving;
mod seat_switches;
mod seats;
mod selection;
mod settings;
mod settings_files;
mod sides;
mod tenants;
mod wizard;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::connections::{AuthorizeUrl, ConnectionState, ReconnectReason};
pub(crate) use self::crm_users::CrmUserStatus;
pub(crate) use self::matches::{Employer, Match, MatchSource};
pub(crate) use self::seats::Seat;
pub(crate) use self::tenants::Tenant;
use crate::state::Api;

/// Routes outside any tenant.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(network_access::show))
}

/// Routes below a tenant.
pub(crate) fn of_tenant() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(tenants::show))
        .routes(routes!(seats::list))
        .routes(routes!(seats::change))
        .routes(routes!(seats::remove_many))
        .routes(routes!(crm_votes::list, crm_votes::vote))
        .routes(routes!(purges::show))
        .routes(routes!(audit::list))
}

/// Routes below a tenant's connection.
pub(crate) fn of_connection() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(connections::show, connections::disconnect))
        .routes(routes!(connections::authorize))
        .routes(routes!(settings::show, settings::change))
        .routes(routes!(settings::history))
        .routes(routes!(settings_files::export))
        .routes(routes!(settings_files::diff))
        .routes(routes!(settings_files::import))
        .routes(routes!(seat_switches::switch))
        .routes(routes!(dry_runs::ask, dry_runs::show))
        .routes(routes!(saving::lists))
        .routes(routes!(saving::undo, saving::undone))
        .routes(routes!(crm_users::list))
        .routes(routes!(org_users::list))
        .routes(routes!(org_users::roles))
        .routes(routes!(org_users::assign))
        .routes(routes!(crm_users::show, crm_users::choose, crm_users::forget))
        .routes(routes!(wizard::show, wizard::answer))
        .routes(routes!(wizard::back))
        .routes(routes!(permissions::show))
        .routes(routes!(permissions::check))
        .routes(routes!(doctor::show))
        .routes(routes!(runs::list, runs::start))
        .routes(routes!(runs::show))
        .routes(routes!(runs::steer))
        .routes(routes!(import_settings::show, import_settings::change))
        .routes(routes!(org_fields::list))
        .routes(routes!(org_fields::stages))
        .routes(routes!(field_mappings::list, field_mappings::change))
        .routes(routes!(field_mappings::copy))
        .routes(routes!(mapping_previews::show, mapping_previews::ask))
        .routes(routes!(record_filters::list, record_filters::change))
        .routes(routes!(account_model::show, account_model::change))
        .routes(routes!(match_rules::show, match_rules::change))
        .routes(routes!(match_rules::preview, match_rules::previewed))
        .routes(routes!(match_runs::list, match_runs::start))
        .routes(routes!(match_runs::show))
        .routes(routes!(matches::list))
        .routes(routes!(sides::show))
        .routes(routes!(matches::summarize))
        .routes(routes!(match_report::show))
        .routes(routes!(exports::ask))
        .routes(routes!(exports::show))
        .routes(routes!(corrections::import))
        .routes(routes!(models::list, models::tune))
        .routes(routes!(models::show))
        .routes(routes!(models::in_use, models::choose))
}
