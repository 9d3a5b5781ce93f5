//! Errors of the REST API: a JSON array with a code and a message.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use crate::reply::json;
use crate::soql::SoqlError;

/// A refused call.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    /// Fields at fault; `None` leaves the key out, as Salesforce does where no record is involved.
    pub(crate) fields: Option<Vec<String>>,
    /// The body of a duplicate rule's refusal.
    pub(crate) duplicates: Option<Box<Json>>,
}

impl ApiError {
    /// An error with a status.
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            fields: None,
            duplicates: None,
        }
    }

    /// A 400 without fields.
    pub(crate) fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A 400 about fields of a record.
    pub(crate) fn fields(code: &str, message: impl Into<String>, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Self { fields: Some(fields), ..Self::bad(code, message) }
    }

    /// 404 for what does not exist or may not be seen.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "The requested resource does not exist")
    }

    /// 401.
    pub(crate) fn invalid_session() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", "Session expired or invalid")
    }

    /// The reply: an array of one.
    pub(crate) fn into_response(self) -> Response<Body> {
        let status = self.status;
        json(status, &json!([self.body("errorCode")]))
    }

    /// The error as an object; its code's key is `errorCode` at the top and `statusCode` in
    /// collections.
    pub(crate) fn body(self, code_key: &str) -> Json {
        let mut body = serde_json::Map::new();
        if code_key == "statusCode" {
            body.insert(code_key.to_owned(), self.code.as_str().into());
        }
        if let Some((key, duplicates)) =
            self.duplicates.as_ref().and_then(|d| d.as_object()?.iter().next())
        {
            body.insert(key.clone(), duplicates.clone());
        }
        body.insert("message".to_owned(), self.message.into());
        if code_key != "statusCode" {
            body.insert(code_key.to_owned(), self.code.into());
        }
        if let Some(fields) = self.fields {
            body.insert("fields".to_owned(), fields.into());
        }
        Json::Object(body)
    }
}

impl From<SoqlError> for ApiError {
    fn from(error: SoqlError) -> Self {
        Self::bad(error.code, error.message)
    }
}

/// A handler's result.
pub(crate) type Reply = Result<Response<Body>, ApiError>;
