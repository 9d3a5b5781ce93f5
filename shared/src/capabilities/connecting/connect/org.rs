//! Asking an org who it is.

use super::{Connect, ConnectError};
use crate::salesforce::{FieldValues, QueryScope, SalesforceError, Select, Session, TokenResponse};
use crate::work::WorkError;

/// An org, in its own words.
pub(super) struct Org {
    pub(super) name: String,
    pub(super) edition: String,
    pub(super) is_sandbox: bool,
}

impl Connect {
    /// Asks the org who it is, which also proves that the user may use the API.
    pub(super) async fn ask_org(&self, token: &TokenResponse) -> Result<Org, ConnectError> {
        let session = Session {
            instance: token.instance_url.clone(),
            access_token: token.access_token.clone(),
        };
        let soql = Select::from("Organization")
            .fields(["Id", "Name", "OrganizationType", "IsSandbox"])
            .build()
            .map_err(|error| WorkError::reject("ask about the org", error))?;
        let reply = self.app.client().query(&session, QueryScope::Live, &soql).await;
        let page = reply.map_err(refusal)?.value;
        let row = page.records.into_iter().next().ok_or(ConnectError::Org(
            "the org's own record cannot be read; the user needs the permission API Enabled",
        ))?;
        let text = |field: &str| row.text(field).map(std::borrow::Cow::into_owned);
        Ok(Org {
            name: text("Name").unwrap_or_default(),
            edition: text("OrganizationType").unwrap_or_default(),
            is_sandbox: row.flag("IsSandbox").unwrap_or(false),
        })
    }
}

/// The reason for which an org does not answer its first question, in words for its admin.
fn refusal(error: SalesforceError) -> ConnectError {
    match error.code() {
        Some("API_DISABLED_FOR_ORG" | "FUNCTIONALITY_NOT_ENABLED") => ConnectError::Org(
            "this Salesforce edition has no API access; Enterprise, Performance, Unlimited and \
             Developer editions have it, Professional Edition as an add-on",
        ),
        Some("API_CURRENTLY_DISABLED") => ConnectError::Org(
            "the user who logged in lacks the permission API Enabled; an admin grants it in the \
             user's profile or by a permission set",
        ),
        _ => ConnectError::Salesforce(error),
    }
}
