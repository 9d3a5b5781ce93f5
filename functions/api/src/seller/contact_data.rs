//! How a person is reached, as the seller's own access to the CRM shows it.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::asking;
use shared::kernel::SObject;
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use super::asking::no_answer;
use crate::callers::{AtSeatPerson, OwnSeat};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// How a person is reached, by the record that they are linked to.
#[derive(Serialize, ToSchema)]
pub(crate) struct ContactData {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
    #[schema(format = "uri")]
    record_url: String,
    /// When the CRM had these values.
    as_of: Timestamp,
    /// Mail addresses and numbers that are filled in and that the seller sees.
    points: Vec<ContactPoint>,
    /// The parts of the postal address, in the same way.
    address: Vec<ContactPoint>,
    consent: Consent,
}

/// A field of the record that holds a way to reach somebody.
#[derive(Serialize, ToSchema)]
pub(crate) struct ContactPoint {
    /// The field's API name.
    field: String,
    label: String,
    value: String,
}

/// What the person does not want. Null where the seller may not know.
#[derive(Serialize, ToSchema)]
pub(crate) struct Consent {
    #[schema(required = true)]
    do_not_call: Option<bool>,
    #[schema(required = true)]
    opted_out_of_email: Option<bool>,
    #[schema(required = true)]
    opted_out_of_fax: Option<bool>,
}

impl From<asking::ContactPoint> for ContactPoint {
    fn from(point: asking::ContactPoint) -> Self {
        let asking::ContactPoint { field, label, value } = point;
        Self { field, label, value }
    }
}

impl From<asking::ContactData> for ContactData {
    fn from(found: asking::ContactData) -> Self {
        let asking::Consent { do_not_call, opted_out_of_email, opted_out_of_fax } = found.consent;
        Self {
            object: found.record.object,
            record_id: found.record.id,
            record_url: found.record_url,
            as_of: found.as_of,
            points: found.points.into_iter().map(ContactPoint::from).collect(),
            address: found.address.into_iter().map(ContactPoint::from).collect(),
            consent: Consent { do_not_call, opted_out_of_email, opted_out_of_fax },
        }
    }
}

/// Show how a person is reached: their contact data in the CRM, as the seller may see it now
#[utoipa::path(get, path = "/seats/{seat}/crm/people/{person}/contact-data", tag = "matches",
    operation_id = "showContactData",
    params(AtSeatPerson), extensions(("x-roles" = json!(OwnSeat::<AtSeatPerson>::ROLES))),
    responses((status = 200, description = "The contact data", body = ContactData), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeatPerson>,
) -> Result<Json<ContactData>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let found = api.asking.contact_data(at, seat, &place.person).await;
    Ok(Json(found.map_err(|error| no_answer(&api, at, seat, error))?.into()))
}
