//! Showing the panel: by reads that do not grow with the tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{Access, Opportunity, is_above, lets_see, sort};
use crate::capabilities::custody::{Custody, LookupError, OpenGeneration};
use crate::capabilities::seats::{self, CrmUserStatus, crm_user_of};
use crate::capabilities::settings;
use crate::kernel::{Record, SObject, SeatId, TenantEnvironment};
use crate::ports::{Clock, PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::Store;
use crate::store::keys::Relation;
use crate::work::boxed;

/// How many opportunities of an account are looked at, and how many members of its team.
const MOST: usize = 500;

/// Roles are no deeper than this; Salesforce allows 500 roles in all, and advises ten levels.
const DEEPEST: usize = 32;

/// The opportunities of an account that a seat may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpportunityPanel {
    /// How the seat's CRM user was found: without one, nothing is shown.
    pub crm_user: CrmUserStatus,
    /// Opportunity data is hidden from who does not own it.
    pub restricted: bool,
    /// The opportunities, each with its owner's name.
    pub opportunities: Vec<(Opportunity, Option<String>)>,
    /// The account has more than were looked at.
    pub more: bool,
}

/// Shows panels.
#[derive(Clone)]
pub struct OpportunityPanels {
    clock: Arc<dyn Clock>,
    pub(super) store: Store,
    pub(super) custody: Custody,
}

impl OpportunityPanels {
    /// Panels of generations that `custody` opens.
    #[must_use]
    pub fn new(ports: &Ports, custody: Custody) -> Self {
        Self { clock: ports.clock.clone(), store: Store::new(ports.clone()), custody }
    }

    /// The opportunities of an account that are open, or closed within the past year, as far as the
    /// seat may see them.
    #[must_use]
    #[boxed]
    pub async fn of(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        account: SalesforceId,
    ) -> Result<(OpenGeneration, OpportunityPanel), LookupError> {
        let opened = self.custody.shown(at).await?;
        let seat = self.store.read(&seats::keys::seat(at.tenant, seat)).await?;
        let link = crm_user_of(&opened, &seat.ok_or(LookupError::NotFound("seat"))?).await?;
        let kept = self.store.read(&settings::keys::settings(at)).await?.unwrap_or_default();
        let restricted = kept.settings.restricted_data;
        let (mut shown, more) = self.recent(&opened, account).await?;
        let owners = owners(&opened, &shown).await?;
        let access = match link.user {
            Some(user) => access(&opened, (user, restricted), account, &owners).await?,
            None => Access { restricted, ..Access::default() },
        };
        shown.retain(|deal| access.sees(deal.owner));
        sort(&mut shown);
        let opportunities = named(shown, &owners);
        let panel = OpportunityPanel { crm_user: link.status, restricted, opportunities, more };
        Ok((opened, panel))
    }

    /// The opportunities of an account that are open or were closed in the past year; true if the
    /// account has more than were looked at.
    pub(super) async fn recent(
        &self,
        opened: &OpenGeneration,
        account: SalesforceId,
    ) -> Result<(Vec<Opportunity>, bool), PortError> {
        let deals = opened.records.some_children(account, Relation::AccountOpportunity, MOST);
        let (ids, more) = deals.await?;
        let deals = opened.records.get(SObject::Opportunity, &ids).await?;
        let today = self.clock.now().to_zoned(TimeZone::UTC).date();
        let of_account =
            deals.iter().filter(|deal| deal.fields.reference("AccountId") == Some(account));
        let recent = of_account.map(Opportunity::of).filter(|deal| deal.is_recent(today));
        Ok((recent.collect(), more))
    }
}

/// Opportunities with the names of their owners.
pub(super) fn named(
    deals: Vec<Opportunity>,
    owners: &BTreeMap<SalesforceId, Record>,
) -> Vec<(Opportunity, Option<String>)> {
    let name = |deal: &Opportunity| {
        let owner = owners.get(&deal.owner?)?;
        owner.fields.get("Name").map(str::to_owned)
    };
    let of = |deal: Opportunity| {
        let name = name(&deal);
        (deal, name)
    };
    deals.into_iter().map(of).collect()
}

/// The CRM users who own these.
pub(super) async fn owners(
    opened: &OpenGeneration,
    deals: &[Opportunity],
) -> Result<BTreeMap<SalesforceId, Record>, PortError> {
    let ids: BTreeSet<SalesforceId> = deals.iter().filter_map(|deal| deal.owner).collect();
    let ids: Vec<SalesforceId> = ids.into_iter().collect();
    let users = opened.records.get(SObject::User, &ids).await?;
    Ok(users.into_iter().map(|user| (user.id, user)).collect())
}

/// What the import tells of a user's access.
async fn access(
    opened: &OpenGeneration,
    (user, restricted): (SalesforceId, bool),
    account: SalesforceId,
    owners: &BTreeMap<SalesforceId, Record>,
) -> Result<Access, PortError> {
    let only_own = Access { user: Some(user), restricted, ..Access::default() };
    if restricted {
        return Ok(only_own);
    }
    let members = opened.records.some_children(account, Relation::AccountTeamMember, MOST);
    let (members, _) = members.await?;
    let members = opened.records.get(SObject::AccountTeamMember, &members).await?;
    let in_team = members.iter().any(|member| {
        let is = |name, id| member.fields.reference(name) == Some(id);
        is("UserId", user) && is("AccountId", account) && lets_see(&member.fields)
    });
    let own = opened.records.one(SObject::User, user).await?;
    let own = own.and_then(|own| own.fields.reference("UserRoleId"));
    let Some(own) = own else { return Ok(Access { in_team, ..only_own }) };
    let role = |owner: &Record| owner.fields.reference("UserRoleId");
    let parents = parents(opened, owners.values().filter_map(role).collect()).await?;
    let is_below = |owner: &&Record| role(owner).is_some_and(|r| is_above(own, r, &parents));
    let below = owners.values().filter(is_below).map(|owner| owner.id).collect();
    Ok(Access { in_team, below, ..only_own })
}

/// The parents of these roles, and theirs, up to the top.
async fn parents(
    opened: &OpenGeneration,
    mut roles: BTreeSet<SalesforceId>,
) -> Result<BTreeMap<SalesforceId, SalesforceId>, PortError> {
    let mut parents = BTreeMap::new();
    for _ in 0..DEEPEST {
        if roles.is_empty() {
            break;
        }
        let ids: Vec<SalesforceId> = std::mem::take(&mut roles).into_iter().collect();
        for role in opened.records.get(SObject::UserRole, &ids).await? {
            if let Some(parent) = role.fields.reference("ParentRoleId") {
                parents.insert(role.id, parent);
                if !parents.contains_key(&parent) {
                    roles.insert(parent);
                }
            }
        }
    }
    Ok(parents)
}
