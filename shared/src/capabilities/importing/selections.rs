//! Choosing what of an org is imported: field mappings, record filters, the account model.
//!
//! A choice is held to what the org was last found to show. The import finds by itself that what is
//! read of an object changed, and reads it whole.

use serde_json::json;

use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::importing;
use crate::capabilities::importing::import::{Import, SteerError};
use crate::capabilities::importing::{
    AccountModel, FieldMapping, MappingPreview, OrgField, PreviewState, PreviewValues,
    RecordFilter, Selection, SelectionPart, SelectionProblem, ShownFields, check_filters,
    check_mappings, person_accounts,
};
use crate::kernel::{CareMessage, Environment, SObject, TenantEnvironment};
use crate::ports::{Condition, PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::{self, Next, Outbox};
use crate::work::WorkError;

/// Why something cannot be chosen.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(&'static str),
    /// Nobody asked the org yet what it shows.
    #[error("what the org shows is not known yet; check the permissions and try again")]
    NotInspected,
    /// Not with what the org shows.
    #[error("{}", told(.0))]
    Refused(Vec<SelectionProblem>),
    /// Another change came first.
    #[error("it was changed meanwhile; read it again")]
    ChangedMeanwhile,
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

fn told(problems: &[SelectionProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl From<PortError> for SelectionError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// Chooses what is imported.
#[derive(Clone)]
pub struct Selections {
    ports: Ports,
    custody: Custody,
    import: Import,
    outbox: Outbox,
}

/// What an org shows, object by object.
struct Shown(Vec<(SObject, ShownFields)>);

impl Shown {
    fn of(&self, object: SObject) -> &[OrgField] {
        let found = self.0.iter().find(|(shown, _)| *shown == object);
        found.map_or(&[], |(_, shown)| &shown.fields)
    }
}

impl Selections {
    /// Has `import` read what was chosen anew.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, import: Import) -> Self {
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, import, outbox }
    }

    /// What is chosen.
    pub async fn get(&self, at: TenantEnvironment) -> Result<Selection, SelectionError> {
        Ok(store::get(&*self.ports.table, &importing::keys::selection(at))
            .await?
            .unwrap_or_default())
    }

    /// The fields of an object that the org was last found to show.
    pub async fn fields(
        &self,
        at: TenantEnvironment,
        object: SObject,
    ) -> Result<ShownFields, SelectionError> {
        let opened = self.opened(at).await?;
        let key = opened.keys.org_fields(object);
        store::get(&*self.ports.table, &key).await?.ok_or(SelectionError::NotInspected)
    }

    /// Has custom fields stand in the place of standard ones: these, and no others.
    pub async fn map(
        &self,
        at: TenantEnvironment,
        mappings: Vec<FieldMapping>,
        by: Option<String>,
    ) -> Result<Selection, SelectionError> {
        let shown = self.shown(at, mappings.iter().map(|m| m.object).collect()).await?;
        refuse(check_mappings(&mappings, |object| shown.of(object)))?;
        self.change(at, by, SelectionPart::Mappings, |chosen| chosen.mappings = mappings).await
    }

    /// Has only some rows imported: those of these filters, and every row of other objects.
    pub async fn filter(
        &self,
        at: TenantEnvironment,
        filters: Vec<RecordFilter>,
        by: Option<String>,
    ) -> Result<Selection, SelectionError> {
        let shown = self.shown(at, filters.iter().map(|f| f.object).collect()).await?;
        refuse(check_filters(&filters, |object| shown.of(object)))?;
        self.change(at, by, SelectionPart::Filters, |chosen| chosen.filters = filters).await
    }

    /// Has companies or persons imported.
    pub async fn set_accounts(
        &self,
        at: TenantEnvironment,
        accounts: AccountModel,
        by: Option<String>,
    ) -> Result<Selection, SelectionError> {
        if accounts == AccountModel::Person {
            let shown = self.shown(at, vec![SObject::Contact]).await?;
            refuse(person_accounts(shown.of(SObject::Contact)).err().into_iter().collect())?;
        }
        self.change(at, by, SelectionPart::Accounts, |chosen| chosen.accounts = accounts).await
    }

    /// Has the same fields mapped as in the tenant's other environment, as far as this org shows
    /// every one of them.
    pub async fn copy_mappings(
        &self,
        at: TenantEnvironment,
        by: Option<String>,
    ) -> Result<Selection, SelectionError> {
        let environment = match at.environment {
            Environment::Production => Environment::Sandbox,
            Environment::Sandbox => Environment::Production,
        };
        let other = self.get(TenantEnvironment { environment, ..at }).await?;
        self.map(at, other.mappings, by).await
    }

    /// Has a record read through a mapping that need not be made yet. One look at a time: the next
    /// replaces it.
    pub async fn preview(
        &self,
        at: TenantEnvironment,
        mapping: FieldMapping,
        record: String,
    ) -> Result<MappingPreview, SelectionError> {
        let shown = self.shown(at, vec![mapping.object]).await?;
        refuse(check_mappings(std::slice::from_ref(&mapping), |object| shown.of(object)))?;
        let Ok(record) = record.parse::<SalesforceId>() else {
            return Err(SelectionError::NotFound("record"));
        };
        let opened = self.opened(at).await?;
        let asked_at = self.ports.clock.now();
        let (record, state) = (record.to_string(), PreviewState::Asked);
        let preview = MappingPreview { mapping, record, asked_at, state };
        let key = opened.keys.mapping_preview();
        let write = store::put(key, &preview, Condition::Always)?;
        let message = CareMessage::PreviewMapping { scope: opened.keys.scope(), asked_at };
        let _ = self.outbox.commit(vec![write], vec![Next::now(message)]).await?;
        Ok(preview)
    }

    /// The look that was asked for last, and what it showed when it is over.
    pub async fn previewed(
        &self,
        at: TenantEnvironment,
    ) -> Result<(MappingPreview, Option<PreviewValues>), SelectionError> {
        let opened = self.opened(at).await?;
        let key = opened.keys.mapping_preview();
        let item = self.ports.table.get(&key).await?;
        let item = item.ok_or(SelectionError::NotFound("preview"))?;
        let values = match &item.body {
            Some(body) => Some(opened.unsealed(&key, body)?),
            None => None,
        };
        Ok((store::typed(item)?, values))
    }

    async fn change(
        &self,
        at: TenantEnvironment,
        by: Option<String>,
        set: SelectionPart,
        change: impl FnOnce(&mut Selection),
    ) -> Result<Selection, SelectionError> {
        let key = importing::keys::selection(at);
        let before: Option<Selection> = store::get(&*self.ports.table, &key).await?;
        let same = |chosen: &Selection| Condition::Eq("revision", json!(chosen.revision));
        let when = before.as_ref().map_or(Condition::Absent, same);
        let mut chosen = before.unwrap_or_default();
        change(&mut chosen);
        chosen.note(self.ports.clock.now(), by, set);
        let write = store::put(key, &chosen, when)?;
        if !self.ports.table.write(write).await?.is_done() {
            return Err(SelectionError::ChangedMeanwhile);
        }
        match self.import.ask(at, false).await {
            Err(SteerError::Work(error)) => Err(error.into()),
            // A connection that does not work reads it anew when it works again.
            _ => Ok(chosen),
        }
    }

    async fn shown(
        &self,
        at: TenantEnvironment,
        objects: Vec<SObject>,
    ) -> Result<Shown, SelectionError> {
        let opened = self.opened(at).await?;
        let inspected = self.ports.table.get(&opened.keys.inspection()).await?;
        if inspected.is_none() {
            return Err(SelectionError::NotInspected);
        }
        let mut shown = Vec::new();
        for object in objects {
            let key = opened.keys.org_fields(object);
            let found: Option<ShownFields> = store::get(&*self.ports.table, &key).await?;
            shown.extend(found.map(|found| (object, found)));
        }
        Ok(Shown(shown))
    }

    async fn opened(&self, at: TenantEnvironment) -> Result<OpenGeneration, SelectionError> {
        let connection = self.custody.connection(at).await?;
        let connection = connection.ok_or(SelectionError::NotFound("connection"))?;
        let opened = self.custody.open(connection.scope()).await?;
        opened.ok_or(SelectionError::NotFound("connection"))
    }
}

fn refuse(problems: Vec<SelectionProblem>) -> Result<(), SelectionError> {
    if problems.is_empty() { Ok(()) } else { Err(SelectionError::Refused(problems)) }
}
