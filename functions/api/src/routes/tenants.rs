//! Tenants and their seats: provisioned by the product's back end.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::capabilities::seats;
use shared::capabilities::seats::{Role, Seat, Tenant};
use shared::kernel::{AutoSaveMessage, Environment, SeatId, TenantEnvironment, TenantId};
use shared::ports::Condition;
use shared::store::{self, Next, Outbox};

use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Body, Path};

/// A name's largest length, in characters.
const LONGEST_NAME: usize = 200;

/// A new tenant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    name: String,
    #[serde(default = "yes")]
    entitled: bool,
}

fn yes() -> bool {
    true
}

/// `POST /v1/tenants`
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(new): Body<NewTenant>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.service()?;
    let now = api.ports.clock.now();
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let tenant = Tenant {
        id: TenantId::new(millis, api.ports.entropy.bits()),
        name: name(new.name)?,
        entitled: new.entitled,
        created_at: now,
    };
    let write = store::put(seats::keys::tenant(tenant.id), &tenant, Condition::Absent)?;
    let _ = api.ports.table.write(write).await?;
    Ok((StatusCode::CREATED, Json(json!({ "tenant_id": tenant.id }))))
}

/// `GET /v1/tenants/{tenant}`
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(tenant): Path<TenantId>,
) -> Result<Json<Tenant>, Problem> {
    caller.admin(tenant)?;
    Ok(Json(find(&api, tenant).await?))
}

async fn find(api: &Api, tenant: TenantId) -> Result<Tenant, Problem> {
    let tenant = store::get(&*api.ports.table, &seats::keys::tenant(tenant)).await?;
    tenant.ok_or_else(|| Problem::not_found("tenant"))
}

/// A new seat.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSeat {
    email: String,
    name: String,
    #[serde(default = "utc")]
    time_zone: String,
    #[serde(default = "seller")]
    roles: BTreeSet<Role>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn seller() -> BTreeSet<Role> {
    [Role::Seat].into()
}

/// A seat as it is shown.
#[derive(Serialize)]
pub(crate) struct SeatView {
    seat_id: SeatId,
    email: String,
    name: String,
    time_zone: String,
    roles: BTreeSet<Role>,
}

impl From<Seat> for SeatView {
    fn from(seat: Seat) -> Self {
        let Seat { id, email, name, time_zone, roles, .. } = seat;
        Self { seat_id: id, email, name, time_zone, roles }
    }
}

/// `POST /v1/tenants/{tenant}/seats`
pub(crate) async fn add_seat(
    State(api): State<Api>,
    caller: Caller,
    Path(tenant): Path<TenantId>,
    Body(new): Body<NewSeat>,
) -> Result<(StatusCode, Json<SeatView>), Problem> {
    caller.service()?;
    find(&api, tenant).await?;
    if TimeZone::get(&new.time_zone).is_err() {
        return Err(Problem::invalid("time_zone is not an IANA time zone such as Europe/Berlin"));
    }
    let email = new.email.trim().to_owned();
    let parts = email.split_once('@').filter(|(user, host)| !user.is_empty() && host.contains('.'));
    if parts.is_none() || email.len() > 320 {
        return Err(Problem::invalid("email is not an e-mail address"));
    }
    let millis = u64::try_from(api.ports.clock.now().as_millisecond()).unwrap_or(0);
    let seat = Seat {
        id: SeatId::new(millis, api.ports.entropy.bits()),
        tenant,
        email,
        name: name(new.name)?,
        time_zone: new.time_zone,
        roles: new.roles,
    };
    let write = store::put(seats::keys::seat(tenant, seat.id), &seat, Condition::Absent)?;
    let next = auto_save(&api, tenant, seat.id).await?;
    let _ = Outbox::new(api.ports.clone()).commit(vec![write], next).await?;
    Ok((StatusCode::CREATED, Json(seat.into())))
}

/// A new seat gets what its CRM user's open opportunities call for.
async fn auto_save(api: &Api, tenant: TenantId, seat: SeatId) -> Result<Vec<Next>, Problem> {
    let mut next = Vec::new();
    for environment in Environment::ALL {
        let at = TenantEnvironment { tenant, environment };
        if let Some(connection) = api.custody.connection(at).await? {
            let scope = connection.scope();
            next.push(Next::now(AutoSaveMessage::Seat { scope, seat }));
        }
    }
    Ok(next)
}

/// `GET /v1/tenants/{tenant}/seats`
pub(crate) async fn seats(
    State(api): State<Api>,
    caller: Caller,
    Path(tenant): Path<TenantId>,
) -> Result<Json<Value>, Problem> {
    caller.admin(tenant)?;
    let seats: Vec<Seat> = store::query_all(&*api.ports.table, &seats::keys::seats(tenant)).await?;
    let seats: Vec<SeatView> = seats.into_iter().map(SeatView::from).collect();
    Ok(Json(json!({ "items": seats })))
}

fn name(text: String) -> Result<String, Problem> {
    let length = text.trim().chars().count();
    if length == 0 || length > LONGEST_NAME {
        return Err(Problem::invalid("name must have 1 to 200 characters"));
    }
    Ok(text)
}
