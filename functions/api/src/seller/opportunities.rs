//! The panel of an account's opportunities.

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use serde::Serialize;
use shared::capabilities::custody::OpenGeneration;
use shared::capabilities::opportunities;
use shared::capabilities::seats;
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use crate::admin::CrmUserStatus;
use crate::callers::{AtSeatRecord, OwnSeat};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// Whether an opportunity is decided, and how.
    OpportunityStatus of opportunities::OpportunityStatus { Open Won Lost }
}

/// The opportunities of an account that the seat may see: open ones by their closing dates, then
/// those closed within the past year, the latest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpportunityPanel {
    items: Vec<Opportunity>,
    /// The account has more than were looked at.
    more: bool,
    /// Restricted data mode is on: opportunities are shown to their owners alone.
    restricted: bool,
    /// Which CRM user the seat is. Without one nothing is shown.
    #[schema(value_type = CrmUserStatus)]
    crm_user: seats::CrmUserStatus,
}

/// An opportunity, as the last import read it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Opportunity {
    #[schema(value_type = wire::SalesforceId)]
    opportunity_id: SalesforceId,
    /// Where a browser opens it. The CRM refuses who may not see it.
    #[schema(format = "uri")]
    record_url: String,
    #[schema(required = true)]
    name: Option<String>,
    #[schema(required = true)]
    owner: Option<OpportunityOwner>,
    #[schema(value_type = Option<String>, format = "date", required = true)]
    close_date: Option<Date>,
    #[schema(value_type = OpportunityStatus)]
    status: opportunities::OpportunityStatus,
    /// The API name of the stage.
    #[schema(required = true)]
    stage: Option<String>,
    /// A decimal number as a text, as it stands in the org.
    #[schema(required = true, pattern = "^-?[0-9]+(\\.[0-9]+)?$")]
    amount: Option<String>,
    /// The ISO code of the amount's currency; null in an org with one currency.
    #[schema(required = true)]
    currency: Option<String>,
}

/// The CRM user who owns an opportunity.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpportunityOwner {
    #[schema(value_type = wire::SalesforceId)]
    user_id: SalesforceId,
    #[schema(required = true)]
    name: Option<String>,
}

impl Opportunity {
    fn of(
        opened: &OpenGeneration,
        (deal, owner_name): (opportunities::Opportunity, Option<String>),
    ) -> Self {
        Self {
            opportunity_id: deal.id,
            record_url: opened.connection.record_url(deal.id),
            name: deal.name,
            owner: deal.owner.map(|user_id| OpportunityOwner { user_id, name: owner_name }),
            close_date: deal.close_date,
            status: deal.status,
            stage: deal.stage,
            amount: deal.amount.map(|amount| amount.to_string()),
            currency: deal.currency,
        }
    }
}

/// The columns of an account in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountColumns {
    /// The account that the company is matched to; null if to none.
    #[schema(value_type = Option<wire::SalesforceId>, required = true)]
    account_id: Option<SalesforceId>,
    /// Where a browser opens the account.
    #[schema(format = "uri", required = true)]
    record_url: Option<String>,
    /// Open ones by their closing dates, then those closed within the past year; at most 5. Those
    /// that the seat or somebody who works on the list owns; with restricted data mode the seat's
    /// own alone.
    opportunities: Vec<Opportunity>,
    /// There are more.
    more: bool,
}

impl AccountColumns {
    pub(super) fn of(opened: &OpenGeneration, row: opportunities::AccountRow) -> Self {
        let opportunities = row.opportunities.into_iter();
        Self {
            account_id: row.account,
            record_url: row.account.map(|account| opened.connection.record_url(account)),
            opportunities: opportunities.map(|deal| Opportunity::of(opened, deal)).collect(),
            more: row.more,
        }
    }
}

/// The opportunities of an account that are open or were closed in the past year
///
/// Within the seat's access as far as the import tells it: its own, those of users in roles below,
/// and those of accounts in whose team it is with a look at opportunities. With restricted data
/// mode its own alone.
#[utoipa::path(get, path = "/seats/{seat}/accounts/{record}/opportunities", tag = "matches",
    operation_id = "listAccountOpportunities",
    params(AtSeatRecord), extensions(("x-roles" = json!(OwnSeat::<AtSeatRecord>::ROLES))),
    responses((status = 200, description = "The panel", body = OpportunityPanel), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeatRecord>,
) -> Result<Json<OpportunityPanel>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let (opened, panel) = api.opportunities.of(at, seat, place.record).await?;
    let items = panel.opportunities.into_iter().map(|deal| Opportunity::of(&opened, deal));
    Ok(Json(OpportunityPanel {
        items: items.collect(),
        more: panel.more,
        restricted: panel.restricted,
        crm_user: panel.crm_user,
    }))
}
