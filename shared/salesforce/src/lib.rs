//! The Salesforce client: OAuth, REST and Bulk API 2.0.
//!
//! It knows HTTP and Salesforce's wire forms, and nothing of AWS, of clocks or of random sources:
//! time and entropy are passed in.
//!
//! Invariants:
//!
//! - A request can be built only for a [`LoginHost`], an [`InstanceUrl`] or an [`IdentityUrl`], and
//!   those can be made only from a host on Salesforce's own domains. Redirects are never followed.
//! - A query can be sent only as [`Soql`], and only [`Select`] makes one.
//! - Tokens are [`secrecy::SecretString`]s. No error, `Debug` or log text of this module holds one,
//!   nor the query or the body sent.

mod advice;
mod api_error;
mod attach;
mod bulk;
mod client;
mod csv;
mod datetime;
mod decode;
mod describe;
mod duplicates;
mod error;
mod hosts;
mod http;
mod id;
mod identity;
mod job_id;
mod limits;
mod literal;
mod oauth;
mod oauth_error;
mod pkce;
mod query;
mod quotation;
mod record;
mod resolver;
mod rest;
mod scope;
mod soql;
mod token;
#[cfg(test)]
mod wire_tests;
mod write;

pub use advice::Advice;
pub use api_error::{ApiError, LimitKind};
pub use bulk::{BulkOperation, JobState, Locator, QueryJob, ResultPage, ResultPages, ResultRows};
pub use client::{ApiVersion, Client, Reply, Session};
pub use csv::{CsvError, CsvReader, Row, RowFault, RowReader};
pub use datetime::{
    DateTimeError, format_datetime, parse_date, parse_datetime, parse_epoch_millis, parse_http_date,
};
pub use describe::{
    ChildRelationship, FieldDescribe, ObjectDescribe, ObjectSummary, PicklistValue, RecordTypeInfo,
};
pub use duplicates::{DuplicateMatch, DuplicateRuleHit};
pub use error::{SalesforceError, TransportError};
pub use hosts::{HostError, HostPolicy, IdentityUrl, InstanceUrl, LoginHost, Realm};
pub use http::{Http, HttpError, HttpOptions};
pub use id::{ParseIdError, SalesforceId};
pub use identity::Identity;
pub use job_id::JobId;
pub use limits::{ApiUsage, Budget, Observed, OrgLimit, OrgLimits};
pub use literal::Value;
pub use oauth::{AppCredentials, AuthorizationRequest, OAuthClient, Prompt};
pub use oauth_error::{GrantStep, OAuthError, UntrustedToken};
pub use pkce::{Pkce, PkceError};
pub use query::{QueryLocator, QueryLocatorError, QueryPage, QueryScope};
pub use record::{FieldValues, Record};
pub use resolver::is_public;
pub use rest::{DeletedRecord, DeletedRecords};
pub use scope::{Scope, Scopes};
pub use soql::{Condition, Direction, Select, Soql, SoqlError};
pub use token::TokenResponse;
pub use write::{DuplicateRuleHandling, NewRecord, WriteOptions, WriteRow};
