//! Who left a seller's open opportunities: people with a role in them who work elsewhere by now, as
//! the directory has them.

use std::collections::BTreeSet;
use std::sync::Arc;

use matching::Fact;

use crate::capabilities::badges::{
    BadgeError, Badges, MOST_BADGES, News, employer_of, employers_accounts,
};
use crate::capabilities::custody::{Custody, LookupError, OpenGeneration};
use crate::capabilities::saving::{Saved, SavedError, SavedList, SavedLists, contacts_in};
use crate::capabilities::seats::{self, crm_user_of};
use crate::capabilities::settings::SavingRule;
use crate::kernel::{EntityId, Record, RecordRef, SObject, SeatId, TenantEnvironment};
use crate::ports::{Clock, PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::Store;
use crate::work::boxed;

/// Why the list is not shown.
#[derive(Debug, thiserror::Error)]
pub enum LeftError {
    /// The seller's list cannot be shown.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// Records cannot be compared with the directory.
    #[error(transparent)]
    Badges(#[from] BadgeError),
    /// There is no such connection.
    #[error(transparent)]
    Lookup(#[from] LookupError),
}

impl From<PortError> for LeftError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

/// A page of those who left.
#[derive(Debug)]
pub struct LeftPage {
    /// Those who left; there may be none while more pages follow.
    pub items: Vec<Left>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// Somebody who left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Who.
    pub person: EntityId,
    /// Their contact in the CRM.
    pub record: RecordRef,
    /// Where a browser opens it.
    pub record_url: String,
    /// The seller's open opportunities in which they have a role.
    pub opportunities: Vec<SalesforceId>,
    /// Their title today.
    pub title: String,
    /// Where they work today; empty where the directory does not say.
    pub company: String,
    /// That company in the directory.
    pub company_id: Option<EntityId>,
}

/// Shows who left.
#[derive(Clone)]
pub struct WhoLeft {
    store: Store,
    custody: Custody,
    saved: SavedLists,
    badges: Badges,
}

impl WhoLeft {
    /// Lists of generations that `custody` opens.
    #[must_use]
    pub fn new(ports: &Ports, custody: Custody, badges: Badges) -> Self {
        let clock: Arc<dyn Clock> = ports.clock.clone();
        let saved = SavedLists::new(clock, custody.clone());
        Self { store: Store::new(ports.clone()), custody, saved, badges }
    }

    /// A page of the people who were saved for a seat for their role in an opportunity of its, who
    /// have the role still while it is open, and whose company of today is another one. It looks
    /// at so many saved people, however many there are.
    ///
    /// # Errors
    /// When there is no connection, or the cursor is none of this list's.
    #[must_use]
    #[boxed]
    pub async fn page(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        cursor: Option<&str>,
    ) -> Result<LeftPage, LeftError> {
        let saved = self.saved.some(at, seat, SavedList::Leads, cursor, MOST_BADGES).await?;
        let by_role: Vec<Saved> =
            saved.items.into_iter().filter(|saved| deals_of(saved).next().is_some()).collect();
        let opened = self.custody.shown(at).await?;
        let open = self.own_open_deals(&opened, at, seat, &by_role).await?;
        let in_open = |saved: &&Saved| deals_of(saved).any(|deal| open.contains(&deal));
        let people: Vec<EntityId> =
            by_role.iter().filter(in_open).map(|saved| saved.entity.clone()).collect();
        let news = self.badges.news_of(at, &people).await?;
        let accounts = employers_accounts(&opened, &news).await?;
        let has_left = |news: &News| {
            let works_elsewhere = news.link.outdated.iter().any(|of| of.fact == Fact::Company);
            works_elsewhere && !news.is_at_home(&accounts)
        };
        let mut items = Vec::new();
        for news in news.into_iter().filter(has_left) {
            let Some(saved) = by_role.iter().find(|saved| saved.entity == news.person) else {
                continue;
            };
            let mut opportunities = Vec::new();
            for deal in deals_of(saved).filter(|deal| open.contains(deal)) {
                // A role may be gone since.
                let contacts = contacts_in(&opened.records, deal).await?;
                if contacts.contains(&saved.record) || contacts.contains(&news.link.record.id) {
                    opportunities.push(deal);
                }
            }
            if !opportunities.is_empty() {
                items.push(Left::of(news, opportunities));
            }
        }
        Ok(LeftPage { items, next: saved.next })
    }

    /// Those of the opportunities for which people were saved that are open, and the seat's still.
    async fn own_open_deals(
        &self,
        opened: &OpenGeneration,
        at: TenantEnvironment,
        seat: SeatId,
        saved: &[Saved],
    ) -> Result<BTreeSet<SalesforceId>, LeftError> {
        let seat = self.store.read(&seats::keys::seat(at.tenant, seat)).await?;
        let seat = seat.ok_or(LookupError::NotFound("seat"))?;
        let user = crm_user_of(opened, &seat).await?.user;
        let named: BTreeSet<SalesforceId> = saved.iter().flat_map(deals_of).collect();
        let named: Vec<SalesforceId> = named.into_iter().collect();
        let deals = opened.records.get(SObject::Opportunity, &named).await?;
        let is_own = |deal: &&Record| {
            let owner = deal.fields.reference("OwnerId");
            owner.is_some() && owner == user && !deal.fields.is_true("IsClosed")
        };
        Ok(deals.iter().filter(is_own).map(|deal| deal.id).collect())
    }
}

impl Left {
    fn of(news: News, opportunities: Vec<SalesforceId>) -> Self {
        let company_id = employer_of(&news.body);
        Self {
            record: news.link.record,
            record_url: news.link.url,
            opportunities,
            title: news.body.title,
            company: news.body.company.map(|company| company.name).unwrap_or_default(),
            company_id,
            person: news.person,
        }
    }
}

/// The opportunities for a role in which somebody was saved.
fn deals_of(saved: &Saved) -> impl Iterator<Item = SalesforceId> + '_ {
    let by_role = saved.reasons.iter().filter(|of| of.rule == SavingRule::OpportunityPeople);
    by_role.map(|reason| reason.record)
}
