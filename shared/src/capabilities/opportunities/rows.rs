//! The columns of an account list: of each account the opportunities that its viewer or somebody
//! who works on the list with them owns.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use matching::EntityKind;

use super::panel::{OpportunityPanels, named, owners};
use super::{Opportunity, sort};
use crate::capabilities::custody::{LookupError, OpenGeneration};
use crate::capabilities::seats::{self, crm_user_of};
use crate::capabilities::settings;
use crate::kernel::{EntityId, SeatId, TenantEnvironment};
use crate::ports::PortError;
use crate::salesforce::SalesforceId;
use crate::store::Stored;
use crate::work::{WorkError, boxed};

/// How many seats' CRM users, or accounts' opportunities, are read at once.
const AT_ONCE: usize = 8;

/// How many opportunities a row has.
const PER_ROW: usize = 5;

/// An account of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// The company.
    pub company: EntityId,
    /// The account that it is matched to; none if it is matched to none.
    pub account: Option<SalesforceId>,
    /// The opportunities, as in the panel, each with its owner's name.
    pub opportunities: Vec<(Opportunity, Option<String>)>,
    /// There are more of them.
    pub more: bool,
}

impl OpportunityPanels {
    /// Rows for some companies, in their order: with the opportunities that `viewer` or one of
    /// `others` owns. With restricted data mode, the viewer's alone.
    ///
    /// # Errors
    /// When no org is connected.
    #[must_use]
    #[boxed]
    pub async fn rows(
        &self,
        at: TenantEnvironment,
        viewer: SeatId,
        others: &BTreeSet<SeatId>,
        companies: &[EntityId],
    ) -> Result<(OpenGeneration, Vec<AccountRow>), LookupError> {
        let opened = self.custody.shown(at).await?;
        let kept = self.store.read(&settings::keys::settings(at)).await?.unwrap_or_default();
        let colleagues = others.iter().filter(|_| !kept.settings.restricted_data);
        let seats = colleagues.copied().chain([viewer]).collect();
        let users = self.users(&opened, seats).await?;
        let slots = companies.iter().map(|of| opened.keys.entity(EntityKind::Company, of));
        let slots: Vec<_> = slots.collect();
        let linked = opened.store.load_many(slots).await?.into_iter().map(Stored::into_inner);
        let linked: BTreeMap<EntityId, SalesforceId> =
            linked.filter_map(|of| Some((of.entity, of.matched?.id))).collect();
        let (opened_now, users, linked) = (&opened, &users, &linked);
        let rows = stream::iter(companies.to_vec())
            .map(|company| async move {
                let account = linked.get(&company).copied();
                let (opportunities, more) = match account {
                    Some(account) => self.of_users(opened_now, account, users).await?,
                    None => (Vec::new(), false),
                };
                Ok::<_, PortError>(AccountRow { company, account, opportunities, more })
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok((opened, rows))
    }

    /// The CRM users of some seats. Who was removed, or is none, has none.
    async fn users(
        &self,
        opened: &OpenGeneration,
        seats: BTreeSet<SeatId>,
    ) -> Result<BTreeSet<SalesforceId>, WorkError> {
        let tenant = opened.keys.scope().tenant;
        let slots = seats.into_iter().map(|seat| seats::keys::seat(tenant, seat));
        let found = self.store.load_many(slots).await?;
        let users: Vec<Option<SalesforceId>> = stream::iter(found)
            .map(|seat| async move { crm_user_of(opened, &seat).await.map(|link| link.user) })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(users.into_iter().flatten().collect())
    }

    async fn of_users(
        &self,
        opened: &OpenGeneration,
        account: SalesforceId,
        users: &BTreeSet<SalesforceId>,
    ) -> Result<(Vec<(Opportunity, Option<String>)>, bool), PortError> {
        let (mut shown, more) = self.recent(opened, account).await?;
        shown.retain(|deal| deal.owner.is_some_and(|owner| users.contains(&owner)));
        sort(&mut shown);
        let more = more || shown.len() > PER_ROW;
        shown.truncate(PER_ROW);
        let owners = owners(opened, &shown).await?;
        Ok((named(shown, &owners), more))
    }
}
