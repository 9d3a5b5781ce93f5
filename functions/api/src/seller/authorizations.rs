//! A seller's own authorization in the CRM.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::connecting;
use shared::kernel::{Grantee, SeatId, TenantEnvironment};
use utoipa::ToSchema;

use crate::admin::AuthorizeUrl;
use crate::callers::{Acting, AtSeat, OwnSeat, SeatOrAdmin};
use crate::problem::Problem;
use crate::state::Api;

/// The state of a seller's authorization.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeatAuthorization {
    state: AuthorizationState,
    #[schema(required = true)]
    authorized_at: Option<Timestamp>,
    /// When the seller must log in again.
    #[schema(required = true)]
    ends_at: Option<Timestamp>,
}

/// True if the seller must log in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthorizationState {
    Authorized,
    LoginRequired,
}

impl From<connecting::SeatAuthorization> for SeatAuthorization {
    fn from(found: connecting::SeatAuthorization) -> Self {
        let connecting::SeatAuthorization { is_usable, authorized_at, ends_at } = found;
        let state = if is_usable {
            AuthorizationState::Authorized
        } else {
            AuthorizationState::LoginRequired
        };
        Self { state, authorized_at, ends_at }
    }
}

/// Begin the seller's own authorization
#[utoipa::path(post, path = "/seats/{seat}/authorize", tag = "connections",
    operation_id = "authorizeSeat",
    params(AtSeat), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    responses(
        (status = 200, body = AuthorizeUrl,
            description = "Where to send the seller's browser, with a cookie as for the admin's"),
        Problem))]
pub(crate) async fn begin(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Acting(by): Acting,
) -> Result<([(HeaderName, String); 1], Json<AuthorizeUrl>), Problem> {
    let (at, grantee) = (place.environment(), Grantee::Seat(place.seat));
    let begun = api.connect.begin(at, grantee, None, &by).await?;
    Ok(AuthorizeUrl::of(begun))
}

/// The address of a seat's own authorization, as the product's pages call it.
pub(super) fn login_url(api: &Api, at: TenantEnvironment, seat: SeatId) -> String {
    let TenantEnvironment { tenant, environment } = at;
    let base = &api.public_base;
    format!("{base}/v1/tenants/{tenant}/connections/{environment}/seats/{seat}/authorize")
}

/// Show the state of the seller's authorization, and until when it holds
#[utoipa::path(get, path = "/seats/{seat}/authorization", tag = "connections",
    operation_id = "showSeatAuthorization",
    params(AtSeat), extensions(("x-roles" = json!(SeatOrAdmin::<AtSeat>::ROLES))),
    responses(
        (status = 200, description = "The authorization", body = SeatAuthorization),
        Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtSeat>,
) -> Result<Json<SeatAuthorization>, Problem> {
    Ok(Json(api.seat_authorizations.get(place.environment(), place.seat).await?.into()))
}

/// End the seller's authorization: Salesforce is told to revoke it, what the seller did waits for
/// another login
#[utoipa::path(delete, path = "/seats/{seat}/authorization", tag = "connections",
    operation_id = "endSeatAuthorization",
    params(AtSeat), extensions(("x-roles" = json!(SeatOrAdmin::<AtSeat>::ROLES))),
    responses((status = 204, description = "There is none any more"), Problem))]
pub(crate) async fn end(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtSeat>,
    Acting(by): Acting,
) -> Result<StatusCode, Problem> {
    api.offboarding.end_authorization(place.environment(), place.seat, &(&by).into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
