//! Whether a seller can do in the CRM what the product does as them.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::asking::{self, Lack, Need};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use super::asking::no_answer;
use crate::callers::{AtSeat, OwnSeat};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// What the product does in the CRM as a seller.
    SellerAction of asking::SellerAction {
        LogActivities LogNotes CreateLeads CreateContacts CreateAccounts UpdateLeads UpdateContacts
        UpdateAccounts
    }

    /// What an object must let a seller do with its rows.
    CrmRight of asking::Right { Create Edit }
}

/// What a look at a seller's rights in the CRM found.
#[derive(Serialize, ToSchema)]
pub(crate) struct Preflight {
    /// Everything that the admin has turned on can be done.
    ready: bool,
    /// The CRM user whom the seller authorized the product as.
    #[schema(value_type = wire::SalesforceId)]
    user_id: SalesforceId,
    checked_at: Timestamp,
    /// One for each object that something which is turned on needs.
    checks: Vec<PreflightCheck>,
}

/// What one action needs of one object.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreflightCheck {
    #[schema(value_type = SellerAction)]
    action: asking::SellerAction,
    /// The object's API name.
    object: &'static str,
    #[schema(value_type = CrmRight)]
    right: asking::Right,
    ok: bool,
    /// The fields that the seller may not write.
    missing_fields: Vec<&'static str>,
    /// What is lacking, and who gives it; null where nothing is.
    #[schema(required = true)]
    what_to_do: Option<String>,
}

impl From<(Need, Option<Lack>)> for PreflightCheck {
    fn from((need, lack): (Need, Option<Lack>)) -> Self {
        let what_to_do = lack.as_ref().map(|lack| what_to_do(&need, lack));
        let missing_fields = match lack {
            Some(Lack::Fields(fields)) => fields,
            Some(Lack::Object | Lack::Right) | None => Vec::new(),
        };
        let Need { action, object, right, fields: _ } = need;
        Self { action, object, right, ok: what_to_do.is_none(), missing_fields, what_to_do }
    }
}

/// What the CRM's admin is to do, in Setup's own words.
fn what_to_do(need: &Need, lack: &Lack) -> String {
    let object = need.object;
    let right = match need.right {
        asking::Right::Create => "Create",
        asking::Right::Edit => "Edit",
    };
    match lack {
        Lack::Object => format!(
            "You do not see {object} in the CRM. Its admin turns it on in the org, or gives your \
             profile Read and {right} on it under Setup > Profiles > Object Settings."
        ),
        Lack::Right => format!(
            "You may not do this with {object}. The CRM's admin gives your profile {right} on it \
             under Setup > Profiles > Object Settings."
        ),
        Lack::Fields(fields) => format!(
            "You may not edit {} of {object}. The CRM's admin gives your profile Edit Access to \
             these fields under Setup > Object Manager > {object} > Fields & Relationships > Set \
             Field-Level Security.",
            fields.join(", ")
        ),
    }
}

/// Look at whether the seller can do in the CRM what the admin has turned on; nothing is written
#[utoipa::path(get, path = "/seats/{seat}/crm/preflight", tag = "activities",
    operation_id = "preflightSeat",
    params(AtSeat), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    responses((status = 200, description = "What was found", body = Preflight), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
) -> Result<Json<Preflight>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let found = api.asking.preflight(at, seat).await;
    let found = found.map_err(|error| no_answer(&api, at, seat, error))?;
    let checks: Vec<_> = found.checks.into_iter().map(PreflightCheck::from).collect();
    let ready = checks.iter().all(|check| check.ok);
    Ok(Json(Preflight { ready, user_id: found.user, checked_at: found.checked_at, checks }))
}
