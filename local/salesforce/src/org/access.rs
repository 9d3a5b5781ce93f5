//! The objects, fields and rows that one caller sees and may change.

use std::sync::Arc;

use super::{OrgData, Profile};
use crate::ids::RecordId;
use crate::schema::{Field, ObjectSchema};
use crate::storage::{Slots, Table, Value};

/// A caller's rights. The control API's are unlimited.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// The user; `None` for the control API.
    pub(crate) user: Option<RecordId>,
    pub(crate) profile: Arc<Profile>,
}

impl Access {
    /// All rights, for the control API and the simulator itself.
    pub(crate) fn system() -> Self {
        Self { user: None, profile: Arc::default() }
    }

    /// The rights of a user.
    pub(crate) fn of(data: &OrgData, user: RecordId) -> Self {
        Self { user: Some(user), profile: data.profile_of(user) }
    }

    /// True if the object exists for the caller.
    pub(crate) fn sees_object(&self, data: &OrgData, schema: &ObjectSchema) -> bool {
        data.has(schema.feature) && self.profile.object(&schema.name).read
    }

    /// True if the field exists for the caller.
    pub(crate) fn sees_field(&self, data: &OrgData, schema: &ObjectSchema, field: &Field) -> bool {
        if field.hidden || !data.has(field.feature) {
            return false;
        }
        // Field-level security does not reach the fields that every record must have.
        let always = field.required
            || matches!(field.name.as_str(), "Id" | "Name" | "IsDeleted" | "SystemModstamp");
        if always && !field.custom {
            return true;
        }
        let compound = field.compound.as_deref();
        self.profile.field(&schema.name, &field.name).read
            && compound.is_none_or(|c| self.profile.field(&schema.name, c).read)
    }

    /// True if the caller may give a record type to a row of the object.
    pub(crate) fn gives_record_type(&self, data: &OrgData, id: RecordId, object: &str) -> bool {
        let name = format!("{object}.{}", data.text(id, "DeveloperName"));
        data.text(id, "SobjectType") == object
            && data.value(id, "IsActive").is_true()
            && !self.profile.hidden_record_types.contains(&name)
    }

    /// The position of a field that the caller sees.
    pub(crate) fn position(
        &self,
        data: &OrgData,
        schema: &ObjectSchema,
        name: &str,
    ) -> Option<usize> {
        schema.position(name).filter(|at| self.sees_field(data, schema, &schema.fields[*at]))
    }

    /// True if the caller may set the field when creating a record.
    pub(crate) fn creates_field(&self, schema: &ObjectSchema, field: &Field) -> bool {
        let audit = self.profile.set_audit_fields
            && matches!(field.name.as_str(), "CreatedDate" | "LastModifiedDate" | "CreatedById");
        (!field.readonly || audit)
            && field.kind != crate::schema::FieldType::Address
            && self.profile.object(&schema.name).create
            && (field.required || self.profile.field(&schema.name, &field.name).edit)
    }

    /// True if the caller may change the field of a record.
    pub(crate) fn updates_field(&self, schema: &ObjectSchema, field: &Field) -> bool {
        !field.readonly
            && !field.createonly
            && field.kind != crate::schema::FieldType::Address
            && self.profile.object(&schema.name).edit
            && (field.required || self.profile.field(&schema.name, &field.name).edit)
    }

    /// True if sharing may hide rows of this object from the caller. If false, every row is
    /// visible without a check.
    pub(crate) fn is_filtered(&self, data: &OrgData, schema: &ObjectSchema) -> bool {
        let Some(user) = self.user else { return false };
        let private = data.settings.private_objects.contains(&schema.name);
        (private && !self.profile.view_all_data)
            || data.settings.hidden_records.contains_key(&user.to_string())
    }

    /// True if the caller sees a row.
    pub(crate) fn sees_row(&self, data: &OrgData, table: &Table, id: RecordId, row: &[u8]) -> bool {
        let Some(user) = self.user else { return true };
        if !self.is_filtered(data, &table.schema) {
            return true;
        }
        let hidden = data.settings.hidden_records.get(&user.to_string());
        if hidden.is_some_and(|ids| ids.contains(&id.to_string())) {
            return false;
        }
        if self.profile.view_all_data || !data.settings.private_objects.contains(&table.schema.name)
        {
            return true;
        }
        match owner(table, row) {
            Some(owner) => owner == user || is_above(data, user, owner),
            None => true,
        }
    }

    /// True if the caller may change a row that they see.
    pub(crate) fn edits_row(
        &self,
        data: &OrgData,
        table: &Table,
        id: RecordId,
        row: &[u8],
    ) -> bool {
        let Some(user) = self.user else { return true };
        let readonly = data.settings.readonly_records.get(&user.to_string());
        if readonly.is_some_and(|ids| ids.contains(&id.to_string())) {
            return false;
        }
        if self.profile.modify_all_data {
            return true;
        }
        match owner(table, row) {
            Some(owner) if data.settings.private_objects.contains(&table.schema.name) => {
                owner == user || is_above(data, user, owner)
            }
            _ => true,
        }
    }
}

fn owner(table: &Table, row: &[u8]) -> Option<RecordId> {
    let at = table.schema.position("OwnerId")?;
    let mut slots = Slots::default();
    slots.read(row);
    slots.value(row, at, table.schema.fields[at].kind).as_id()
}

/// True if `user`'s role is above `owner`'s in the role hierarchy.
fn is_above(data: &OrgData, user: RecordId, owner: RecordId) -> bool {
    let Some(own) = data.value(user, "UserRoleId").as_id() else { return false };
    let mut role = data.value(owner, "UserRoleId").as_id();
    // A hierarchy is a few levels deep; the bound ends a cycle in a bad file.
    for _ in 0..100 {
        let Some(current) = role else { return false };
        role = match data.value(current, "ParentRoleId") {
            Value::Id(parent) if parent == own => return true,
            Value::Id(parent) => Some(parent),
            _ => None,
        };
    }
    false
}
