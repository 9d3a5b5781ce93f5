//! The routes for sellers, by their own token or through the product: their authorization, what was
//! saved for them, badges, matches and corrections, what they do and what they want changed.

mod activities;
mod asking;
mod authorizations;
mod badges;
mod bulks;
mod changes;
mod contact_data;
mod corrections;
mod crm_filter;
mod entities;
mod left;
mod lists;
mod logging;
mod matches;
mod opportunities;
mod pending;
mod preflight;
mod retroactive;
mod saved;
mod teams;
mod worklist;

pub(crate) use self::activities::KindOfEntity;
pub(crate) use self::saved::{SavedList, SavingRule};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::Api;

/// Routes below a tenant's connection.
pub(crate) fn of_connection() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(authorizations::begin))
        .routes(routes!(authorizations::show, authorizations::end))
        .routes(routes!(saved::list))
        .routes(routes!(badges::show))
        .routes(routes!(crm_filter::list))
        .routes(routes!(opportunities::list))
        .routes(routes!(left::list))
        .routes(routes!(lists::list, lists::make))
        .routes(routes!(lists::show, lists::change, lists::remove))
        .routes(routes!(lists::entries, lists::add))
        .routes(routes!(lists::take_out))
        .routes(routes!(teams::list))
        .routes(routes!(matches::show))
        .routes(routes!(corrections::show, corrections::say))
        .routes(routes!(entities::show))
        .routes(routes!(activities::post))
        .routes(routes!(activities::show))
        .routes(routes!(retroactive::log))
        .routes(routes!(pending::list))
        .routes(routes!(pending::errors))
        .routes(routes!(pending::retry_all))
        .routes(routes!(pending::retry))
        .routes(routes!(pending::withdraw))
        .routes(routes!(logging::show, logging::choose))
        .routes(routes!(saved::rules, saved::choose))
        .routes(routes!(logging::conversation, logging::switch_conversation))
        .routes(routes!(changes::post, changes::list))
        .routes(routes!(changes::show, changes::withdraw))
        .routes(routes!(changes::undo))
        .routes(routes!(bulks::post))
        .routes(routes!(bulks::show))
        .routes(routes!(bulks::undo))
        .routes(routes!(worklist::list))
}

/// Routes below a tenant's connection that ask Salesforce as the seller.
pub(crate) fn asked_of_org() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(asking::form))
        .routes(routes!(asking::accounts))
        .routes(routes!(asking::record))
        .routes(routes!(asking::records))
        .routes(routes!(asking::test_note))
        .routes(routes!(contact_data::show))
        .routes(routes!(preflight::show))
}
