//! Creating a record together with the one that attaches it to another: a file or an enhanced note,
//! and its link.

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{Client, Reply, Session};
use super::error::SalesforceError;
use super::id::SalesforceId;
use super::soql::object_name;
use super::write::NewRecord;

/// By this name the second part of the call knows the first one's record.
const REFERENCE: &str = "made";

/// What the other parts of a call say when one of them failed.
const HALTED: [&str; 2] = ["PROCESSING_HALTED", "ALL_OR_NONE_OPERATION_ROLLED_BACK"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parts {
    composite_response: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    body: Value,
    http_status_code: u16,
    reference_id: String,
}

impl Part {
    fn is_done(&self) -> bool {
        (200..300).contains(&self.http_status_code)
    }

    /// True if it failed only because another part did.
    fn is_halted(&self) -> bool {
        self.body[0]["errorCode"].as_str().is_some_and(|code| HALTED.contains(&code))
    }

    fn into_error(self) -> SalesforceError {
        let body = self.body.to_string();
        SalesforceError::from_answer(self.http_status_code, None, body.as_bytes())
    }
}

impl Client {
    /// Creates a record, and another whose field `by` names it, both or neither; gives the first
    /// one's id. On an error, ask [`SalesforceError::is_outcome_unknown`] before doing it again.
    pub async fn create_attached(
        &self,
        session: &Session,
        record: &NewRecord,
        link: &NewRecord,
        by: &str,
    ) -> Result<Reply<SalesforceId>, SalesforceError> {
        let mut attaching: Map<String, Value> = link.fields.clone();
        attaching.insert(object_name(by)?.to_owned(), json!(format!("@{{{REFERENCE}.id}}")));
        let parts = [
            self.part(&record.object, REFERENCE, &record.fields)?,
            self.part(&link.object, "link", &attaching)?,
        ];
        let body = json!({ "allOrNone": true, "compositeRequest": parts });
        let request = self
            .request(Method::POST, &["composite"])
            .header("sforce-auto-assign", HeaderValue::from_static("FALSE"))
            .body("application/json", body.to_string().into_bytes());
        let reply: Reply<Parts> = self.send_json(session, request).await?;
        let observed = reply.observed;
        Ok(Reply { value: made(reply.value)?, observed })
    }

    fn part(
        &self,
        object: &str,
        reference: &str,
        fields: &Map<String, Value>,
    ) -> Result<Value, SalesforceError> {
        let url = format!("/services/data/{}/sobjects/{}", self.version, object_name(object)?);
        Ok(json!({ "method": "POST", "url": url, "referenceId": reference, "body": fields }))
    }
}

/// The id of the record that was made, or why nothing was.
fn made(parts: Parts) -> Result<SalesforceId, SalesforceError> {
    let mut failed: Vec<Part> = Vec::new();
    let mut id = None;
    for part in parts.composite_response {
        if !part.is_done() {
            failed.push(part);
        } else if part.reference_id == REFERENCE {
            id = part.body["id"].as_str().and_then(|id| id.parse().ok());
        }
    }
    let first = failed.iter().position(|part| !part.is_halted()).unwrap_or(0);
    if first < failed.len() {
        return Err(failed.swap_remove(first).into_error());
    }
    id.ok_or(SalesforceError::Protocol { status: 200, problem: "a composite without its record" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::Advice;

    fn answer(note: (u16, Value), link: (u16, Value)) -> Result<SalesforceId, SalesforceError> {
        let part = |(status, body): (u16, Value), name: &str| Part {
            body,
            http_status_code: status,
            reference_id: name.to_owned(),
        };
        made(Parts { composite_response: vec![part(note, REFERENCE), part(link, "link")] })
    }

    fn error(code: &str) -> Value {
        json!([{ "errorCode": code, "message": "no" }])
    }

    #[test]
    fn the_record_that_was_attached_is_named() {
        let created = json!({ "id": "069000000000001AAA", "success": true });
        let link = json!({ "id": "06A000000000001AAA", "success": true });
        let id = answer((201, created), (201, link)).unwrap();
        assert_eq!(id.as_str(), "069000000000001AAA");
    }

    #[test]
    fn the_part_that_failed_says_why_and_not_the_one_that_was_halted() {
        let failed = answer((400, error("PROCESSING_HALTED")), (400, error("UNABLE_TO_LOCK_ROW")));
        let failed = failed.unwrap_err();
        assert_eq!(failed.code(), Some("UNABLE_TO_LOCK_ROW"));
        assert_eq!(failed.advice(), Advice::Retry { after: None });
        let both = answer((400, error("PROCESSING_HALTED")), (400, error("PROCESSING_HALTED")));
        assert!(both.is_err());
    }

    #[test]
    fn an_answer_without_the_record_leaves_the_outcome_unknown() {
        let failed = answer((201, json!({})), (201, json!({}))).unwrap_err();
        assert!(failed.is_outcome_unknown());
        assert!(made(Parts { composite_response: vec![] }).unwrap_err().is_outcome_unknown());
    }
}
