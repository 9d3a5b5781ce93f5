//! Which CRM user a seat is: the active one of its e-mail address, or the one that an admin chose.
//!
//! Two active users of one address are never guessed between: the seat is ambiguous, and nothing is
//! done for it until an admin chooses.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{
    CursorError, Custody, LookupError, OpenGeneration, end_seat_grant,
};
use crate::capabilities::seats::{
    CrmUser, CrmUserLink, CrmUserStatus, Seat, SeatMapping, SeatsByEmail, UserMapping, keys,
};
use crate::kernel::{
    Author, AutoSaveMessage, GrantState, Record, SObject, SeatId, Signature, TenantEnvironment,
    federation_address, folded_user_email,
};
use crate::ports::{PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::{Attempt, Commit, Records, Store, Stored, When, attempts};
use crate::work::{WorkError, boxed};

/// How many seats are looked at at once.
const CONCURRENT_SEATS: usize = 16;

/// Why a seat's CRM user cannot be shown or chosen.
#[derive(Debug, thiserror::Error)]
pub enum CrmUserError {
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// No import brought this user.
    #[error("the imports have brought no CRM user of this id")]
    UnknownUser,
    /// The user may not log in.
    #[error("this CRM user is not active")]
    InactiveUser,
    /// An admin chose the user for another seat.
    #[error("this CRM user was chosen for {0} already")]
    Taken(SeatId),
    /// The words to search by are too long.
    #[error("words has at most 200 characters")]
    Words,
    /// The cursor is none of this list's.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for CrmUserError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

impl From<LookupError> for CrmUserError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NotFound(what) => Self::NotFound(what),
            LookupError::Work(error) => Self::Work(error),
        }
    }
}

/// Shows and chooses the CRM users of seats.
#[derive(Clone)]
pub struct CrmUsers {
    pub(super) ports: Ports,
    pub(super) store: Store,
    custody: Custody,
    audit: AuditLog,
}

impl CrmUsers {
    /// CRM users over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, custody, audit }
    }

    /// The CRM user of every seat of the tenant.
    #[must_use]
    #[boxed]
    pub async fn links(&self, at: TenantEnvironment) -> Result<Vec<CrmUserLink>, CrmUserError> {
        let generation = &self.generation(at).await?;
        let seats = self.store.all(&keys::seats(at.tenant)).await?;
        let links = stream::iter(seats)
            .map(|seat| async move { crm_user_of(generation, &seat).await })
            .buffered(CONCURRENT_SEATS)
            .try_collect();
        Ok(links.await?)
    }

    /// The CRM user of a seat.
    #[must_use]
    #[boxed]
    pub async fn link(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
    ) -> Result<CrmUserLink, CrmUserError> {
        let generation = self.generation(at).await?;
        let seat = self.seat(at, seat).await?;
        Ok(crm_user_of(&generation, &seat).await?)
    }

    /// Makes a seat be this CRM user, whatever the e-mail addresses say.
    #[must_use]
    #[boxed]
    pub async fn choose(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        user: SalesforceId,
        by: Author,
    ) -> Result<CrmUserLink, CrmUserError> {
        let generation = self.generation(at).await?;
        let seat = self.seat(at, seat).await?;
        let found = generation.records.one(SObject::User, user).await?;
        if !found.ok_or(CrmUserError::UnknownUser)?.fields.is_true("IsActive") {
            return Err(CrmUserError::InactiveUser);
        }
        let actor = Actor::from(&by);
        let chosen = SeatMapping { user, signed: Signature { at: self.ports.clock.now(), by } };
        attempts(|| self.replace(&generation, seat.id, Some(&chosen), &actor)).await?;
        Ok(crm_user_of(&generation, &seat).await?)
    }

    /// Leaves a seat's CRM user to the e-mail addresses again.
    #[must_use]
    #[boxed]
    pub async fn forget(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        by: &Author,
    ) -> Result<CrmUserLink, CrmUserError> {
        let generation = self.generation(at).await?;
        let seat = self.seat(at, seat).await?;
        let actor = Actor::from(by);
        attempts(|| self.replace(&generation, seat.id, None, &actor)).await?;
        Ok(crm_user_of(&generation, &seat).await?)
    }

    /// Tries to replace what was chosen for a seat; both the users concerned have the auto-save
    /// rules applied to what they own. An authorization by another user than the chosen one ends,
    /// and so does the chosen one's when nobody is chosen any more: the seat logs in anew.
    async fn replace(
        &self,
        generation: &OpenGeneration,
        seat: SeatId,
        chosen: Option<&SeatMapping>,
        by: &Actor,
    ) -> Result<Attempt<()>, CrmUserError> {
        let (keys, scope) = (&generation.keys, generation.keys.scope());
        let slot = keys.seat_mapping(seat);
        let before = generation.store.load(&slot).await?;
        let user = chosen.map(|chosen| chosen.user);
        let mut commit = Commit::new();
        let grant = self.store.load(&keys.seat_grant(seat)).await?;
        let is_others = |grant: &&Stored<GrantState>| match (user, &before) {
            (Some(user), _) => grant.user_id != user,
            (None, Some(before)) => grant.user_id == before.user,
            (None, None) => false,
        };
        if let Some(grant) = grant.as_ref().filter(|grant| grant.alive).filter(is_others) {
            end_seat_grant(&mut commit, keys, seat, Some(grant))?;
        }
        if let Some(old) = before.as_deref().filter(|old| Some(old.user) != user) {
            commit.delete(&keys.user_mapping(old.user));
            commit.now(AutoSaveMessage::Owner { scope, user: old.user });
        }
        match (chosen, &before) {
            (Some(chosen), _) => {
                let claim = keys.user_mapping(chosen.user);
                let claimed = generation.store.load(&claim).await?;
                if let Some(other) = claimed.as_deref().filter(|claimed| claimed.seat != seat) {
                    return Err(CrmUserError::Taken(other.seat));
                }
                commit.save(&claim, claimed.as_ref(), &UserMapping { seat })?;
                commit.save(&slot, before.as_ref(), chosen)?;
            }
            (None, Some(before)) => {
                commit.delete_when(&slot, When::unchanged(before));
            }
            (None, None) => return Ok(Attempt::Done(())),
        }
        commit.now(AutoSaveMessage::Seat { scope, seat });
        let action =
            if chosen.is_some() { Action::CrmUserChosen } else { Action::CrmUserForgotten };
        let deed = Deed::of(action, scope).seat(seat);
        Ok(Attempt::of(
            &self.audit.through(&generation.store).commit(commit, scope.tenant, by, &deed).await?,
            (),
        ))
    }

    async fn seat(&self, at: TenantEnvironment, seat: SeatId) -> Result<Seat, CrmUserError> {
        let seat = self.store.read(&keys::seat(at.tenant, seat)).await?;
        seat.ok_or(CrmUserError::NotFound("seat"))
    }

    pub(super) async fn generation(
        &self,
        at: TenantEnvironment,
    ) -> Result<OpenGeneration, CrmUserError> {
        let scope = self.custody.find(at).await?.scope();
        let generation = self.custody.open(scope).await?;
        generation.ok_or(CrmUserError::NotFound("connection"))
    }
}

/// The users who have a seat's federation id; where nobody has it, those who have one of its
/// addresses. By id.
async fn users_of(records: &Records, seat: &Seat) -> Result<Vec<Record>, PortError> {
    if let Some(id) = &seat.federation_id {
        let users = records.users_of(&federation_address(id)).await?;
        if !users.is_empty() {
            return Ok(users);
        }
    }
    let mut users = BTreeMap::new();
    for address in seat.addresses() {
        let found = records.users_of(&address).await?;
        users.extend(found.into_iter().map(|user| (user.id, user)));
    }
    Ok(users.into_values().collect())
}

/// The CRM user of a seat in a generation.
pub(crate) async fn crm_user_of(
    generation: &OpenGeneration,
    seat: &Seat,
) -> Result<CrmUserLink, PortError> {
    let OpenGeneration { keys, records, store, .. } = generation;
    let users = users_of(records, seat).await?;
    let candidates: Vec<CrmUser> = users.iter().map(CrmUser::of).collect();
    let chosen = store.read(&keys.seat_mapping(seat.id)).await?;
    let (status, user) = if let Some(chosen) = chosen {
        let user = records.one(SObject::User, chosen.user).await?;
        CrmUserStatus::chosen(user.as_ref().map(CrmUser::of).as_ref())
    } else {
        let claims = users.iter().map(|user| keys.user_mapping(user.id));
        let claimed = store.load_many(claims).await?;
        let slots: Vec<_> = claimed.iter().map(Stored::slot).collect();
        let own = |user: &&CrmUser| !slots.contains(&store.slot(&keys.user_mapping(user.id)));
        CrmUserStatus::by_email(candidates.iter().filter(own))
    };
    Ok(CrmUserLink { seat: seat.id, status, user, candidates })
}

/// The seat of a CRM user in a generation: none when there is none, or several may be meant.
pub(crate) async fn seat_of_user(
    generation: &OpenGeneration,
    seats: &SeatsByEmail,
    user: &Record,
) -> Result<Option<SeatId>, PortError> {
    if !user.fields.is_true("IsActive") {
        return Ok(None);
    }
    if let Some(claim) = generation.store.read(&generation.keys.user_mapping(user.id)).await? {
        return Ok(seats.has(claim.seat).then_some(claim.seat));
    }
    let environment = generation.keys.scope().environment;
    let email = user.fields.get("Email").map(|email| folded_user_email(environment, email));
    let federation = user.fields.get("FederationIdentifier").map(federation_address);
    for address in federation.into_iter().chain(email) {
        let Some(seat) = seats.get(&address) else { continue };
        if crm_user_of(generation, seat).await?.user == Some(user.id) {
            return Ok(Some(seat.id));
        }
    }
    Ok(None)
}
