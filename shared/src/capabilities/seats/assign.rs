//! Seats for CRM users, many at once.

use std::collections::BTreeSet;

use super::{NewSeat, Role, SeatsByEmail, TenantError, Tenants, keys};
use crate::capabilities::audit::Actor;
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::{
    Author, Record, SObject, SeatId, TenantEnvironment, federation_address, folded_user_email,
};
use crate::salesforce::SalesforceId;
use crate::work::boxed;

/// How many users get seats at once.
pub const MOST_ASSIGNED: usize = 100;

/// What became of a CRM user who was to get a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assigned {
    /// They have a new seat.
    Seat(SeatId),
    /// They, or who has their address, have one already.
    Already(SeatId),
    /// No import brought such a user.
    Unknown,
    /// The user may not log in to the CRM.
    Inactive,
    /// The user has no e-mail address.
    NoEmail,
    /// Several active users have the address: add the seat, and choose one by hand.
    SharedEmail,
    /// The contract's seats are all taken.
    NoLicence,
}

impl Tenants {
    /// Gives CRM users of an environment seats as sellers, under their names and addresses. Whoever
    /// has one keeps it, so the same may be asked for again.
    ///
    /// # Errors
    /// When there is no connection.
    #[must_use]
    #[boxed]
    pub async fn assign(
        &self,
        at: TenantEnvironment,
        users: &[SalesforceId],
        by: &Author,
    ) -> Result<Vec<(SalesforceId, Assigned)>, TenantError> {
        let opened = self.custody.shown(at).await?;
        let by = Actor::from(by);
        let seats = self.seats(at.tenant).await?.into_iter().collect();
        let mut done = Vec::with_capacity(users.len());
        for &user in users {
            let found = opened.records.one(SObject::User, user).await?;
            let assigned = match found {
                Some(found) => self.assign_one(&opened, &seats, &found, &by).await?,
                None => Assigned::Unknown,
            };
            done.push((user, assigned));
        }
        Ok(done)
    }

    async fn assign_one(
        &self,
        opened: &OpenGeneration,
        seats: &SeatsByEmail,
        user: &Record,
        by: &Actor,
    ) -> Result<Assigned, TenantError> {
        let at = opened.keys.scope().tenant_environment();
        if !user.fields.is_true("IsActive") {
            return Ok(Assigned::Inactive);
        }
        let Some(email) = user.fields.get("Email") else { return Ok(Assigned::NoEmail) };
        // A sandbox has addresses that end in `.invalid`.
        let email = folded_user_email(at.environment, email);
        let alike = opened.records.users_of(&email).await?;
        if alike.iter().filter(|user| user.fields.is_true("IsActive")).count() > 1 {
            return Ok(Assigned::SharedEmail);
        }
        if let Some(claim) = opened.store.read(&opened.keys.user_mapping(user.id)).await? {
            return Ok(Assigned::Already(claim.seat));
        }
        let federation = user.fields.get("FederationIdentifier").map(federation_address);
        if let Some(seat) = federation.and_then(|of| seats.get(&of)).or_else(|| seats.get(&email)) {
            return Ok(Assigned::Already(seat.id));
        }
        // The same was asked for a moment ago.
        if let Some(claim) = self.store.read(&keys::email_claim(at.tenant, &email)).await? {
            return Ok(Assigned::Already(claim.seat));
        }
        let name = user.fields.get("Name").filter(|name| !name.trim().is_empty());
        let new = NewSeat {
            name: name.unwrap_or(&email).to_owned(),
            email,
            time_zone: "UTC".to_owned(),
            roles: BTreeSet::from([Role::Seat]),
        };
        match self.add_seat(at.tenant, new, by).await {
            Ok(seat) => Ok(Assigned::Seat(seat.id)),
            Err(TenantError::NoLicence(_)) => Ok(Assigned::NoLicence),
            Err(TenantError::Email) => Ok(Assigned::NoEmail),
            Err(error) => Err(error),
        }
    }
}
