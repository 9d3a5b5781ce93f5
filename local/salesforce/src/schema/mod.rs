//! The objects and fields of an org: the standard ones of `standard.txt`, and custom fields.

mod parse;
pub(crate) mod places;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

pub(crate) use parse::{SchemaError, parse_field};

/// A part of Salesforce that an org may have switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    AccountTeams,
    MultiCurrency,
    EnhancedNotes,
    PersonAccounts,
    StateLists,
}

/// A field's type as describe names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldType {
    Id,
    String,
    TextArea,
    Picklist,
    MultiPicklist,
    Boolean,
    Int,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    Phone,
    Email,
    Url,
    Base64,
    Reference,
    Address,
}

impl FieldType {
    /// The name in describe's `type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::String => "string",
            Self::TextArea => "textarea",
            Self::Picklist => "picklist",
            Self::MultiPicklist => "multipicklist",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Double => "double",
            Self::Currency => "currency",
            Self::Percent => "percent",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Url => "url",
            Self::Base64 => "base64",
            Self::Reference => "reference",
            Self::Address => "address",
        }
    }

    /// The name in describe's `soapType`.
    pub(crate) fn soap(self) -> &'static str {
        match self {
            Self::Id | Self::Reference => "tns:ID",
            Self::Boolean => "xsd:boolean",
            Self::Int => "xsd:int",
            Self::Double | Self::Currency | Self::Percent => "xsd:double",
            Self::Date => "xsd:date",
            Self::DateTime => "xsd:dateTime",
            Self::Base64 => "xsd:base64Binary",
            Self::Address => "urn:address",
            _ => "xsd:string",
        }
    }

    /// True if values are ids of 15 bytes.
    pub(crate) fn is_id(self) -> bool {
        matches!(self, Self::Id | Self::Reference)
    }

    /// True if values are decimal numbers.
    pub(crate) fn is_decimal(self) -> bool {
        matches!(self, Self::Double | Self::Currency | Self::Percent)
    }

    /// True if `GROUP BY` accepts the field. Times can only be grouped through date functions.
    pub(crate) fn is_groupable(self) -> bool {
        !self.is_decimal() && !matches!(self, Self::DateTime | Self::Address | Self::Base64)
    }

    /// True if a value is text of some form.
    pub(crate) fn is_text(self) -> bool {
        matches!(
            self,
            Self::String
                | Self::TextArea
                | Self::Picklist
                | Self::MultiPicklist
                | Self::Phone
                | Self::Email
                | Self::Url
                | Self::Base64
                | Self::Date
        )
    }
}

/// One field of an object.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "describe's own flags, each independent")]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) kind: FieldType,
    /// The greatest length in characters, 0 for types that have none.
    pub(crate) length: usize,
    pub(crate) picklist: Vec<String>,
    /// The field that decides which values of the list may be chosen.
    pub(crate) controller: Option<String>,
    /// The values of the controlling field that each value of the list goes with.
    pub(crate) goes_with: HashMap<String, Vec<String>>,
    pub(crate) references: Vec<String>,
    /// The name by which SOQL follows the reference, if it can be followed.
    pub(crate) relationship: Option<String>,
    /// The name of the reverse relationship on the referenced object.
    pub(crate) children: Option<String>,
    pub(crate) compound: Option<String>,
    pub(crate) default: Option<String>,
    pub(crate) feature: Option<Feature>,
    pub(crate) required: bool,
    /// Never null, but given a value by Salesforce when the caller gives none.
    pub(crate) nonnull: bool,
    pub(crate) readonly: bool,
    pub(crate) createonly: bool,
    pub(crate) unique: bool,
    pub(crate) external_id: bool,
    pub(crate) restricted: bool,
    pub(crate) calculated: bool,
    pub(crate) is_name: bool,
    pub(crate) nofilter: bool,
    /// Deleting the referenced record deletes this one.
    pub(crate) cascade: bool,
    /// Known to the simulator only; no API shows it.
    pub(crate) hidden: bool,
    pub(crate) custom: bool,
}

impl Field {
    /// True if a reference may point to more than one object.
    pub(crate) fn is_polymorphic(&self) -> bool {
        self.references.len() > 1
    }

    /// True if Salesforce always fills the field itself when a caller leaves it out.
    pub(crate) fn defaulted(&self) -> bool {
        self.default.is_some()
            || self.kind == FieldType::Boolean
            || (self.nonnull && !self.required)
    }
}

/// The operations that an object supports, whoever asks.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "describe's own flags, each independent")]
pub(crate) struct ObjectFlags {
    pub(crate) create: bool,
    pub(crate) update: bool,
    pub(crate) delete: bool,
    pub(crate) undelete: bool,
    pub(crate) search: bool,
    pub(crate) merge: bool,
    pub(crate) replicate: bool,
    pub(crate) bulk: bool,
    pub(crate) activity: bool,
    /// Deleting a row removes it at once: it never reaches the recycle bin.
    pub(crate) hard_delete: bool,
    /// Rows are computed, not stored.
    pub(crate) computed: bool,
}

/// One object: its name, flags and fields. Field 0 is always `Id`; in computed
/// objects its value is null.
#[derive(Clone, Debug)]
pub(crate) struct ObjectSchema {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) plural: String,
    pub(crate) prefix: Option<String>,
    pub(crate) feature: Option<Feature>,
    pub(crate) flags: ObjectFlags,
    pub(crate) fields: Vec<Field>,
    index: HashMap<String, usize>,
}

impl ObjectSchema {
    /// The position of a field, by its name in any case.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        if let Some(at) = self.index.get(name) {
            return Some(*at);
        }
        self.fields.iter().position(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// A field by its name in any case.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.position(name).map(|at| &self.fields[at])
    }

    /// The position of a field that the standard schema is known to have, or `usize::MAX`.
    pub(crate) fn at(&self, name: &str) -> usize {
        self.position(name).unwrap_or(usize::MAX)
    }

    /// Adds a field at the end, so that positions already stored in rows stay right.
    pub(crate) fn push(&mut self, field: Field) {
        self.index.insert(field.name.clone(), self.fields.len());
        self.fields.push(field);
    }

    /// The field that a relationship name follows.
    pub(crate) fn relationship(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| {
            field.relationship.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name))
        })
    }
}

/// The standard objects, in the order of `standard.txt`.
pub(crate) fn standard() -> &'static [Arc<ObjectSchema>] {
    static STANDARD: OnceLock<Vec<Arc<ObjectSchema>>> = OnceLock::new();
    STANDARD.get_or_init(|| {
        // The text is part of the program and `the_standard_schema_parses` reads it.
        parse::parse_objects(include_str!("standard.txt")).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_schema_parses() {
        let objects = parse::parse_objects(include_str!("standard.txt")).unwrap();
        assert!(objects.len() >= 20);
        let contact = objects.iter().find(|object| object.name == "Contact").unwrap();
        assert_eq!(contact.at("Id"), 0);
        assert_eq!(contact.field("accountid").unwrap().relationship.as_deref(), Some("Account"));
        assert!(contact.field("MailingAddress").unwrap().kind == FieldType::Address);
        let role = objects.iter().find(|object| object.name == "UserRole").unwrap();
        assert!(role.field("IsDeleted").is_none() && role.field("CreatedDate").is_none());
        let user = objects.iter().find(|object| object.name == "User").unwrap();
        assert!(user.field("IsDeleted").is_none());
    }

    #[test]
    fn every_reference_names_an_object() {
        for object in standard() {
            for field in &object.fields {
                for target in &field.references {
                    assert!(standard().iter().any(|o| &o.name == target), "{}", field.name);
                }
            }
        }
    }
}
