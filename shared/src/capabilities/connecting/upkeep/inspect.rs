//! Inspecting an org: what its integration user may see and do there.

use super::Upkeep;
use crate::capabilities::connecting::{Inspection, ObjectPermissions, VisibleObject};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::importing::{ShownFields, org_fields, org_record_types};
use crate::capabilities::seats;
use crate::capabilities::seats::folded_user_email;
use crate::kernel::{Grantee, SObject, Scope};
use crate::salesforce::{FieldValues, ObjectDescribe, SalesforceError};
use crate::work::{Done, WorkError};

impl Upkeep {
    /// Describes every object that is imported, and stores the result.
    pub(in crate::capabilities::connecting) async fn inspect(
        &self,
        scope: Scope,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let mut inspection = Inspection {
            inspected_at: self.ports.clock.now(),
            refused: None,
            personal_user: None,
            objects: Vec::new(),
        };
        if let Err(error) = self.describe_all(&opened, &mut inspection).await {
            match error {
                // The connection itself says why.
                GrantError::Dead | GrantError::Missing => return Ok(Done::Finished),
                // The edition or the user has no API, or the org is locked: for the admin to see.
                GrantError::Call(refusal) if refusal.is_final() => {
                    inspection.refused = Some(refusal.code().unwrap_or("REFUSED").to_owned());
                }
                other => return other.into_done("inspect an org"),
            }
        }
        self.store.put(&opened.keys.inspection(), &inspection).await?;
        Ok(Done::Finished)
    }

    async fn describe_all(
        &self,
        opened: &OpenGeneration,
        found: &mut Inspection,
    ) -> Result<(), GrantError> {
        let client = self.grants.app().client();
        for object in SObject::ALL {
            let described = self
                .grants
                .call(opened, Grantee::Admin, |session| async move {
                    client.describe(&session, object.name()).await
                })
                .await;
            let visible = match described {
                Ok(reply) => {
                    let fields = org_fields(&reply.value);
                    let record_types = org_record_types(&reply.value);
                    let shown = ShownFields { as_of: found.inspected_at, fields, record_types };
                    self.store_fields(opened, object, &shown).await?;
                    Some(visible(&reply.value))
                }
                Err(GrantError::Call(error)) if is_absent(&error) => {
                    let (fields, record_types) = (Vec::new(), Vec::new());
                    let shown = ShownFields { as_of: found.inspected_at, fields, record_types };
                    self.store_fields(opened, object, &shown).await?;
                    None
                }
                Err(error) => return Err(error),
            };
            found.objects.push(ObjectPermissions::of(object, visible.as_ref()));
        }
        found.personal_user = self.is_personal(opened).await?;
        Ok(())
    }

    /// Stores the fields that an org shows of an object. An import selects among them.
    async fn store_fields(
        &self,
        opened: &OpenGeneration,
        object: SObject,
        shown: &ShownFields,
    ) -> Result<(), WorkError> {
        Ok(self.store.put(&opened.keys.org_fields(object), shown).await?)
    }

    /// True if the integration user is somebody with a seat. A personal user leaves the company one
    /// day, and takes the grant along.
    async fn is_personal(&self, opened: &OpenGeneration) -> Result<Option<bool>, GrantError> {
        let user = opened.connection.integration_user;
        let client = self.grants.app().client();
        let row = self
            .grants
            .call(opened, Grantee::Admin, |session| async move {
                client.read(&session, SObject::User.name(), user, &["Email"]).await
            })
            .await;
        let email = match row {
            Ok(reply) => {
                let environment = opened.connection.at.environment;
                reply.value.text("Email").map(|email| folded_user_email(environment, &email))
            }
            Err(GrantError::Call(error)) if error.is_final() => None, // the user may not read users
            Err(error) => return Err(error),
        };
        let Some(email) = email else { return Ok(None) };
        let seats = seats::keys::seats(opened.keys.scope().tenant);
        let seats = self.store.all(&seats).await?;
        Ok(Some(seats.iter().any(|seat| seat.addresses().contains(&email))))
    }
}

/// True if the object is not there for the user.
fn is_absent(error: &SalesforceError) -> bool {
    matches!(error.code(), Some("NOT_FOUND" | "INVALID_TYPE"))
}

fn visible(described: &ObjectDescribe) -> VisibleObject {
    VisibleObject {
        createable: described.summary.createable,
        fields: described.fields.iter().map(|f| (f.name.clone(), f.createable)).collect(),
    }
}
