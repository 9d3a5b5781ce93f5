//! The permissions of a user: for objects, for fields, and the system permissions that the API
//! checks.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A profile. What is not said is allowed, so an empty one is a system administrator's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "Salesforce's own list of permissions")]
pub struct Profile {
    /// The profile's name, which users refer to.
    pub name: String,
    /// "API Enabled".
    pub api_enabled: bool,
    /// "View All Data": sees every row whatever the sharing.
    pub view_all_data: bool,
    /// "Modify All Data": changes every row whatever the sharing.
    pub modify_all_data: bool,
    /// "View Roles and Role Hierarchy", without which `UserRole` does not exist for the user.
    pub view_roles: bool,
    /// "View Setup and Configuration", which `/limits` may ask for.
    pub view_setup: bool,
    /// "View and Edit Converted Leads".
    pub edit_converted_leads: bool,
    /// "Set Audit Fields upon Record Creation".
    pub set_audit_fields: bool,
    /// The permission for objects that `objects` does not name.
    pub other_objects: ObjectPermission,
    /// By object name.
    pub objects: BTreeMap<String, ObjectPermission>,
    /// By `Object.Field`.
    pub fields: BTreeMap<String, FieldPermission>,
    /// Record types that the profile does not assign: `Object.DeveloperName`.
    pub hidden_record_types: BTreeSet<String>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            name: "System Administrator".to_owned(),
            api_enabled: true,
            view_all_data: true,
            modify_all_data: true,
            view_roles: true,
            view_setup: true,
            edit_converted_leads: false,
            set_audit_fields: false,
            other_objects: ObjectPermission::default(),
            objects: BTreeMap::new(),
            fields: BTreeMap::new(),
            hidden_record_types: BTreeSet::new(),
        }
    }
}

/// The operations that a profile allows with an object.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "Salesforce's own list of permissions")]
pub struct ObjectPermission {
    /// Read; without it the object does not exist for the user.
    pub read: bool,
    /// Create.
    pub create: bool,
    /// Edit.
    pub edit: bool,
    /// Delete.
    pub delete: bool,
}

impl Default for ObjectPermission {
    fn default() -> Self {
        Self { read: true, create: true, edit: true, delete: true }
    }
}

/// The operations that a profile allows with a field (field-level security).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FieldPermission {
    /// Read; without it the field does not exist for the user.
    pub read: bool,
    /// Edit.
    pub edit: bool,
}

impl Default for FieldPermission {
    fn default() -> Self {
        Self { read: true, edit: true }
    }
}

impl Profile {
    /// The profile's permission for an object.
    pub(crate) fn object(&self, name: &str) -> ObjectPermission {
        let mut allowed = self.objects.get(name).copied().unwrap_or(self.other_objects);
        if name == "UserRole" {
            allowed.read &= self.view_roles;
        }
        allowed
    }

    /// The profile's permission for a field.
    pub(crate) fn field(&self, object: &str, field: &str) -> FieldPermission {
        if self.fields.is_empty() {
            return FieldPermission::default();
        }
        self.fields.get(&format!("{object}.{field}")).copied().unwrap_or_default()
    }
}
