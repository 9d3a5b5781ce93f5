//! A seat whose address, aliases, federation id, name or time zone changes. It keeps its id, what
//! was saved for it, and what it did; its CRM user is found anew at once.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::tenants::{checked_email, checked_federation_id, checked_name, free_addresses};
use super::{EmailClaim, Seat, TenantError, Tenants, crm_user_of, keys};
use crate::capabilities::audit::{Action, Actor, Deed};
use crate::capabilities::custody::end_seat_grant;
use crate::kernel::{Author, AutoSaveMessage, Environment, SeatId, TenantEnvironment, TenantId};
use crate::store::{Attempt, Commit, attempts};
use crate::work::boxed;

/// No seat has more other addresses.
pub const MOST_ALIASES: usize = 5;

/// What of a seat changes; what is none stays.
#[derive(Clone, Default)]
pub struct SeatPatch {
    /// The e-mail address by which its CRM user is found.
    pub email: Option<String>,
    /// Other addresses under which the CRM may know the user, in the place of those before.
    pub aliases: Option<BTreeSet<String>>,
    /// The id by which the user logs in everywhere; an empty one takes it away.
    pub federation_id: Option<String>,
    /// The user's name.
    pub name: Option<String>,
    /// The user's time zone, an IANA name.
    pub time_zone: Option<String>,
}

impl SeatPatch {
    fn applied(&self, seat: &Seat) -> Result<Seat, TenantError> {
        let mut after = seat.clone();
        if let Some(email) = &self.email {
            after.email = checked_email(email)?;
        }
        if let Some(aliases) = &self.aliases {
            if aliases.len() > MOST_ALIASES {
                return Err(TenantError::Aliases);
            }
            after.aliases =
                aliases.iter().map(|alias| checked_email(alias)).collect::<Result<_, _>>()?;
        }
        if let Some(id) = &self.federation_id {
            after.federation_id = checked_federation_id(id)?;
        }
        if let Some(name) = &self.name {
            after.name = checked_name(name.clone())?;
        }
        if let Some(time_zone) = &self.time_zone {
            TimeZone::get(time_zone).map_err(|_| TenantError::TimeZone)?;
            after.time_zone.clone_from(time_zone);
        }
        Ok(after)
    }
}

impl Tenants {
    /// Changes a seat. Where it is another CRM user by its new addresses, the authorization that
    /// the former one gave ends, and what the new one has is saved for it.
    ///
    /// # Errors
    /// When there is no such seat, a value is none, or another seat of the tenant has an address.
    #[must_use]
    #[boxed]
    pub async fn change_seat(
        &self,
        tenant: TenantId,
        seat: SeatId,
        patch: &SeatPatch,
        by: &Author,
    ) -> Result<Seat, TenantError> {
        let by = Actor::from(by);
        attempts(|| self.try_change_seat(tenant, seat, patch, &by)).await
    }

    async fn try_change_seat(
        &self,
        tenant: TenantId,
        id: SeatId,
        patch: &SeatPatch,
        by: &Actor,
    ) -> Result<Attempt<Seat>, TenantError> {
        let before = self.store.load(&keys::seat(tenant, id)).await?;
        let before = before.ok_or(TenantError::NoSeat)?;
        let after = patch.applied(&before)?;
        if after == *before {
            return Ok(Attempt::Done(after));
        }
        let mut commit = Commit::new();
        commit.replace(&before, &after)?;
        let (old, new) = (before.addresses(), after.addresses());
        for address in new.difference(&old) {
            let claim = keys::email_claim(tenant, address);
            if self.store.read(&claim).await?.is_some_and(|claim| claim.seat != id) {
                return Err(TenantError::EmailTaken);
            }
            commit.create(&claim, &EmailClaim { seat: id })?;
        }
        free_addresses(&self.store, tenant, id, old.difference(&new), &mut commit).await?;
        if old != new {
            self.join_anew(&before, &after, &mut commit).await?;
        }
        let deed = Deed::new(Action::SeatChanged).seat(id);
        Ok(Attempt::of(&self.audit.commit(commit, tenant, by, &deed).await?, after))
    }

    /// Adds to the commit what follows where a seat is another CRM user than before.
    async fn join_anew(
        &self,
        before: &Seat,
        after: &Seat,
        commit: &mut Commit,
    ) -> Result<(), TenantError> {
        for environment in Environment::ALL {
            let at = TenantEnvironment { tenant: after.tenant, environment };
            let Some(connection) = self.custody.connection(at).await? else { continue };
            let scope = connection.scope();
            let Some(opened) = self.custody.open(scope).await? else { continue };
            let was = crm_user_of(&opened, before).await?.user;
            let is = crm_user_of(&opened, after).await?.user;
            if was == is {
                continue;
            }
            let grant = self.store.load(&opened.keys.seat_grant(after.id)).await?;
            if let Some(grant) = grant.filter(|grant| grant.alive && Some(grant.user_id) != is) {
                end_seat_grant(commit, &opened.keys, after.id, Some(&grant))?;
            }
            commit.now(AutoSaveMessage::Seat { scope, seat: after.id });
        }
        Ok(())
    }
}
