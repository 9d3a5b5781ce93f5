//! Choosing what is imported from an org: field mappings, record filters, the account model.
//!
//! A choice is checked against the fields that the org last showed. The next import finds by itself
//! that an object is to be read by another choice, and reads it whole.

use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::importing::{
    AccountModel, ControlError, FieldMapping, Import, MappingPreview, OrgField, Pipeline,
    PreviewState, PreviewValues, RecordFilter, Selection, SelectionPart, SelectionProblem,
    ShownFields, check_filters, check_mappings, keys, person_accounts,
};
use crate::kernel::{
    Author, CareMessage, ConnectionState, Environment, SObject, TenantEnvironment,
};
use crate::ports::{PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::{Commit, Store};
use crate::work::{WorkError, boxed};

/// Why a choice is refused.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(&'static str),
    /// Nobody asked the org yet which fields it shows.
    #[error("what the org shows is not known yet; check the permissions and try again")]
    NotInspected,
    /// The org's fields do not allow it.
    #[error("{}", list(.0))]
    Refused(Vec<SelectionProblem>),
    /// Another change came first.
    #[error("it was changed meanwhile; read it again")]
    ChangedMeanwhile,
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

fn list(problems: &[SelectionProblem]) -> String {
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
    store: Store,
    import: Import,
    audit: AuditLog,
}

/// The fields that an org shows, object by object.
struct Shown(Vec<(SObject, ShownFields)>);

impl Shown {
    fn of(&self, object: SObject) -> &[OrgField] {
        let found = self.0.iter().find(|(shown, _)| *shown == object);
        found.map_or(&[], |(_, shown)| &shown.fields)
    }
}

impl Selections {
    /// Choices that `import` reads by.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, import: Import) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, custody, store, import, audit }
    }

    /// The present choice.
    #[must_use]
    #[boxed]
    pub async fn get(&self, at: TenantEnvironment) -> Result<Selection, SelectionError> {
        Ok(self.store.read(&keys::selection(at)).await?.unwrap_or_default())
    }

    /// The fields of an object that the org was last found to show.
    #[must_use]
    #[boxed]
    pub async fn fields(
        &self,
        at: TenantEnvironment,
        object: SObject,
    ) -> Result<ShownFields, SelectionError> {
        let generation = self.generation(at).await?;
        let slot = generation.keys.org_fields(object);
        self.store.read(&slot).await?.ok_or(SelectionError::NotInspected)
    }

    /// The org's stages, as the last import read them.
    #[must_use]
    #[boxed]
    pub async fn stages(&self, at: TenantEnvironment) -> Result<Pipeline, SelectionError> {
        let generation = self.generation(at).await?;
        Ok(self.store.read(&generation.keys.pipeline()).await?.unwrap_or_default())
    }

    /// Puts custom fields in the place of standard ones: these, and no others.
    #[must_use]
    #[boxed]
    pub async fn map(
        &self,
        at: TenantEnvironment,
        mappings: Vec<FieldMapping>,
        by: &Author,
    ) -> Result<Selection, SelectionError> {
        let shown = self.shown(at, mappings.iter().map(|m| m.object).collect()).await?;
        refuse(check_mappings(&mappings, |object| shown.of(object)))?;
        self.change(at, by, SelectionPart::Mappings, |chosen| chosen.mappings = mappings).await
    }

    /// Restricts the rows that are imported: to those of these filters, and to every row of the
    /// objects without one.
    #[must_use]
    #[boxed]
    pub async fn filter(
        &self,
        at: TenantEnvironment,
        filters: Vec<RecordFilter>,
        by: &Author,
    ) -> Result<Selection, SelectionError> {
        let shown = self.shown(at, filters.iter().map(|f| f.object).collect()).await?;
        refuse(check_filters(&filters, |object| shown.of(object)))?;
        self.change(at, by, SelectionPart::Filters, |chosen| chosen.filters = filters).await
    }

    /// Chooses companies or persons. Before an org is connected nobody can tell if it has person
    /// accounts: the choice stands, and an import that meets none says so.
    #[must_use]
    #[boxed]
    pub async fn set_accounts(
        &self,
        at: TenantEnvironment,
        accounts: AccountModel,
        by: &Author,
    ) -> Result<Selection, SelectionError> {
        let connection = self.custody.connection(at).await?;
        let is_live = connection.is_some_and(|c| c.state != ConnectionState::Disconnected);
        if accounts == AccountModel::Person && is_live {
            let shown = self.shown(at, vec![SObject::Contact]).await?;
            refuse(person_accounts(shown.of(SObject::Contact)).err().into_iter().collect())?;
        }
        self.change(at, by, SelectionPart::Accounts, |chosen| chosen.accounts = accounts).await
    }

    /// Copies the mappings of the tenant's other environment. All of them are refused if this org
    /// does not show one of the fields.
    #[must_use]
    #[boxed]
    pub async fn copy_mappings(
        &self,
        at: TenantEnvironment,
        by: &Author,
    ) -> Result<Selection, SelectionError> {
        let environment = match at.environment {
            Environment::Production => Environment::Sandbox,
            Environment::Sandbox => Environment::Production,
        };
        let other = self.get(TenantEnvironment { environment, ..at }).await?;
        self.map(at, other.mappings, by).await
    }

    /// Requests a look at a record through a mapping that need not be chosen yet. There is one look
    /// at a time: the next request replaces it.
    #[must_use]
    #[boxed]
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
        let generation = self.generation(at).await?;
        let asked_at = self.ports.clock.now();
        let preview = MappingPreview { mapping, record, asked_at, state: PreviewState::Asked };
        let mut commit = Commit::new();
        commit.put(&generation.keys.mapping_preview(), &preview)?;
        commit.now(CareMessage::PreviewMapping { scope: generation.keys.scope(), asked_at });
        self.store.commit(commit).await?.may_lose_to("nobody: the write has no condition");
        Ok(preview)
    }

    /// The look that was requested last, and the values if it is over.
    #[must_use]
    #[boxed]
    pub async fn previewed(
        &self,
        at: TenantEnvironment,
    ) -> Result<(MappingPreview, Option<PreviewValues>), SelectionError> {
        let generation = self.generation(at).await?;
        let slot = generation.keys.mapping_preview();
        let stored = self.store.load(&slot).await?;
        let stored = stored.ok_or(SelectionError::NotFound("preview"))?;
        let values = stored.body().map(|body| generation.unsealed(&slot, body)).transpose()?;
        Ok((stored.into_inner(), values))
    }

    async fn change(
        &self,
        at: TenantEnvironment,
        by: &Author,
        set: SelectionPart,
        change: impl FnOnce(&mut Selection),
    ) -> Result<Selection, SelectionError> {
        let slot = keys::selection(at);
        let before = self.store.load(&slot).await?;
        let mut chosen = before.as_deref().cloned().unwrap_or_default();
        change(&mut chosen);
        chosen.record_change(self.ports.clock.now(), by.id(), set);
        let mut commit = Commit::new();
        commit.save(&slot, before.as_ref(), &chosen)?;
        let deed = Deed::at(Action::SelectionChanged, at).detail("part", <&str>::from(set));
        let actor = Actor::from(by);
        if !self.audit.commit(commit, at.tenant, &actor, &deed).await?.is_done() {
            return Err(SelectionError::ChangedMeanwhile);
        }
        match self.import.request_run(at, false).await {
            Err(ControlError::Work(error)) => Err(error.into()),
            // If the connection does not work, the first run after it works again reads the choice.
            _ => Ok(chosen),
        }
    }

    async fn shown(
        &self,
        at: TenantEnvironment,
        objects: Vec<SObject>,
    ) -> Result<Shown, SelectionError> {
        let generation = self.generation(at).await?;
        if self.store.load(&generation.keys.inspection()).await?.is_none() {
            return Err(SelectionError::NotInspected);
        }
        let mut shown = Vec::new();
        for object in objects {
            let found = self.store.read(&generation.keys.org_fields(object)).await?;
            shown.extend(found.map(|found| (object, found)));
        }
        Ok(Shown(shown))
    }

    async fn generation(&self, at: TenantEnvironment) -> Result<OpenGeneration, SelectionError> {
        let connection = self.custody.connection(at).await?;
        let connection = connection.ok_or(SelectionError::NotFound("connection"))?;
        let generation = self.custody.open(connection.scope()).await?;
        generation.ok_or(SelectionError::NotFound("connection"))
    }
}

fn refuse(problems: Vec<SelectionProblem>) -> Result<(), SelectionError> {
    if problems.is_empty() { Ok(()) } else { Err(SelectionError::Refused(problems)) }
}
