//! Resolving a claim of unknown outcome: the CRM is asked whether it has the activity.

use std::time::Duration;

use jiff::Timestamp;

use super::{Logging, NOT_YET, WriteBack, built};
use crate::capabilities::activities::{ActivityState, CrmObject, NextLookup};
use crate::capabilities::custody::GrantError;
use crate::salesforce::{Condition, FieldValues, QueryScope, Record, SalesforceId, Select, Soql};
use crate::work::{Done, WorkError};

/// When a claim that nobody can look up is tried again.
const NO_LOGIN: Duration = Duration::from_mins(15);

/// How many notes one query names: it travels in a URL.
const NOTES_AT_ONCE: usize = 200;

impl WriteBack {
    /// Asks the CRM whether it has a claimed activity. After the last look that found nothing, the
    /// request is made again.
    pub(super) async fn resolve_claim(&self, logging: Logging<'_>) -> Result<Done, WorkError> {
        let ActivityState::Claimed { at, server_time, lookups, object } = logging.activity.state
        else {
            return Ok(Done::Finished);
        };
        let claimed = object.unwrap_or(logging.activity.kind.classic_object());
        let state = match NextLookup::of(at, lookups, self.ports.clock.now()) {
            NextLookup::Wait(left) => return Ok(Done::Later(left)),
            NextLookup::Over => ActivityState::Queued,
            NextLookup::Look => match self.find_by_marker(&logging, claimed, server_time).await {
                Ok(Some(id)) => return self.logged(logging.opened, &logging.activity, id).await,
                Ok(None) => {
                    ActivityState::Claimed { server_time, at, lookups: lookups + 1, object }
                }
                Err(error @ (GrantError::Dead | GrantError::Missing)) => {
                    // It stays claimed: after a new login it is looked up before anything is made.
                    tracing::warn!(error = %error, "a claimed activity waits for a login");
                    return Ok(Done::Later(NO_LOGIN));
                }
                Err(error) => return error.into_done("look an activity up"),
            },
        };
        if self.change(logging.opened, &logging.activity, state).await?.is_none() {
            tracing::debug!("another delivery looked the activity up");
        }
        Ok(Done::Later(NOT_YET))
    }

    /// Finds the row with the activity's marker, among those made about the record since the claim.
    async fn find_by_marker(
        &self,
        logging: &Logging<'_>,
        object: CrmObject,
        since: Timestamp,
    ) -> Result<Option<SalesforceId>, GrantError> {
        let (opened, grantee) = (logging.opened, logging.grantee());
        let Some(target) = &logging.activity.target else { return Ok(None) };
        // What was made about a record that is deleted went with it.
        let read = self.read_record(opened, grantee, target.record()).await?;
        let Some(parent) = read.map(|read| read.record.id) else { return Ok(None) };
        let (parent_field, text_field) = match object {
            CrmObject::Note => ("ParentId", "Body"),
            CrmObject::Task => ("WhoId", "Description"),
            CrmObject::ContentNote => return self.find_enhanced(logging, parent, since).await,
        };
        let made = [Condition::eq(parent_field, parent), Condition::ge("CreatedDate", since)];
        let select = Select::from(object.name()).fields(["Id", text_field]);
        let soql = built(&select.filter(Condition::all(made)))?;
        let marker = logging.activity.marker();
        let is_it = |row: &Record| row.text(text_field).is_some_and(|text| text.contains(&marker));
        let rows = self.rows(logging, &soql).await?;
        Ok(rows.iter().find(|row| is_it(row)).and_then(FieldValues::id))
    }

    /// Finds the enhanced note with the marker. SOQL neither searches nor gives the text of one:
    /// the text of each that was made since the claim is read by itself, and these are few.
    async fn find_enhanced(
        &self,
        logging: &Logging<'_>,
        parent: SalesforceId,
        since: Timestamp,
    ) -> Result<Option<SalesforceId>, GrantError> {
        // A query of links must name the record, and may name little else.
        let links = Select::from("ContentDocumentLink").fields(["Id", "ContentDocumentId"]);
        let links = built(&links.filter(Condition::eq("LinkedEntityId", parent)))?;
        let links = self.rows(logging, &links).await?;
        let attached = links.iter().filter_map(|row| row.text("ContentDocumentId")?.parse().ok());
        let attached: Vec<SalesforceId> = attached.collect();
        let marker = logging.activity.marker();
        for ids in attached.chunks(NOTES_AT_ONCE) {
            let made =
                [Condition::is_in("Id", ids.iter().copied()), Condition::ge("CreatedDate", since)];
            let notes = Select::from("ContentNote").fields(["Id"]).filter(Condition::all(made));
            for note in self.rows(logging, &built(&notes)?).await? {
                let Some(id) = note.id() else { continue };
                let content = self.content_of(logging, id).await?;
                if content.contains(&marker) {
                    return Ok(Some(id));
                }
            }
        }
        Ok(None)
    }

    async fn content_of(
        &self,
        logging: &Logging<'_>,
        note: SalesforceId,
    ) -> Result<String, GrantError> {
        let client = self.grants.app().client();
        let reply = self
            .grants
            .call(logging.opened, logging.grantee(), |session| async move {
                client.read_content(&session, "ContentNote", note, "Content").await
            })
            .await?;
        Ok(String::from_utf8_lossy(&reply.value).into_owned())
    }

    /// Every row of a query, as the seller sees them.
    pub(super) async fn rows(
        &self,
        logging: &Logging<'_>,
        soql: &Soql,
    ) -> Result<Vec<Record>, GrantError> {
        let (opened, grantee) = (logging.opened, logging.grantee());
        let client = self.grants.app().client();
        let mut page = self
            .grants
            .call(opened, grantee, |session| async move {
                client.query(&session, QueryScope::Live, soql).await
            })
            .await?
            .value;
        let mut rows = Vec::new();
        loop {
            rows.append(&mut page.records);
            let Some(next) = page.next.take() else { return Ok(rows) };
            let next = &next;
            page =
                self.grants
                    .call(opened, grantee, |session| async move {
                        client.query_next(&session, next).await
                    })
                    .await?
                    .value;
        }
    }
}
