//! The describe: the user's view of the org's objects and fields.
//!
//! Describe is already filtered by the user's permissions: a hidden field is not there. Keys that
//! we do not read are ignored, since Salesforce adds some with each release.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// An object in the list of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "these are Salesforce's own independent flags")]
pub struct ObjectSummary {
    /// The API name.
    pub name: String,
    /// The name as the org shows it.
    #[serde(default)]
    pub label: String,
    /// The first three characters of its ids.
    #[serde(default)]
    pub key_prefix: Option<String>,
    /// Rows can be queried.
    #[serde(default)]
    pub queryable: bool,
    /// The user may create rows.
    #[serde(default)]
    pub createable: bool,
    /// The user may change rows.
    #[serde(default)]
    pub updateable: bool,
    /// `/deleted` and `/updated` work.
    #[serde(default)]
    pub replicateable: bool,
    /// Made by the org or by a package.
    #[serde(default)]
    pub custom: bool,
}

/// An object with its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDescribe {
    /// Its entry in the list of all objects.
    #[serde(flatten)]
    pub summary: ObjectSummary,
    /// The fields this user may see.
    pub fields: Vec<FieldDescribe>,
    /// The objects that refer to it.
    #[serde(default)]
    pub child_relationships: Vec<ChildRelationship>,
    /// The record types, as far as this user may see them.
    #[serde(default)]
    pub record_type_infos: Vec<RecordTypeInfo>,
}

/// A record type of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordTypeInfo {
    /// The record type's id.
    pub record_type_id: String,
    /// Its name as the org shows it.
    #[serde(default)]
    pub name: String,
    /// The user may give it to a row.
    #[serde(default)]
    pub available: bool,
    /// It is the user's own default.
    #[serde(default)]
    pub default_record_type_mapping: bool,
    /// It stands for having no record type.
    #[serde(default)]
    pub master: bool,
}

impl ObjectDescribe {
    /// A field by name, whatever the case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldDescribe> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

/// An object that refers to the described one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildRelationship {
    /// The referring object.
    #[serde(rename = "childSObject")]
    pub child_object: String,
    /// Its reference field.
    pub field: String,
    /// The name of the relationship, where it has one.
    #[serde(default)]
    pub relationship_name: Option<String>,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "these are Salesforce's own independent flags")]
pub struct FieldDescribe {
    /// The API name.
    pub name: String,
    /// The name as the org shows it.
    #[serde(default)]
    pub label: String,
    /// Salesforce's type, such as `picklist`; new ones may appear, and admins choose surprising
    /// ones.
    #[serde(rename = "type")]
    pub kind: String,
    /// Most characters of a text.
    #[serde(default)]
    pub length: u32,
    /// The user may set it on a new row.
    #[serde(default)]
    pub createable: bool,
    /// The user may change it.
    #[serde(default)]
    pub updateable: bool,
    /// May be empty. Page layouts and validation rules may still require it.
    #[serde(default)]
    pub nillable: bool,
    /// Salesforce fills it when a new row leaves it out.
    #[serde(default)]
    pub defaulted_on_create: bool,
    /// A formula: its changes do not move `SystemModstamp`.
    #[serde(default)]
    pub calculated: bool,
    /// Made by the org or by a package.
    #[serde(default)]
    pub custom: bool,
    /// Marked as another system's id.
    #[serde(default)]
    pub external_id: bool,
    /// No two rows share a value.
    #[serde(default)]
    pub unique: bool,
    /// Can stand in `WHERE`.
    #[serde(default)]
    pub filterable: bool,
    /// The name of the row.
    #[serde(default)]
    pub name_field: bool,
    /// Only listed values are taken.
    #[serde(default)]
    pub restricted_picklist: bool,
    /// The listed values.
    #[serde(default)]
    pub picklist_values: Vec<PicklistValue>,
    /// The values that are listed depend on another field's.
    #[serde(default)]
    pub dependent_picklist: bool,
    /// The field that they depend on: a picklist or a checkbox.
    #[serde(default)]
    pub controller_name: Option<String>,
    /// The objects a reference may lead to.
    #[serde(default)]
    pub reference_to: Vec<String>,
    /// The name of the reference in dotted paths.
    #[serde(default)]
    pub relationship_name: Option<String>,
    /// The compound field it is a part of.
    #[serde(default)]
    pub compound_field_name: Option<String>,
    /// Salesforce's wire type, such as `xsd:string`.
    #[serde(default)]
    pub soap_type: String,
}

impl FieldDescribe {
    /// True when a new row must set it.
    #[must_use]
    pub fn is_required_on_create(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted_on_create && self.kind != "boolean"
    }

    /// True when a bulk query may select it: compound values, files and nested types are refused
    /// there.
    ///
    /// The type decides, not `compoundFieldName`: a person's `Name` is compound and yet fine.
    #[must_use]
    pub fn is_bulk_queryable(&self) -> bool {
        !matches!(self.kind.as_str(), "address" | "location" | "base64" | "json" | "complexvalue")
            && !self.soap_type.starts_with("urn:")
            && self.soap_type != "tns:json"
    }

    /// True when it can hold another system's id that Salesforce keeps unique: the way to write a
    /// row only once.
    #[must_use]
    pub fn is_idempotency_key(&self) -> bool {
        self.external_id && self.unique && self.createable
    }
}

/// A value of a picklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PicklistValue {
    /// The stored value.
    pub value: String,
    /// The value as the org shows it.
    #[serde(default)]
    pub label: Option<String>,
    /// Offered for new rows.
    #[serde(default)]
    pub active: bool,
    /// Taken when a new row leaves the field out.
    #[serde(default)]
    pub default_value: bool,
    /// The controlling field's values that it goes with, as a bitmap in base64.
    #[serde(default)]
    pub valid_for: Option<String>,
}

impl PicklistValue {
    /// True if it may be chosen beside the controlling field's value at `place` in that field's own
    /// list; a checkbox has its empty state at 0 and its ticked one at 1. The bit of the first
    /// place is the highest of the first byte. A value without a bitmap goes with nothing.
    #[must_use]
    pub fn goes_with(&self, place: usize) -> bool {
        let bitmap = self.valid_for.as_deref().and_then(|text| STANDARD.decode(text).ok());
        let byte = bitmap.and_then(|bytes| bytes.get(place / 8).copied()).unwrap_or_default();
        byte & (0x80 >> (place % 8)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_field(json: &str) -> FieldDescribe {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_describe_is_read_and_unknown_keys_are_ignored() {
        let json = r#"{"name":"Contact","label":"Contact","keyPrefix":"003","queryable":true,
            "createable":false,"updateable":true,"replicateable":true,"custom":false,
            "brandNew":{"x":[1]},
            "fields":[{"name":"LastName","label":"Last Name","type":"string",
            "soapType":"xsd:string","length":80,"nillable":false,"createable":true,
            "updateable":true,"defaultedOnCreate":false,"defaultValue":null,
            "picklistValues":[],"referenceTo":[],"relationshipName":null,"extraTypeInfo":null,
            "compoundFieldName":"Name"}],
            "childRelationships":[{"childSObject":"Task","field":"WhoId","relationshipName":"Tasks",
            "cascadeDelete":true}]}"#;
        let contact: ObjectDescribe = serde_json::from_str(json).unwrap();
        assert_eq!(contact.summary.key_prefix.as_deref(), Some("003"));
        assert!(contact.summary.queryable && !contact.summary.createable);
        let field = contact.field("lastname").unwrap();
        assert!(
            field.is_required_on_create()
                && field.is_bulk_queryable()
                && !field.is_idempotency_key()
        );
        assert_eq!(contact.child_relationships[0].child_object, "Task");
        let again = serde_json::to_string(&contact).unwrap();
        assert_eq!(serde_json::from_str::<ObjectDescribe>(&again).unwrap(), contact);
    }

    #[test]
    fn a_dependent_value_goes_with_the_places_of_its_bitmap() {
        let value = |valid_for: &str| {
            let json = format!(r#"{{"value":"Bavaria","validFor":"{valid_for}"}}"#);
            serde_json::from_str::<PicklistValue>(&json).unwrap()
        };
        let goes = |valid_for| (0..12).filter(|n| value(valid_for).goes_with(*n)).collect();
        let places: [Vec<usize>; 3] = ["gAAA", "AEAA", "oBAA"].map(goes);
        assert_eq!(places, [vec![0], vec![9], vec![0, 2, 11]]);
        assert!(!value("not base64").goes_with(0));
        let free = serde_json::from_str::<PicklistValue>(r#"{"value":"Bavaria"}"#).unwrap();
        assert!(!free.goes_with(0));
    }

    #[test]
    fn the_type_decides_what_bulk_can_select() {
        for (json, expected) in [
            (r#"{"name":"MailingAddress","type":"address","soapType":"urn:address"}"#, false),
            (r#"{"name":"Where__c","type":"location","soapType":"urn:location"}"#, false),
            (r#"{"name":"Body","type":"base64","soapType":"xsd:base64Binary"}"#, false),
            (
                r#"{"name":"TaskWhoIds","type":"junctionIdList",
                    "soapType":"urn:JunctionIdListNames"}"#,
                false,
            ),
            (
                r#"{"name":"Name","type":"string","soapType":"xsd:string",
                    "compoundFieldName":"Name"}"#,
                true,
            ),
            (r#"{"name":"New__c","type":"a type of next year","soapType":"xsd:string"}"#, true),
        ] {
            assert_eq!(a_field(json).is_bulk_queryable(), expected, "{json}");
        }
    }
}
