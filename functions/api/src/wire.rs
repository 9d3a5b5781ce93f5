//! The schemas of values that the kernel owns: it knows nothing of OpenAPI.
//!
//! A schema follows from the value itself, so that the two cannot part.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// The schema of ids with a prefix.
macro_rules! ids {
    ($($name:ident of $id:ident)*) => {$(
        #[doc = concat!("The schema of [`shared::kernel::", stringify!($id), "`].")]
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let prefix = shared::kernel::$id::PREFIX;
                let pattern = format!("^{prefix}_[0-9A-Z]{{26}}$");
                ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

ids! {
    TenantId of TenantId
    SeatId of SeatId
    RunId of ImportRunId
    MatchRunId of MatchRunId
    ActivityId of ActivityId
    ChangeId of ChangeId
    BulkId of BulkId
    ModelId of ModelId
    ExportId of ExportId
    ListId of ListId
    GlassId of GlassId
    DirectoryVersionId of DirectoryVersionId
}

/// The id of a record of a CRM, of 15 or 18 characters.
pub(crate) enum SalesforceId {}

impl PartialSchema for SalesforceId {
    fn schema() -> RefOr<Schema> {
        let pattern = "^[0-9A-Za-z]{15}([0-5A-Z]{3})?$";
        let builder = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
        builder
            .description(Some("The id of a record of the CRM; answers have 18 characters"))
            .into()
    }
}

impl ToSchema for SalesforceId {
    fn name() -> Cow<'static, str> {
        "SalesforceId".into()
    }
}

/// The id that the directory gave a person or a company.
pub(crate) enum EntityId {}

impl PartialSchema for EntityId {
    fn schema() -> RefOr<Schema> {
        let longest = shared::kernel::EntityId::LONGEST;
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(longest))
            .description(Some("The id that the directory gave a person or a company"))
            .into()
    }
}

impl ToSchema for EntityId {
    fn name() -> Cow<'static, str> {
        "EntityId".into()
    }
}

/// The schema of an enum whose variants hold nothing: the names that it is written under. A variant
/// that is not listed does not compile.
macro_rules! named {
    ($($(#[doc = $doc:literal])+ $name:ident of $value:ty { $($variant:ident)* })*) => {$(
        $(#[doc = $doc])+
        pub(crate) enum $name {}

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                type Value = $value;
                let listed = |value: &Value| match value { $(Value::$variant => (),)* };
                let values = [$(Value::$variant,)*];
                values.iter().for_each(listed);
                $crate::wire::names(&values, &[$($doc,)+])
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

pub(crate) use named;

/// The names of some values, as they are written.
pub(crate) fn names<T: serde::Serialize>(values: &[T], doc: &[&str]) -> RefOr<Schema> {
    let names = values.iter().filter_map(|value| serde_json::to_value(value).ok());
    let doc: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(doc.join(" ")))
        .enum_values(Some(names.collect::<Vec<_>>()))
        .into()
}

named! {
    /// Which of a tenant's two connections is meant.
    Environment of shared::kernel::Environment { Production Sandbox }

    /// The rights of a caller or a seat.
    Role of shared::capabilities::seats::Role {
        Admin Seat Reporting VendorRep Service Operator
    }

    /// An imported object of Salesforce's.
    SObject of shared::kernel::SObject {
        Account AccountTeamMember Contact Event Lead Note Opportunity OpportunityContactRole Task
        User UserRole
    }
}

/// Counts the connections of an environment.
pub(crate) enum Generation {}

impl PartialSchema for Generation {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .description(Some("Counts the connections of an environment"))
            .into()
    }
}

impl ToSchema for Generation {
    fn name() -> Cow<'static, str> {
        "Generation".into()
    }
}

/// The value of a field of a CRM record.
pub(crate) enum FieldValue {}

impl PartialSchema for FieldValue {
    fn schema() -> RefOr<Schema> {
        let kinds = [Type::Boolean, Type::Number, Type::String, Type::Null];
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter(kinds))
            .description(Some("The value of a field of a CRM record; null where it is empty"))
            .into()
    }
}

impl ToSchema for FieldValue {
    fn name() -> Cow<'static, str> {
        "FieldValue".into()
    }
}
