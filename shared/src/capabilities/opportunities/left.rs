//! Who left a seller's open opportunities: people with a role in them who work elsewhere by now, as
//! the directory has them.

use std::collections::BTreeSet;
use std::sync::Arc;

use matching::Fact;

use crate::capabilities::badges::{
    BadgeError, Badges, MOST_BADGES, News, employer_of, employers_accounts,
};
use crate::capabilities::custody::{Custody, LookupError};
use crate::capabilities::saving::{Saved, SavedError, SavedList, SavedLists};
use crate::capabilities::settings::SavingRule;
use crate::kernel::{EntityId, RecordRef, SObject, SeatId, TenantEnvironment};
use crate::ports::{Clock, PortError, Ports};
use crate::salesforce::SalesforceId;

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
        Self { custody, saved, badges }
    }

    /// A page of the people who were saved for a seat for their role in an opportunity of its that
    /// is open still, and whose company of today is another one. It looks at so many saved people,
    /// however many there are.
    ///
    /// # Errors
    /// When there is no connection, or the cursor is none of this list's.
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
        let named: BTreeSet<SalesforceId> = by_role.iter().flat_map(deals_of).collect();
        let named: Vec<SalesforceId> = named.into_iter().collect();
        let deals = opened.records.get(SObject::Opportunity, &named).await?;
        let open = deals.iter().filter(|deal| !deal.fields.is_true("IsClosed"));
        let open: BTreeSet<SalesforceId> = open.map(|deal| deal.id).collect();
        let in_open = |saved: &&Saved| deals_of(saved).any(|deal| open.contains(&deal));
        let people: Vec<EntityId> =
            by_role.iter().filter(in_open).map(|saved| saved.entity.clone()).collect();
        let news = self.badges.news_of(at, &people).await?;
        let accounts = employers_accounts(&opened, &news).await?;
        let has_left = |news: &News| {
            let works_elsewhere = news.link.outdated.iter().any(|of| of.fact == Fact::Company);
            works_elsewhere && !news.is_at_home(&accounts)
        };
        let items = news.into_iter().filter(has_left).map(|news| {
            let deals = by_role.iter().filter(|saved| saved.entity == news.person);
            let deals = deals.flat_map(deals_of).filter(|deal| open.contains(deal));
            let company = news.body.company.as_ref().map(|company| company.name.clone());
            Left {
                record: news.link.record,
                record_url: news.link.url,
                opportunities: deals.collect(),
                title: news.body.title.clone(),
                company: company.unwrap_or_default(),
                company_id: employer_of(&news.body),
                person: news.person,
            }
        });
        Ok(LeftPage { items: items.collect(), next: saved.next })
    }
}

/// The opportunities for a role in which somebody was saved.
fn deals_of(saved: &Saved) -> impl Iterator<Item = SalesforceId> + '_ {
    let by_role = saved.reasons.iter().filter(|of| of.rule == SavingRule::OpportunityPeople);
    by_role.map(|reason| reason.record)
}
