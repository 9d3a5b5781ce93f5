//! Making the row of an activity in the CRM, as its seller.

use jiff::tz::TimeZone;

use super::{Logging, WriteBack};
use crate::capabilities::activities::target::is_of_its_account;
use crate::capabilities::activities::{Activity, ActivityText, CrmRow, RowMaking, crm_row};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::settings::Settings;
use crate::kernel::{Grantee, RecordRef};
use crate::salesforce::{NewRecord, SalesforceId, WriteOptions};
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
        let Logging { opened, activity, seat } = logging;
        let body = activity.body().unwrap_or_default();
        let text: ActivityText = opened.unsealed(&activity.slot(), body)?;
        let time_zone = &TimeZone::get(&seat.time_zone).unwrap_or(TimeZone::UTC);
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
        let object = row.object.name();
        let reply = match row.attached_to {
            None => {
                self.grants
                    .call(opened, grantee, |session| async move {
                        let options = WriteOptions::default();
                        client.create(&session, object, &row.fields, options).await
                    })
                    .await?
            }
            Some(record) => {
                let note = &NewRecord { object: object.to_owned(), fields: row.fields.clone() };
                let link = &link_to(record);
                self.grants
                    .call(opened, grantee, |session| async move {
                        client.create_attached(&session, note, link, "ContentDocumentId").await
                    })
                    .await?
            }
        };
        Ok(reply.value)
    }
}

/// What attaches an enhanced note to a record, for those to read who see the record.
fn link_to(record: SalesforceId) -> NewRecord {
    let fields = [("LinkedEntityId", record.to_string()), ("ShareType", "V".to_owned())];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.into()));
    NewRecord { object: "ContentDocumentLink".to_owned(), fields: fields.into_iter().collect() }
}
