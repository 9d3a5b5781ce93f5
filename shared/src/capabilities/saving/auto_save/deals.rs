//! The rules about open opportunities: their accounts, and the people who have a role in them.

use futures::stream::{self, StreamExt, TryStreamExt};

use super::{AutoSave, CONCURRENT_READS, Context, Wanted, stand_ins};
use crate::capabilities::importing::StageRule;
use crate::capabilities::saving::concerned::contacts_in;
use crate::capabilities::settings::SavingRule;
use crate::kernel::{Record, SObject, SeatId};
use crate::work::WorkError;

impl AutoSave {
    /// What some opportunities call for.
    pub(super) async fn of_deals(
        &self,
        context: &Context,
        mut deals: Vec<Record>,
    ) -> Result<Vec<Wanted>, WorkError> {
        deals.retain(|deal| counts(context, deal));
        deals.sort_by_key(|deal| deal.id);
        let owners = deals.iter().filter_map(|deal| deal.fields.reference("OwnerId"));
        let seats = self.seats_of(context, owners.collect()).await?;
        let owned = |deal: &Record| seats.get(&deal.fields.reference("OwnerId")?).copied();
        let deals: Vec<(Record, SeatId)> =
            deals.into_iter().filter_map(|deal| owned(&deal).map(|seat| (deal, seat))).collect();
        let accounts = deals.iter().filter_map(|(deal, _)| deal.fields.reference("AccountId"));
        let stand_ins = &stand_ins(context, accounts.collect()).await?;
        let wanted: Vec<Vec<Wanted>> = stream::iter(deals)
            .map(|(deal, seat)| async move {
                let of =
                    |(rule, (object, record))| Wanted { seat, rule, by: deal.id, object, record };
                let account = deal.fields.reference("AccountId");
                let accounts = account.and_then(|account| stand_ins.get(&account));
                let contacts = contacts_in(&context.generation.records, deal.id).await?;
                let accounts = accounts.into_iter().flatten();
                let accounts = accounts.map(|of| (SavingRule::OpportunityAccounts, *of));
                let people = contacts.into_iter().map(|contact| (SObject::Contact, contact));
                let people = people.map(|person| (SavingRule::OpportunityPeople, person));
                let records = accounts.chain(people);
                Ok::<_, WorkError>(records.map(of).collect())
            })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        Ok(wanted.into_iter().flatten().collect())
    }
}

/// True if an opportunity counts by the stage rule.
fn counts(context: &Context, deal: &Record) -> bool {
    let settings = &context.settings;
    let rule = StageRule { from: settings.stage.as_deref(), is_after: settings.after_stage };
    let (stage, is_closed) = (deal.fields.get("StageName"), deal.fields.is_true("IsClosed"));
    context.pipeline.counts(rule, stage, is_closed)
}
