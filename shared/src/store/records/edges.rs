//! The edges between records, by their lookups, and those from companies to leads.

use jiff::civil::Date;

use super::Records;
use crate::kernel::{
    EntityId, Environment, Record, SObject, federation_address, folded_user_email,
};
use crate::ports::PortError;
use crate::salesforce::SalesforceId;
use crate::store::keys::Relation;
use crate::store::{Marker, Series, Slot, Stored};

/// An edge: where it begins, its relation, and where it leads.
pub(super) type Edge = (String, Relation, String);

impl Records {
    /// The edge from a directory company to a lead whose person works there. Its key tells nobody
    /// which company that is.
    #[must_use]
    pub fn employer_edge(&self, company: &EntityId, lead: SalesforceId) -> Slot<Marker> {
        let name = self.sealer.name(company.as_str());
        self.keys.edge(&name, Relation::EmployerLead, lead.as_str())
    }

    /// The leads whose person works at a directory company. As with all edges, the caller checks
    /// the lead.
    pub async fn leads_of(&self, company: &EntityId) -> Result<Vec<SalesforceId>, PortError> {
        let name = self.sealer.name(company.as_str());
        self.ends(&self.keys.edges(&name, Relation::EmployerLead)).await
    }
}

/// The records that a record's lookups name; none of one that is gone.
pub(super) fn parents_of(record: &Record) -> impl Iterator<Item = (SalesforceId, Relation)> {
    let by: &[(&str, Relation)] = match record.object {
        SObject::Contact => {
            &[("AccountId", Relation::AccountContact), ("OwnerId", Relation::OwnerContact)]
        }
        SObject::Lead => &[("OwnerId", Relation::OwnerLead)],
        SObject::Account => &[("OwnerId", Relation::OwnerAccount)],
        SObject::Opportunity => {
            &[("AccountId", Relation::AccountOpportunity), ("OwnerId", Relation::OwnerOpportunity)]
        }
        SObject::OpportunityContactRole => {
            &[("OpportunityId", Relation::OpportunityRole), ("ContactId", Relation::ContactRole)]
        }
        SObject::AccountTeamMember => {
            &[("AccountId", Relation::AccountTeamMember), ("UserId", Relation::UserTeamMember)]
        }
        // What is private is nobody else's to know of.
        SObject::Event if record.fields.is_true("IsPrivate") => &[],
        SObject::Event => &[("WhoId", Relation::RecordEvent)],
        SObject::Note => &[("ParentId", Relation::RecordNote)],
        _ => &[],
    };
    by.iter()
        .filter_map(move |(field, relation)| Some((record.fields.reference(field)?, *relation)))
}

/// The record that a task is about, and the task's name among those: its day comes first, so that
/// the few of one day are found among thousands. A task without a day is nobody's log of an
/// activity.
pub(super) fn day_of_task(task: &Record) -> Option<(SalesforceId, String)> {
    let day = task.fields.get("ActivityDate").filter(|_| task.object == SObject::Task)?;
    let day: Date = day.parse().ok()?;
    Some((task.fields.reference("WhoId")?, format!("{day}#{}", task.id)))
}

/// The ids at the far end of the edges of a series.
pub(super) fn far_ends(
    series: &Series<Marker>,
    edges: &[Stored<Marker>],
) -> Result<Vec<SalesforceId>, PortError> {
    let child = |edge| series.name(edge).parse();
    let children: Result<Vec<_>, _> = edges.iter().map(child).collect();
    children.map_err(|error| PortError::reject("read an edge", error))
}

/// A user's address and federation id, as they are compared.
pub(super) fn addresses(environment: Environment, user: &Record) -> impl Iterator<Item = String> {
    let email = user.fields.get("Email").map(|email| folded_user_email(environment, email));
    let federation = user.fields.get("FederationIdentifier").map(federation_address);
    email.into_iter().chain(federation)
}
