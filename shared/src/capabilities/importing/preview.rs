//! A look at one record through a field mapping, with the connection's grant.

use jiff::Timestamp;

use crate::capabilities::custody::{Custody, GrantError, Grants, OpenGeneration, SalesforceApp};
use crate::capabilities::importing::{MappingPreview, PreviewState, PreviewValues};
use crate::kernel::{Grantee, Scope};
use crate::ports::Ports;
use crate::salesforce::FieldValues;
use crate::store::field;
use crate::store::{Commit, Draft, Store};
use crate::work::{Done, WorkError, boxed};

/// Looks at records through field mappings that are not made yet.
#[derive(Clone)]
pub struct Previews {
    ports: Ports,
    store: Store,
    custody: Custody,
    grants: Grants,
}

impl Previews {
    /// Previews through `app`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let store = Store::new(ports.clone());
        Self { ports, store, custody, grants }
    }

    /// Reads both fields of the record and stores their values, unless another look was requested
    /// since.
    #[must_use]
    #[boxed]
    pub async fn preview(&self, scope: Scope, asked_at: Timestamp) -> Result<Done, WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let slot = generation.keys.mapping_preview();
        let asked = self.store.read(&slot).await?;
        let is_asked =
            |p: &MappingPreview| p.asked_at == asked_at && p.state == PreviewState::Asked;
        let Some(mut preview) = asked.filter(is_asked) else { return Ok(Done::Finished) };
        let values = match self.values(&generation, &preview).await {
            Ok(values) => {
                preview.state = PreviewState::Ready;
                Some(values)
            }
            Err(GrantError::Dead | GrantError::Missing) => {
                let reason = "the connection must be authorized again".to_owned();
                preview.state = PreviewState::Refused { reason };
                None
            }
            Err(GrantError::Call(refusal)) if refusal.is_final() => {
                preview.state = PreviewState::Refused { reason: refusal.to_string() };
                None
            }
            Err(other) => return other.into_done("look at a record"),
        };
        let mut draft = Draft::new(&slot, &preview)?;
        if let Some(values) = values {
            draft = draft.body(generation.sealed(&self.ports, &slot, &values)?);
        }
        let mut commit = Commit::new();
        commit.write(draft.when(field!(MappingPreview, asked_at).is(&asked_at)?))?;
        self.store
            .commit(commit)
            .await?
            .may_lose_to("a look that was requested later, which replaces this one");
        Ok(Done::Finished)
    }

    async fn values(
        &self,
        generation: &OpenGeneration,
        preview: &MappingPreview,
    ) -> Result<PreviewValues, GrantError> {
        let mapping = &preview.mapping;
        let record = preview.record;
        let shown = self.store.read(&generation.keys.org_fields(mapping.object)).await?;
        let shown = shown.is_some_and(|s| s.fields.iter().any(|f| f.name == mapping.field));
        let (field, custom) = (mapping.field.as_str(), mapping.custom_field.as_str());
        let fields: &[&str] = if shown { &[field, custom] } else { &[custom] };
        let client = self.grants.app().client();
        let row = self
            .grants
            .call(generation, Grantee::Admin, |session| async move {
                client.read(&session, mapping.object.name(), record, fields).await
            })
            .await?
            .value;
        let text = |name: &str| row.text(name).map(std::borrow::Cow::into_owned);
        Ok(PreviewValues { field: text(field), custom_field: text(custom) })
    }
}
