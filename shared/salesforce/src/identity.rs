//! Who a token belongs to.

use jiff::Timestamp;
use serde::Deserialize;

use super::client::{Reply, parse_json};
use super::error::SalesforceError;
use super::http::Answer;
use super::id::SalesforceId;

/// Who a token belongs to, as the identity URL answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Identity {
    /// The user.
    pub user_id: SalesforceId,
    /// The org.
    pub organization_id: SalesforceId,
    /// The login name, unique over all of Salesforce.
    pub username: String,
    /// The address a seat is joined by.
    pub email: Option<String>,
    /// False until the user has confirmed the address.
    #[serde(default)]
    pub email_verified: Option<bool>,
    /// The name as the org shows it.
    #[serde(default)]
    pub display_name: Option<String>,
    /// False for a deactivated user.
    #[serde(default)]
    pub active: Option<bool>,
    /// `STANDARD` for employees.
    #[serde(default)]
    pub user_type: Option<String>,
    /// Salesforce's locale of the user, such as `en_US`.
    #[serde(default)]
    pub locale: Option<String>,
    /// When the user was last changed.
    #[serde(default, rename = "last_modified_date", deserialize_with = "lenient_datetime")]
    pub last_modified_at: Option<Timestamp>,
}

fn lenient_datetime<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(d)?;
    Ok(text.and_then(|text| super::datetime::parse_datetime(&text).ok()))
}

pub(super) async fn read_identity(answer: Answer) -> Result<Reply<Identity>, SalesforceError> {
    let (status, observed) = (answer.status(), answer.observed());
    // The identity service tells of a bad token with 403 and plain text, where the data services
    // use 401.
    if status == 403 {
        let body = answer.bytes().await.unwrap_or_default();
        return Err(match String::from_utf8_lossy(&body).trim() {
            code @ ("Bad_OAuth_Token" | "Missing_OAuth_Token") => {
                SalesforceError::Unauthorized { code: code.to_owned() }
            }
            _ => SalesforceError::from_answer(status, None, &body),
        });
    }
    let body = answer.into_success().await?.bytes().await?;
    Ok(Reply { value: parse_json(status, &body)?, observed })
}
