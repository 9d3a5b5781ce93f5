//! Making the row of an activity in the CRM, as its seller.

use super::{Logging, WriteBack};
use crate::capabilities::activities::target::is_of_its_account;
use crate::capabilities::activities::{Activity, CrmRow, RowMaking, crm_row};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::settings::Settings;
use crate::kernel::{Grantee, RecordRef};
use crate::salesforce::{
    Client, NewRecord, Reply, SalesforceError, SalesforceId, Session, WriteOptions,
};
use crate::work::WorkError;

impl WriteBack {
    /// The row that an activity becomes now, about this record.
    pub(super) async fn row(
        &self,
        logging: &Logging<'_>,
        record: RecordRef,
        owner: SalesforceId,
        settings: &Settings,
    ) -> Result<CrmRow, WorkError> {
        let Logging { opened, activity, .. } = logging;
        let (text, time_zone) = (logging.text()?, &logging.time_zone());
        let kind = activity.kind;
        let making = RowMaking {
            record,
            owner,
            object: kind.object(settings),
            record_type: kind.record_type(settings),
            product: &self.product,
            time_zone,
        };
        // The seller chose it for the record as it was: another record's account may be another.
        let mut activity = Activity::clone(activity);
        if let Some(opportunity) = activity.opportunity
            && !is_of_its_account(opened, opportunity, record).await?
        {
            activity.opportunity = None;
        }
        Ok(crm_row(&activity, &text, &making))
    }

    pub(super) async fn create(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        row: &CrmRow,
    ) -> Result<SalesforceId, GrantError> {
        let client = self.grants.app().client();
        let create = |session| async move { create_row(client, &session, row).await };
        Ok(self.grants.call(opened, grantee, create).await?.value)
    }
}

/// Creates a row, and what attaches it to its record, both or neither.
pub(crate) async fn create_row(
    client: &Client,
    session: &Session,
    row: &CrmRow,
) -> Result<Reply<SalesforceId>, SalesforceError> {
    let object = row.object.name();
    let Some(record) = row.attached_to else {
        return client.create(session, object, &row.fields, WriteOptions::default()).await;
    };
    let note = NewRecord { object: object.to_owned(), fields: row.fields.clone() };
    client.create_attached(session, &note, &link_to(record), "ContentDocumentId").await
}

/// What attaches an enhanced note to a record, for those to read who see the record.
fn link_to(record: SalesforceId) -> NewRecord {
    let fields = [("LinkedEntityId", record.to_string()), ("ShareType", "V".to_owned())];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.into()));
    NewRecord { object: "ContentDocumentLink".to_owned(), fields: fields.into_iter().collect() }
}
