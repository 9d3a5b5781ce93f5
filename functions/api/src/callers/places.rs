//! What paths name: a tenant, one of its environments, and a thing there.

use matching::EntityKind;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::kernel::{
    ActivityId, BulkId, ChangeId, DirectoryVersionId, EntityId, Environment, ExportId, GlassId,
    ImportRunId, ListId, MatchRunId, ModelId, SObject, SeatId, TenantEnvironment, TenantId,
};
use shared::salesforce::SalesforceId;
use utoipa::{IntoParams, ToSchema};

use crate::seller::KindOfEntity;
use crate::wire;

/// A path that names a tenant.
pub(crate) trait OfTenant: DeserializeOwned + Send {
    fn tenant(&self) -> TenantId;
}

/// A path that names a seat.
pub(crate) trait OfSeat: OfTenant {
    fn seat(&self) -> SeatId;
}

/// A path below a tenant.
macro_rules! of_tenant {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, IntoParams)]
        #[into_params(parameter_in = Path)]
        pub(crate) struct $name {
            #[param(value_type = wire::TenantId)]
            pub(crate) tenant: TenantId,
            $($(#[$attribute])* pub(crate) $field: $type,)*
        }

        impl OfTenant for $name {
            fn tenant(&self) -> TenantId {
                self.tenant
            }
        }
    };
}

/// A path below a tenant's connection.
macro_rules! of_connection {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty)* }) => {
        of_tenant! {
            $(#[$doc])*
            $name {
                #[param(value_type = wire::Environment)] environment: Environment
                $($(#[$attribute])* $field: $type)*
            }
        }

        impl $name {
            /// Where the connection and its settings are.
            pub(crate) fn environment(&self) -> TenantEnvironment {
                TenantEnvironment { tenant: self.tenant, environment: self.environment }
            }
        }
    };
}

of_tenant! {
    /// A tenant.
    AtTenant {}
}

of_tenant! {
    /// A purge of a tenant's.
    AtPurge { purge: String }
}

of_tenant! {
    /// A seat of a tenant's.
    AtSeatOfTenant { #[param(value_type = wire::SeatId)] seat: SeatId }
}

of_connection! {
    /// A connection.
    At {}
}

of_connection! {
    /// A seat, and what it has to do with a connection.
    AtSeat { #[param(value_type = wire::SeatId)] seat: SeatId }
}

of_connection! {
    /// An import run.
    AtRun { #[param(value_type = wire::RunId)] run: ImportRunId }
}

of_connection! {
    /// An import run, and what is done to it.
    AtSteer {
        #[param(value_type = wire::RunId)] run: ImportRunId
        #[param(inline)] steer: Steer
    }
}

of_connection! {
    /// A match run.
    AtMatchRun { #[param(value_type = wire::MatchRunId)] run: MatchRunId }
}

of_connection! {
    /// An export.
    AtExport { #[param(value_type = wire::ExportId)] export: ExportId }
}

of_connection! {
    /// An object of the org.
    AtObject { #[param(value_type = wire::SObject)] object: SObject }
}

of_connection! {
    /// A record of the org.
    AtRecord {
        #[param(value_type = wire::SObject)] object: SObject
        /// The record's 18-character id
        #[param(value_type = wire::SalesforceId)] record: SalesforceId
    }
}

of_connection! {
    /// A record of the org, through broken glass.
    AtGlass {
        #[param(value_type = wire::GlassId)] glass: GlassId
        #[param(value_type = wire::SObject)] object: SObject
        /// The record's 18-character id
        #[param(value_type = wire::SalesforceId)] record: SalesforceId
    }
}

of_connection! {
    /// An entity of the directory.
    AtEntity {
        #[param(value_type = KindOfEntity)] kind: EntityKind
        #[param(value_type = wire::EntityId)] entity: EntityId
    }
}

of_connection! {
    /// A model of the tenant's own.
    AtModel { #[param(value_type = wire::ModelId)] model: ModelId }
}

of_connection! {
    /// An activity.
    AtActivity { #[param(value_type = wire::ActivityId)] activity: ActivityId }
}

of_connection! {
    /// A record of the org, as a seat looks at it.
    AtSeatRecord {
        #[param(value_type = wire::SeatId)] seat: SeatId
        /// The record's 18-character id
        #[param(value_type = wire::SalesforceId)] record: SalesforceId
    }
}

of_connection! {
    /// A list of a seat's.
    AtSeatList {
        #[param(value_type = wire::SeatId)] seat: SeatId
        #[param(value_type = wire::ListId)] list: ListId
    }
}

of_connection! {
    /// A form for a seat.
    AtSeatForm {
        #[param(value_type = wire::SeatId)] seat: SeatId
        #[param(value_type = wire::SObject)] object: SObject
    }
}

of_connection! {
    /// A person of the directory, as a seat looks at them.
    AtSeatPerson {
        #[param(value_type = wire::SeatId)] seat: SeatId
        #[param(value_type = wire::EntityId)] person: EntityId
    }
}

of_connection! {
    /// A record of the org, as it is now for a seat.
    AtSeatObject {
        #[param(value_type = wire::SeatId)] seat: SeatId
        #[param(value_type = wire::SObject)] object: SObject
        /// The record's 18-character id
        #[param(value_type = wire::SalesforceId)] record: SalesforceId
    }
}

of_connection! {
    /// A change that a seat wants in the CRM.
    AtChange {
        #[param(value_type = wire::SeatId)] seat: SeatId
        #[param(value_type = wire::ChangeId)] change: ChangeId
    }
}

of_connection! {
    /// Changes that a seat approved together.
    AtBulk {
        #[param(value_type = wire::SeatId)] seat: SeatId
        #[param(value_type = wire::BulkId)] bulk: BulkId
    }
}

impl OfSeat for AtBulk {
    fn seat(&self) -> SeatId {
        self.seat
    }
}

impl OfSeat for AtSeatPerson {
    fn seat(&self) -> SeatId {
        self.seat
    }
}

impl OfSeat for AtSeatList {
    fn seat(&self) -> SeatId {
        self.seat
    }
}

impl OfSeat for AtSeatForm {
    fn seat(&self) -> SeatId {
        self.seat
    }
}

impl OfSeat for AtSeatObject {
    fn seat(&self) -> SeatId {
        self.seat
    }
}

impl OfSeat for AtChange {
    fn seat(&self) -> SeatId {
        self.seat
    }
}

impl OfSeat for AtSeatRecord {
    fn seat(&self) -> SeatId {
        self.seat
    }
}

impl OfSeat for AtSeat {
    fn seat(&self) -> SeatId {
        self.seat
    }
}

/// A version of the directory.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct AtVersion {
    #[param(value_type = wire::DirectoryVersionId)]
    pub(crate) version: DirectoryVersionId,
}

/// What a person does to a run.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Steer {
    Pause,
    Resume,
    Cancel,
}
