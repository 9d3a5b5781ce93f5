//! Resolving a claim of unknown outcome: the CRM is asked whether it has the activity.

use std::time::Duration;

use jiff::Timestamp;

use super::{Logging, NOT_YET, WriteBack};
use crate::capabilities::activities::{ActivityKind, ActivityState, NextLookup};
use crate::capabilities::custody::GrantError;
use crate::salesforce::{Condition, FieldValues, QueryScope, SalesforceId, Select};
use crate::work::{Done, WorkError};

/// When a claim that nobody can look up is tried again.
const NO_LOGIN: Duration = Duration::from_mins(15);

impl WriteBack {
    /// Asks the CRM whether it has a claimed activity. After the last look that found nothing, the
    /// request is made again.
    pub(super) async fn resolve_claim(
        &self,
        logging: Logging<'_>,
        at: Timestamp,
        server_time: Timestamp,
        lookups: u32,
    ) -> Result<Done, WorkError> {
        let state = match NextLookup::of(at, lookups, self.ports.clock.now()) {
            NextLookup::Wait(left) => return Ok(Done::Later(left)),
            NextLookup::Over => ActivityState::Queued,
            NextLookup::Look => match self.find_by_marker(&logging, server_time).await {
                Ok(Some(id)) => return self.logged(logging.opened, &logging.activity, id).await,
                Ok(None) => ActivityState::Claimed { server_time, at, lookups: lookups + 1 },
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
        since: Timestamp,
    ) -> Result<Option<SalesforceId>, GrantError> {
        let (opened, grantee) = (logging.opened, logging.grantee());
        let parent = self.read_target(opened, grantee, &logging.target).await?.target.record;
        let (object, parent_field, text_field) = match logging.activity.kind {
            ActivityKind::Note => ("Note", "ParentId", "Body"),
            ActivityKind::Message | ActivityKind::Inmail => ("Task", "WhoId", "Description"),
        };
        let made = [Condition::eq(parent_field, parent), Condition::ge("CreatedDate", since)];
        let select = Select::from(object).fields(["Id", text_field]).filter(Condition::all(made));
        let soql = &select.build().map_err(|e| WorkError::reject("look an activity up", e))?;
        let client = self.grants.app().client();
        let marker = logging.activity.marker();
        let mut page = self
            .grants
            .call(opened, grantee, |session| async move {
                client.query(&session, QueryScope::Live, soql).await
            })
            .await?
            .value;
        loop {
            let found = page
                .records
                .iter()
                .find(|row| row.text(text_field).is_some_and(|text| text.contains(&marker)));
            if let Some(id) = found.and_then(FieldValues::id) {
                return Ok(Some(id));
            }
            let Some(next) = page.next.take() else { return Ok(None) };
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
