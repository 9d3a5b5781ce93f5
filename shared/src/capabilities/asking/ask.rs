//! The calls, with the seller's own grant.

use std::time::Duration;

use super::readings::Readings;
use crate::capabilities::custody::{
    Custody, GrantError, Grants, LookupError, OpenGeneration, SalesforceApp,
};
use crate::kernel::{ConnectionState, Grantee, SObject, SeatId, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::salesforce::{
    Advice, Condition, Direction, FieldValues, QueryScope, Record, Reply, SalesforceError,
    SalesforceId, Select, Session,
};
use crate::work::{WorkError, boxed};

/// When to ask again where Salesforce does not say.
const SOON: Duration = Duration::from_secs(5);

/// How many accounts a search gives.
const MOST_ACCOUNTS: u32 = 20;

/// A search for accounts begins with so many characters: fewer match nearly all.
const SHORTEST: usize = 2;

/// No account's name is longer, in characters.
const LONGEST: usize = 255;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no such thing.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The seller has not authorized the product in the CRM, or must do it again.
    #[error("the seller must log in to the CRM")]
    LoginRequired,
    /// The connection does not work until an admin acts.
    #[error("the connection does not work until an admin authorizes it again")]
    ReconnectRequired,
    /// The question cannot be asked so.
    #[error("{0}")]
    Invalid(&'static str),
    /// Salesforce says no.
    #[error("Salesforce refused: {code}")]
    Refused {
        /// Its error code.
        code: String,
        /// Its words.
        message: String,
    },
    /// Salesforce does not answer now.
    #[error("Salesforce does not answer now")]
    Later(Duration),
}

impl From<WorkError> for AskError {
    fn from(error: WorkError) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<PortError> for AskError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

/// An account that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountHit {
    /// The account.
    pub id: SalesforceId,
    /// Its name.
    pub name: String,
    /// The city of its billing address.
    pub city: Option<String>,
}

/// Asks orgs as sellers.
#[derive(Clone)]
pub struct Asking {
    pub(super) ports: Ports,
    custody: Custody,
    grants: Grants,
    pub(super) readings: Readings,
}

/// A question under way: whose it is, and where.
pub(super) struct Question<'a> {
    asking: &'a Asking,
    pub(super) opened: OpenGeneration,
    pub(super) seat: SeatId,
}

impl Asking {
    /// Questions asked through `app`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        Self { ports, custody, grants, readings: Readings::default() }
    }

    /// The accounts that the seller sees and whose names begin so or have these words, by name.
    ///
    /// # Errors
    /// When the seller must log in first, or Salesforce does not answer.
    #[must_use]
    #[boxed]
    pub async fn accounts(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        name: &str,
    ) -> Result<Vec<AccountHit>, AskError> {
        let name = name.trim();
        if name.chars().count() < SHORTEST {
            return Err(AskError::Invalid("give at least 2 characters of the account's name"));
        }
        if name.chars().nth(LONGEST).is_some() {
            return Err(AskError::Invalid("no account's name is longer than 255 characters"));
        }
        let question = self.question(at, seat).await?;
        // The index of words may be minutes behind, and knows no beginning of two characters.
        let mut ways = vec![Condition::starts_with("Name", name)];
        let suggested = question.suggested(name).await?;
        if !suggested.is_empty() {
            ways.push(Condition::is_in("Id", suggested));
        }
        let select = Select::from(SObject::Account.name())
            .fields(["Id", "Name", "BillingCity"])
            .filter(Condition::any(ways))
            .order_by("Name", Direction::Ascending)
            .limit(MOST_ACCOUNTS.into());
        let soql = &select.build().map_err(|error| WorkError::reject("search accounts", error))?;
        let client = self.grants.app().client();
        let query = |session| async move { client.query(&session, QueryScope::Live, soql).await };
        let page = question.ask(query).await?.value;
        Ok(page.records.iter().filter_map(account).collect())
    }

    pub(super) async fn question(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
    ) -> Result<Question<'_>, AskError> {
        let opened = self.custody.open_live(at).await?;
        Ok(Question { asking: self, opened, seat })
    }
}

fn account(row: &Record) -> Option<AccountHit> {
    let text = |field: &str| row.text(field).map(std::borrow::Cow::into_owned);
    let name = text("Name").unwrap_or_default();
    Some(AccountHit { id: row.id()?, name, city: text("BillingCity") })
}

impl Question<'_> {
    pub(super) fn client(&self) -> &crate::salesforce::Client {
        self.asking.grants.app().client()
    }

    /// The seller's CRM user.
    pub(super) async fn user(&self) -> Result<SalesforceId, AskError> {
        let grant = self.asking.grants.state(&self.opened, Grantee::Seat(self.seat)).await?;
        grant.map(|grant| grant.user_id).ok_or_else(|| self.login_required())
    }

    /// The accounts whose names have these words, by Salesforce's index; none where it has none of
    /// accounts.
    async fn suggested(&self, words: &str) -> Result<Vec<SalesforceId>, AskError> {
        let client = self.client();
        let object = SObject::Account.name();
        let suggest = |session| async move {
            client.suggestions(&session, object, words, MOST_ACCOUNTS).await
        };
        match self.ask(suggest).await {
            Ok(reply) => Ok(reply.value),
            Err(AskError::Refused { .. } | AskError::Lookup(LookupError::NotFound(_))) => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a call as the seller.
    pub(super) async fn ask<T, F>(
        &self,
        call: impl Fn(Session) -> F + Send + Sync,
    ) -> Result<Reply<T>, AskError>
    where
        F: Future<Output = Result<Reply<T>, SalesforceError>> + Send,
    {
        let grantee = Grantee::Seat(self.seat);
        let answer = self.asking.grants.call(&self.opened, grantee, call).await;
        answer.map_err(|error| self.no_answer(error))
    }

    fn no_answer(&self, error: GrantError) -> AskError {
        let refused = match error {
            GrantError::Missing | GrantError::Dead => return self.login_required(),
            GrantError::Busy | GrantError::TooLate => return AskError::Later(SOON),
            GrantError::CircuitOpen(left) => return AskError::Later(left),
            GrantError::Renewal(error) => {
                return match error.advice() {
                    Advice::Retry { after } | Advice::StandBack { after } => {
                        AskError::Later(after.unwrap_or(SOON))
                    }
                    Advice::Reauthorize | Advice::Reject => self.login_required(),
                };
            }
            GrantError::Work(error) => return error.into(),
            GrantError::Call(error) => error,
        };
        match refused.advice() {
            Advice::Retry { after } | Advice::StandBack { after } => {
                AskError::Later(after.unwrap_or(SOON))
            }
            Advice::Reauthorize => self.login_required(),
            Advice::Reject if refused.is_not_found() => LookupError::NotFound("record").into(),
            Advice::Reject => {
                let said = refused.errors().first().map(|error| error.message.clone());
                AskError::Refused {
                    code: refused.code().unwrap_or("REFUSED").to_owned(),
                    message: said.unwrap_or_else(|| refused.to_string()),
                }
            }
        }
    }

    fn login_required(&self) -> AskError {
        match self.opened.connection.state {
            ConnectionState::Connected => AskError::LoginRequired,
            _ => AskError::ReconnectRequired,
        }
    }
}
