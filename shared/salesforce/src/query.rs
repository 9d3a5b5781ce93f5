//! REST queries and their pages.

use futures::{Stream, stream};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};

use super::client::{Client, Reply, Session};
use super::error::SalesforceError;
use super::http::Request;
use super::record::Record;
use super::soql::Soql;

/// Which rows a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryScope {
    /// `query`: rows that are neither deleted nor archived.
    Live,
    /// `queryAll`: all rows, those in the recycle bin and archived activities too.
    All,
}

/// Where the next page of a query is. It lives two days at Salesforce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueryLocator(String);

/// The locator is not a path that Salesforce gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a query's next page")]
pub struct QueryLocatorError;

impl TryFrom<String> for QueryLocator {
    type Error = QueryLocatorError;

    /// Takes `/services/data/v62.0/query/…` and nothing that could lead elsewhere on the host.
    fn try_from(path: String) -> Result<Self, QueryLocatorError> {
        let parts: Vec<&str> = path.split('/').collect();
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=".contains(&b))
        };
        match parts.as_slice() {
            ["", "services", "data", version, "query" | "queryAll", locator]
                if plain(version) && plain(locator) =>
            {
                Ok(Self(path))
            }
            _ => Err(QueryLocatorError),
        }
    }
}

impl From<QueryLocator> for String {
    fn from(locator: QueryLocator) -> Self {
        locator.0
    }
}

/// One page of a query's rows.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryPage {
    /// Rows of the whole query.
    pub total_size: u64,
    /// The rows; Salesforce may give fewer than 2,000 on any page.
    pub records: Vec<Record>,
    /// The next page, if this is not the last.
    pub next: Option<QueryLocator>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryPageWire {
    total_size: u64,
    done: bool,
    #[serde(default)]
    next_records_url: Option<String>,
    #[serde(default)]
    records: Vec<Record>,
}

impl QueryPageWire {
    fn into_page(self) -> Result<QueryPage, SalesforceError> {
        let problem = "a page that is not the last and names no next one";
        let broken = || SalesforceError::Protocol { status: 200, problem };
        let next = match (self.done, self.next_records_url) {
            (true, _) => None,
            (false, Some(path)) => Some(QueryLocator::try_from(path).map_err(|_| broken())?),
            (false, None) => return Err(broken()),
        };
        Ok(QueryPage { total_size: self.total_size, records: self.records, next })
    }
}

impl Client {
    /// Runs a query and gives its first page.
    pub async fn query(
        &self,
        session: &Session,
        scope: QueryScope,
        soql: &Soql,
    ) -> Result<Reply<QueryPage>, SalesforceError> {
        let path = match scope {
            QueryScope::Live => "query",
            QueryScope::All => "queryAll",
        };
        let request = self.request(Method::GET, &[path]).query("q", soql.as_str());
        self.send_query(session, request).await
    }

    /// Gives the next page of a query.
    pub async fn query_next(
        &self,
        session: &Session,
        locator: &QueryLocator,
    ) -> Result<Reply<QueryPage>, SalesforceError> {
        let request = Request::new(Method::GET, locator.0.split('/').skip(1));
        self.send_query(session, request).await
    }

    async fn send_query(
        &self,
        session: &Session,
        request: Request,
    ) -> Result<Reply<QueryPage>, SalesforceError> {
        // A wish that Salesforce bounds by the width of the rows.
        let request =
            request.header("sforce-query-options", HeaderValue::from_static("batchSize=2000"));
        let reply: Reply<QueryPageWire> = self.send_json(session, request).await?;
        Ok(Reply { value: reply.value.into_page()?, observed: reply.observed })
    }

    /// Runs a query and gives its pages one after the other, each fetched when it is asked for.
    /// Ends after the first error.
    pub fn query_pages<'a>(
        &'a self,
        session: &'a Session,
        scope: QueryScope,
        soql: &'a Soql,
    ) -> impl Stream<Item = Result<Reply<QueryPage>, SalesforceError>> + Send + 'a {
        enum Next {
            First,
            At(QueryLocator),
            End,
        }
        stream::unfold(Next::First, move |next| async move {
            let page = match next {
                Next::First => self.query(session, scope, soql).await,
                Next::At(locator) => self.query_next(session, &locator).await,
                Next::End => return None,
            };
            let locator = page.as_ref().ok().and_then(|page| page.value.next.clone());
            Some((page, locator.map_or(Next::End, Next::At)))
        })
    }

    /// The number of rows of a query, best made by [`Select::count`](super::Select::count).
    pub async fn count(
        &self,
        session: &Session,
        scope: QueryScope,
        soql: &Soql,
    ) -> Result<Reply<u64>, SalesforceError> {
        let page = self.query(session, scope, soql).await?;
        Ok(page.map(|page| page.total_size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_locator_never_leads_off_the_host_or_out_of_the_query_service(
            locator in "[0-9A-Za-z_=.-]{1,20}",
            odd in "([./\\\\@:?#%]{1,2}|\\PC)?",
            at: prop::sample::Index,
        ) {
            let mut text = format!("/services/data/v62.0/query/{locator}");
            text.insert_str(at.index(text.len() + 1), &odd);
            let Ok(locator) = QueryLocator::try_from(text.clone()) else { return Ok(()) };
            let base = url::Url::parse("https://acme.my.salesforce.com/").unwrap();
            let url = base.join(&locator.0).unwrap();
            prop_assert_eq!(url.host_str(), base.host_str());
            prop_assert_eq!(url.path(), text);
            prop_assert_eq!((url.query(), url.fragment()), (None, None));
        }
    }
}
