//! Guards: extractors that let through whom a route is for, and give the place that its path names.
//!
//! Only guards read path parameters. A handler without one knows no tenant. Another tenant's caller
//! learns nothing, not even that the tenant exists.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use shared::capabilities::limits::Payer;
use shared::capabilities::seats::Role;
use shared::kernel::{Author, SeatId, TenantId};

use super::admission::admit;
use super::places::{OfSeat, OfTenant};
use super::token::Caller;
use crate::problem::Problem;
use crate::state::Api;

/// Anybody with a token that verifies.
pub(crate) struct Anyone;

/// The product's own back end, which may act for every tenant.
pub(crate) struct Service<P = ()>(pub(crate) P);

/// Somebody who runs the product, by the subject of their token.
pub(crate) struct Operator<P>(pub(crate) P, pub(crate) String);

/// Who may configure the tenant: its admin, or the back end.
pub(crate) struct Admin<P>(pub(crate) P);

/// A seat of the tenant, which acts.
pub(crate) struct SeatOf<P>(pub(crate) P, pub(crate) SeatId);

/// The seat that the path names, or the back end on its behalf. A seller's grant is the seller's to
/// give: an admin cannot take it out.
pub(crate) struct OwnSeat<P>(pub(crate) P);

/// Who may see what belongs to the seat that the path names: its seller, the admin, the back end.
pub(crate) struct SeatOrAdmin<P>(pub(crate) P);

/// Who may correct matches, for the whole contract: any seat, the admin, the back end.
pub(crate) struct Corrector<P>(pub(crate) P);

/// Who may look at what some seats own: any seat at its own, the admin and the back end at all.
pub(crate) struct Reader<P>(pub(crate) P, pub(crate) Viewer);

/// Who acts: the back end, a seat, or an admin without one. It lets nobody through by itself.
pub(crate) struct Acting(pub(crate) Author);

/// Whose things a caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// Every seat's.
    Everybody,
    /// One seat's.
    Own(SeatId),
}

impl Viewer {
    /// The caller may see what belongs to this seat.
    pub(crate) fn sees(self, seat: SeatId) -> Result<(), Problem> {
        if self == Self::Everybody || self == Self::Own(seat) {
            Ok(())
        } else {
            Err(Problem::forbidden())
        }
    }
}

impl Caller {
    fn service(&self) -> Result<(), Problem> {
        if self.roles.contains(&Role::Service) { Ok(()) } else { Err(Problem::forbidden()) }
    }

    fn admin(&self, tenant: TenantId) -> Result<(), Problem> {
        if self.roles.contains(&Role::Service) {
            return Ok(());
        }
        self.own(tenant)?;
        if self.roles.contains(&Role::Admin) { Ok(()) } else { Err(Problem::forbidden()) }
    }

    fn seat(&self, tenant: TenantId) -> Result<SeatId, Problem> {
        self.own(tenant)?;
        self.seat.filter(|_| self.roles.contains(&Role::Seat)).ok_or_else(Problem::seat_required)
    }

    /// The seat that acts, if it is one; whoever else may is the admin or the back end.
    fn seat_or_admin(&self, tenant: TenantId) -> Result<Option<SeatId>, Problem> {
        if self.tenant == Some(tenant)
            && let Ok(seat) = self.seat(tenant)
        {
            return Ok(Some(seat));
        }
        self.admin(tenant).map(|()| None)
    }

    /// Somebody of one tenant who asks for another's is a mistake or an attack: who runs the
    /// product finds it in the log, and the caller learns nothing.
    fn own(&self, tenant: TenantId) -> Result<(), Problem> {
        if self.tenant == Some(tenant) {
            return Ok(());
        }
        let own = self.tenant.as_ref().map(ToString::to_string);
        tracing::warn!(
            tenant.id = %tenant,
            caller.tenant = own,
            "a caller asked for another tenant and was refused"
        );
        Err(Problem::not_found("tenant"))
    }
}

/// The caller, and the place that the path names. Who is nobody is told so before anything else.
async fn met<P: DeserializeOwned + Send>(
    parts: &mut Parts,
    api: &Api,
) -> Result<(Caller, P), Problem> {
    let caller = Caller::of(parts, api).await?;
    let Path(place) = Path::from_request_parts(parts, api).await?;
    Ok((caller, place))
}

impl Anyone {
    /// As the description names them.
    pub(crate) const ROLES: [&str; 6] =
        ["service", "admin", "seat", "reporting", "vendor-rep", "operator"];
}

impl FromRequestParts<Api> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        Caller::of(parts, api).await.map(|_| Self)
    }
}

impl<P> Service<P> {
    /// As the description names them.
    pub(crate) const ROLES: [&str; 1] = ["service"];
}

impl<P: DeserializeOwned + Send> FromRequestParts<Api> for Service<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let (caller, place) = met(parts, api).await?;
        caller.service()?;
        Ok(Self(place))
    }
}

impl<P> Operator<P> {
    /// As the description names them.
    pub(crate) const ROLES: [&str; 1] = ["operator"];
}

impl<P: DeserializeOwned + Send> FromRequestParts<Api> for Operator<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let (caller, place) = met(parts, api).await?;
        // Whoever breaks the glass is told by name: a token without one breaks none.
        let subject = caller.subject.filter(|_| caller.roles.contains(&Role::Operator));
        Ok(Self(place, subject.ok_or_else(Problem::forbidden)?))
    }
}

impl<P> Admin<P> {
    /// As the description names them.
    pub(crate) const ROLES: [&str; 2] = ["service", "admin"];
}

impl<P: OfTenant> FromRequestParts<Api> for Admin<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let (caller, place) = met::<P>(parts, api).await?;
        caller.admin(place.tenant())?;
        admit(parts, api, place.tenant(), Payer::Tenant).await?;
        Ok(Self(place))
    }
}

impl<P> SeatOf<P> {
    /// As the description names them.
    pub(crate) const ROLES: [&str; 1] = ["seat"];
}

impl<P: OfTenant> FromRequestParts<Api> for SeatOf<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let (caller, place) = met::<P>(parts, api).await?;
        let seat = caller.seat(place.tenant())?;
        admit(parts, api, place.tenant(), Payer::Seat(seat)).await?;
        Ok(Self(place, seat))
    }
}

impl<P> OwnSeat<P> {
    /// As the description names them.
    pub(crate) const ROLES: [&str; 2] = ["service", "seat"];
}

impl<P: OfSeat> FromRequestParts<Api> for OwnSeat<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let (caller, place) = met::<P>(parts, api).await?;
        if caller.service().is_err() && caller.seat(place.tenant())? != place.seat() {
            return Err(Problem::forbidden());
        }
        admit(parts, api, place.tenant(), Payer::Seat(place.seat())).await?;
        Ok(Self(place))
    }
}

impl<P> SeatOrAdmin<P> {
    /// As the description names them.
    pub(crate) const ROLES: [&str; 3] = ["service", "admin", "seat"];
}

impl<P: OfSeat> FromRequestParts<Api> for SeatOrAdmin<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let (caller, place) = met::<P>(parts, api).await?;
        match caller.seat(place.tenant()) {
            Ok(own) if own == place.seat() => {}
            _ => caller.admin(place.tenant())?,
        }
        admit(parts, api, place.tenant(), Payer::Seat(place.seat())).await?;
        Ok(Self(place))
    }
}

impl<P> Corrector<P> {
    /// As the description names them.
    pub(crate) const ROLES: [&str; 3] = ["service", "admin", "seat"];
}

impl<P: OfTenant> FromRequestParts<Api> for Corrector<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let (caller, place) = met::<P>(parts, api).await?;
        let by = caller.seat_or_admin(place.tenant())?;
        let payer = by.map_or(Payer::Tenant, Payer::Seat);
        admit(parts, api, place.tenant(), payer).await?;
        Ok(Self(place))
    }
}

impl<P> Reader<P> {
    /// As the description names them.
    pub(crate) const ROLES: [&str; 3] = ["service", "admin", "seat"];
}

impl<P: OfTenant> FromRequestParts<Api> for Reader<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let (caller, place) = met::<P>(parts, api).await?;
        let seat = caller.seat_or_admin(place.tenant())?;
        let payer = seat.map_or(Payer::Tenant, Payer::Seat);
        admit(parts, api, place.tenant(), payer).await?;
        let everybody = caller.admin(place.tenant()).is_ok();
        let own = seat.filter(|_| !everybody).map(Viewer::Own);
        Ok(Self(place, own.unwrap_or(Viewer::Everybody)))
    }
}

impl FromRequestParts<Api> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Caller { subject, seat, roles, .. } = Caller::of(parts, api).await?;
        Ok(Self(match seat {
            _ if roles.contains(&Role::Service) => Author::Service,
            Some(seat) => Author::Seat { seat },
            None => Author::Admin { subject },
        }))
    }
}
