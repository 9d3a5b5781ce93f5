//! The edges between records, by their lookups.

use crate::kernel::{Record, SObject};
use crate::salesforce::SalesforceId;
use crate::store::keys::Relation;

/// An edge: where it begins, its relation, and where it leads.
pub(super) type Edge = (String, Relation, String);

/// The records that a record's lookups name; none of one that is gone.
pub(super) fn parents_of(record: &Record) -> impl Iterator<Item = (SalesforceId, Relation)> {
    let by: &[(&str, Relation)] = match record.object {
        SObject::Contact => &[("AccountId", Relation::AccountContact)],
        SObject::Account => &[("OwnerId", Relation::OwnerAccount)],
        SObject::Opportunity => {
            &[("AccountId", Relation::AccountOpportunity), ("OwnerId", Relation::OwnerOpportunity)]
        }
        SObject::OpportunityContactRole => {
            &[("OpportunityId", Relation::OpportunityRole), ("ContactId", Relation::ContactRole)]
        }
        SObject::AccountTeamMember => &[("AccountId", Relation::AccountTeamMember)],
        _ => &[],
    };
    by.iter()
        .filter_map(move |(field, relation)| Some((record.fields.reference(field)?, *relation)))
}
