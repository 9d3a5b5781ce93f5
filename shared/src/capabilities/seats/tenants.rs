//! Tenants and their seats, as the product's back end provisions them.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{Custody, LookupError, TtlCache};
use crate::capabilities::seats::{EmailClaim, Role, Seat, Tenant, keys};
use crate::kernel::{AutoSaveMessage, Environment, SeatId, TenantEnvironment, TenantId};
use crate::ports::{PortError, Ports};
use crate::store::{Attempt, Commit, Store, Stored, When, attempts};
use crate::work::{WorkError, boxed};

/// A name's largest length, in characters.
const LONGEST_NAME: usize = 200;

/// No contract has more seats.
const MOST_LICENCES: u32 = 1_000_000;

/// An e-mail address's largest length, in bytes.
const LONGEST_EMAIL: usize = 320;

/// A federation id's largest length, in characters: Salesforce's own bound.
const LONGEST_FEDERATION_ID: usize = 512;

/// Why a tenant or a seat cannot be shown or made.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NotFound,
    /// The contract does not include CRM sync.
    #[error("CRM sync is not part of this contract")]
    NotEntitled,
    /// The name is empty or too long.
    #[error("name must have 1 to 200 characters")]
    Name,
    /// The e-mail address is none.
    #[error("email is not an e-mail address")]
    Email,
    /// Another seat of the tenant has the address or the federation id.
    #[error("another seat has this address or federation id; a CRM user of it could be either")]
    EmailTaken,
    /// No org is connected.
    #[error("no org is connected")]
    NoConnection,
    /// There is no such seat.
    #[error("there is no such seat")]
    NoSeat,
    /// A federation id is too long.
    #[error("a federation id has at most 512 characters")]
    FederationId,
    /// A seat has too many other addresses.
    #[error("a seat has at most 5 aliases")]
    Aliases,
    /// The number of seats is none that a contract has.
    #[error("licences must be a number up to 1,000,000, or null")]
    Licences,
    /// The contract's seats are all taken.
    #[error("the contract has {0} seats, and all are taken: remove one, or have it extended")]
    NoLicence(u32),
    /// The time zone is none.
    #[error("time_zone is not an IANA time zone such as Europe/Berlin")]
    TimeZone,
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<LookupError> for TenantError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NotFound(_) => Self::NoConnection,
            LookupError::Work(error) => Self::Work(error),
        }
    }
}

impl From<PortError> for TenantError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// How many seats a contract has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Licences {
    /// As many as are added.
    Unbounded,
    /// No more than these.
    AtMost(u32),
}

impl From<Licences> for Option<u32> {
    fn from(licences: Licences) -> Self {
        match licences {
            Licences::Unbounded => None,
            Licences::AtMost(licences) => Some(licences),
        }
    }
}

/// A seat that is to be added.
#[derive(Clone)]
pub struct NewSeat {
    /// The e-mail address by which its CRM user is found.
    pub email: String,
    /// The user's name.
    pub name: String,
    /// The user's time zone, an IANA name.
    pub time_zone: String,
    /// The role, which decides on the user's rights.
    pub roles: BTreeSet<Role>,
}

/// Makes and shows tenants and their seats.
#[derive(Clone)]
pub struct Tenants {
    pub(super) ports: Ports,
    pub(super) store: Store,
    pub(super) custody: Custody,
    pub(super) audit: AuditLog,
    /// Tenants whose contract was seen to include CRM sync.
    entitled: TtlCache<TenantId, ()>,
}

impl Tenants {
    /// Tenants over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, custody, audit, entitled: TtlCache::default() }
    }

    /// Makes a tenant.
    #[must_use]
    #[boxed]
    pub async fn create(
        &self,
        name: String,
        entitled: bool,
        licences: Option<u32>,
    ) -> Result<Tenant, TenantError> {
        let licences = checked_licences(licences)?;
        let (millis, random) = self.fresh();
        let (id, now) = (TenantId::new(millis, random), self.ports.clock.now());
        let tenant = Tenant { entitled, licences, ..Tenant::new(id, checked_name(name)?, now) };
        let mut commit = Commit::new();
        commit.create(&keys::tenant(tenant.id), &tenant)?;
        commit.draw(&keys::tenant_entry(tenant.id))?;
        let deed = Deed::new(Action::TenantCreated).detail("entitled", entitled);
        let done = self.audit.commit(commit, tenant.id, &Actor::Service, &deed).await?;
        done.may_lose_to("nobody: the id is new");
        Ok(tenant)
    }

    /// A tenant.
    #[must_use]
    #[boxed]
    pub async fn get(&self, tenant: TenantId) -> Result<Tenant, TenantError> {
        self.store.read(&keys::tenant(tenant)).await?.ok_or(TenantError::NotFound)
    }

    /// Checks that the tenant's contract includes CRM sync. That it does is known for five minutes.
    #[must_use]
    #[boxed]
    pub async fn check_entitled(&self, tenant: TenantId) -> Result<(), TenantError> {
        let now = self.ports.clock.now();
        if self.entitled.get(&tenant, now).is_some() {
            return Ok(());
        }
        if !self.get(tenant).await?.entitled {
            return Err(TenantError::NotEntitled);
        }
        self.entitled.insert(tenant, (), now);
        Ok(())
    }

    /// Changes the contract: whether it includes CRM sync, and how many seats it has. Fewer than
    /// there are take no seat away; none is added until some are removed.
    ///
    /// # Errors
    /// When there is no such tenant.
    #[must_use]
    #[boxed]
    pub async fn change(
        &self,
        tenant: TenantId,
        entitled: Option<bool>,
        licences: Option<Licences>,
    ) -> Result<Tenant, TenantError> {
        if let Some(licences) = licences {
            checked_licences(licences.into())?;
        }
        attempts(|| async {
            let before = self.store.load(&keys::tenant(tenant)).await?;
            let before = before.ok_or(TenantError::NotFound)?;
            let mut after = Tenant::clone(&before);
            after.entitled = entitled.unwrap_or(before.entitled);
            after.licences = licences.map_or(before.licences, Option::from);
            if after == *before {
                return Ok(Attempt::Done(after));
            }
            let mut commit = Commit::new();
            commit.replace(&before, &after)?;
            // One that an older version made is in no list yet.
            commit.draw(&keys::tenant_entry(tenant))?;
            let deed = Deed::new(Action::ContractChanged).detail("entitled", after.entitled);
            let deed = match after.licences {
                Some(licences) => deed.detail("licences", licences),
                None => deed,
            };
            let by = &Actor::Service;
            Ok(Attempt::of(&self.audit.commit(commit, tenant, by, &deed).await?, after))
        })
        .await
    }

    /// Adds a seat. It gets what its CRM user's open opportunities call for.
    ///
    /// # Errors
    /// When a value is none, another seat has the address, or the contract has no seat left.
    #[must_use]
    #[boxed]
    pub async fn add_seat(
        &self,
        tenant: TenantId,
        new: NewSeat,
        by: &Actor,
    ) -> Result<Seat, TenantError> {
        if TimeZone::get(&new.time_zone).is_err() {
            return Err(TenantError::TimeZone);
        }
        let email = checked_email(&new.email)?;
        let (millis, random) = self.fresh();
        let seat = Seat {
            id: SeatId::new(millis, random),
            tenant,
            email,
            aliases: BTreeSet::new(),
            federation_id: None,
            name: checked_name(new.name)?,
            time_zone: new.time_zone,
            roles: new.roles,
        };
        attempts(|| self.try_add_seat(&seat, by)).await?;
        Ok(seat)
    }

    async fn try_add_seat(&self, seat: &Seat, by: &Actor) -> Result<Attempt<()>, TenantError> {
        let tenant = seat.tenant;
        let contract = self.store.load(&keys::tenant(tenant)).await?;
        let contract = contract.ok_or(TenantError::NotFound)?;
        let claim = keys::email_claim(tenant, &seat.email);
        if self.store.read(&claim).await?.is_some() {
            return Err(TenantError::EmailTaken);
        }
        let mut commit = Commit::new();
        if let Some(licences) = contract.licences {
            let taken = self.store.all(&keys::seats(tenant)).await?.len();
            if taken >= licences as usize {
                return Err(TenantError::NoLicence(licences));
            }
            let seats_added = contract.seats_added + 1;
            commit.replace(&contract, &Tenant { seats_added, ..Tenant::clone(&contract) })?;
        } else {
            commit.check(&keys::tenant(tenant), When::unchanged(&contract));
        }
        commit.create(&keys::seat(tenant, seat.id), seat)?;
        commit.create(&claim, &EmailClaim { seat: seat.id })?;
        self.auto_save(tenant, seat.id, &mut commit).await?;
        let roles: Vec<&str> = seat.roles.iter().copied().map(Role::into).collect();
        let deed = Deed::new(Action::SeatAdded).seat(seat.id).detail("roles", roles.join(","));
        Ok(Attempt::of(&self.audit.commit(commit, tenant, by, &deed).await?, ()))
    }

    /// A tenant's seats.
    #[must_use]
    #[boxed]
    pub async fn seats(&self, tenant: TenantId) -> Result<Vec<Seat>, TenantError> {
        let seats = self.store.all(&keys::seats(tenant)).await?;
        Ok(seats.into_iter().map(Stored::into_inner).collect())
    }

    async fn auto_save(
        &self,
        tenant: TenantId,
        seat: SeatId,
        commit: &mut Commit,
    ) -> Result<(), TenantError> {
        for environment in Environment::ALL {
            let at = TenantEnvironment { tenant, environment };
            if let Some(connection) = self.custody.connection(at).await? {
                let scope = connection.scope();
                commit.now(AutoSaveMessage::Seat { scope, seat });
            }
        }
        Ok(())
    }

    /// The milliseconds and the random bits of a new id.
    fn fresh(&self) -> (u64, u128) {
        let millis = u64::try_from(self.ports.clock.now().as_millisecond()).unwrap_or(0);
        (millis, self.ports.entropy.bits())
    }
}

fn checked_licences(licences: Option<u32>) -> Result<Option<u32>, TenantError> {
    match licences {
        Some(licences) if licences > MOST_LICENCES => Err(TenantError::Licences),
        licences => Ok(licences),
    }
}

pub(super) fn checked_name(text: String) -> Result<String, TenantError> {
    let length = text.trim().chars().count();
    if (1..=LONGEST_NAME).contains(&length) { Ok(text) } else { Err(TenantError::Name) }
}

/// Adds to the commit that addresses are a seat's no more, as far as it claimed them.
pub(crate) async fn free_addresses(
    store: &Store,
    tenant: TenantId,
    seat: SeatId,
    addresses: impl IntoIterator<Item = &String>,
    commit: &mut Commit,
) -> Result<(), PortError> {
    for address in addresses {
        let claim = store.load(&keys::email_claim(tenant, address)).await?;
        if let Some(claim) = claim.filter(|claim| claim.seat == seat) {
            commit.delete_when(&claim.slot(), When::unchanged(&claim));
        }
    }
    Ok(())
}

/// A federation id as it is kept; none for an empty one.
pub(super) fn checked_federation_id(text: &str) -> Result<Option<String>, TenantError> {
    let id = text.trim();
    if id.chars().count() > LONGEST_FEDERATION_ID {
        return Err(TenantError::FederationId);
    }
    Ok(Some(id.to_owned()).filter(|id| !id.is_empty()))
}

pub(super) fn checked_email(text: &str) -> Result<String, TenantError> {
    let email = text.trim();
    let parts = email.split_once('@').filter(|(user, host)| !user.is_empty() && host.contains('.'));
    if parts.is_none() || email.len() > LONGEST_EMAIL {
        return Err(TenantError::Email);
    }
    Ok(email.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_user_and_a_host() {
        assert_eq!(checked_email(" jane@acme.example ").unwrap(), "jane@acme.example");
        let long = format!("{}@acme.example", "j".repeat(LONGEST_EMAIL));
        for wrong in ["", "jane", "@acme.example", "jane@acme", &long] {
            assert!(matches!(checked_email(wrong), Err(TenantError::Email)), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_neither_blank_nor_too_long() {
        let name = |length| checked_name("ä".repeat(length));
        assert!(name(1).is_ok() && name(200).is_ok());
        assert!(name(0).is_err() && name(201).is_err());
        assert!(checked_name("  ".to_owned()).is_err());
    }
}
