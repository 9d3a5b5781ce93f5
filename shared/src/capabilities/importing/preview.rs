//! A look at one record through a field mapping, with the connection's grant.

use jiff::Timestamp;
use serde_json::json;

use crate::capabilities::custody::{Custody, GrantError, Grants, OpenGeneration, SalesforceApp};
use crate::capabilities::importing::{MappingPreview, PreviewState, PreviewValues, ShownFields};
use crate::kernel::{Grantee, Scope};
use crate::ports::{Condition, Ports, Write};
use crate::salesforce::{FieldValues, SalesforceId};
use crate::store;
use crate::work::{Done, WorkError};

/// Looks at records through field mappings that are not made yet.
#[derive(Clone)]
pub struct Previews {
    ports: Ports,
    custody: Custody,
    grants: Grants,
}

impl Previews {
    /// Previews through `app`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        Self { ports, custody, grants }
    }

    /// Reads both fields of the record, and keeps what they hold; unless another look was asked for.
    pub async fn preview(&self, scope: Scope, asked_at: Timestamp) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let key = opened.keys.mapping_preview();
        let asked: Option<MappingPreview> = store::get(&*self.ports.table, &key).await?;
        let is_asked =
            |p: &MappingPreview| p.asked_at == asked_at && p.state == PreviewState::Asked;
        let Some(mut preview) = asked.filter(is_asked) else { return Ok(Done::Finished) };
        let values = match self.values(&opened, &preview).await {
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
        let mut item = store::item(key.clone(), &preview)?;
        if let Some(values) = values {
            item.body = Some(opened.sealed(&self.ports, &key, &values)?);
        }
        let when = Condition::Eq("asked_at", json!(asked_at));
        let _ = self.ports.table.write(Write::Put { item, when }).await?;
        Ok(Done::Finished)
    }

    async fn values(
        &self,
        opened: &OpenGeneration,
        preview: &MappingPreview,
    ) -> Result<PreviewValues, GrantError> {
        let mapping = &preview.mapping;
        let id: SalesforceId =
            preview.record.parse().map_err(|error| WorkError::reject("look at a record", error))?;
        let shown: Option<ShownFields> =
            store::get(&*self.ports.table, &opened.keys.org_fields(mapping.object)).await?;
        let shown = shown.is_some_and(|s| s.fields.iter().any(|f| f.name == mapping.field));
        let (field, custom) = (mapping.field.as_str(), mapping.custom_field.as_str());
        let fields: &[&str] = if shown { &[field, custom] } else { &[custom] };
        let client = self.grants.app().client();
        let row = self
            .grants
            .call(opened, Grantee::Admin, |session| async move {
                client.read(&session, mapping.object.name(), id, fields).await
            })
            .await?
            .value;
        let text = |name: &str| row.text(name).map(std::borrow::Cow::into_owned);
        Ok(PreviewValues { field: text(field), custom_field: text(custom) })
    }
}
