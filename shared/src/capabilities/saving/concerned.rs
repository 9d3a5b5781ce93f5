//! The opportunities that a change of a record concerns.

use std::collections::BTreeSet;

use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::importing::AccountModel;
use crate::kernel::{Record, SObject};
use crate::ports::PortError;
use crate::salesforce::SalesforceId;
use crate::store::Records;
use crate::store::keys::Relation;
use crate::work::WorkError;

/// The opportunities that a change of these records may concern.
pub(super) async fn opportunities_of(
    generation: &OpenGeneration,
    accounts: AccountModel,
    object: SObject,
    ids: &[SalesforceId],
) -> Result<BTreeSet<SalesforceId>, WorkError> {
    let records = &generation.records;
    match object {
        SObject::Opportunity => Ok(ids.iter().copied().collect()),
        SObject::Account => children(generation, Relation::AccountOpportunity, ids).await,
        SObject::User => {
            // Who shares an address with a user may be the seat's one user now, or not any more.
            let mut users = BTreeSet::new();
            for &user in ids {
                users.extend(records.users_beside(user).await?);
            }
            let users: Vec<SalesforceId> = users.into_iter().collect();
            children(generation, Relation::OwnerOpportunity, &users).await
        }
        SObject::OpportunityContactRole => {
            let roles = records.get(object, ids).await?;
            Ok(named(&roles, "OpportunityId").into_iter().collect())
        }
        SObject::Contact => {
            let roles = children(generation, Relation::ContactRole, ids).await?;
            let roles: Vec<SalesforceId> = roles.into_iter().collect();
            let roles = records.get(SObject::OpportunityContactRole, &roles).await?;
            let mut concerned: BTreeSet<_> = named(&roles, "OpportunityId").into_iter().collect();
            if accounts == AccountModel::Person {
                // The contact of a person account needs no role.
                let contacts = records.get(object, ids).await?;
                let of = named(&contacts, "AccountId");
                concerned.extend(children(generation, Relation::AccountOpportunity, &of).await?);
            }
            Ok(concerned)
        }
        _ => Ok(BTreeSet::new()),
    }
}

async fn children(
    generation: &OpenGeneration,
    relation: Relation,
    parents: &[SalesforceId],
) -> Result<BTreeSet<SalesforceId>, WorkError> {
    let mut all = BTreeSet::new();
    for &parent in parents {
        all.extend(generation.records.children(parent, relation).await?);
    }
    Ok(all)
}

/// The records that a lookup of these names.
pub(super) fn named(records: &[Record], field: &str) -> Vec<SalesforceId> {
    records.iter().filter_map(|record| record.fields.reference(field)).collect()
}

/// The contacts who have a role in an opportunity.
pub(crate) async fn contacts_in(
    records: &Records,
    opportunity: SalesforceId,
) -> Result<BTreeSet<SalesforceId>, PortError> {
    let roles = records.children(opportunity, Relation::OpportunityRole).await?;
    let roles = records.get(SObject::OpportunityContactRole, &roles).await?;
    let of_opportunity =
        roles.iter().filter(|role| role.fields.reference("OpportunityId") == Some(opportunity));
    Ok(of_opportunity.filter_map(|role| role.fields.reference("ContactId")).collect())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::testing::record_id;

    #[test]
    fn a_field_that_names_no_record_is_passed_over() {
        let account = record_id("001", 7);
        let of = |id: &str| {
            let fields = [("AccountId", id.to_owned())].into_iter().collect();
            Record::read(SObject::Contact, record_id("003", 1), Timestamp::UNIX_EPOCH, fields)
        };
        let records = [of(account.as_str()), of(&account.as_str()[..15]), of("gone"), of("")];
        assert_eq!(named(&records, "AccountId"), [account, account]);
    }
}
