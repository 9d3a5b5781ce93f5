//! The keys of importing.

use super::{
    ActiveRun, ImportRun, ImportSettings, MappingPreview, ObjectImport, Pipeline, Selection,
    ShownFields, Watermark,
};
use crate::kernel::{ImportRunId, SObject, TenantEnvironment};
use crate::ports::Key;
use crate::store::keys::{GenerationKeys, Kind, environment_partition};
use crate::store::{Marker, Series, Slot};

/// How an environment's imports are set up.
#[must_use]
pub fn import_settings(at: TenantEnvironment) -> Slot<ImportSettings> {
    Slot::at(Key::new(environment_partition(at), "IMPORT".to_owned()))
}

/// What of an environment's org is imported.
#[must_use]
pub fn selection(at: TenantEnvironment) -> Slot<Selection> {
    Slot::at(Key::new(environment_partition(at), "SELECTION".to_owned()))
}

impl GenerationKeys {
    /// The run under way, and the lease on it.
    #[must_use]
    pub fn active_run(&self) -> Slot<ActiveRun> {
        Slot::at(self.single(Kind::Run, "ACTIVE".to_owned()))
    }

    /// The marker that a scheduled slot's run was started once, and the next slot planned.
    #[must_use]
    pub fn slot(&self, run: ImportRunId) -> Slot<Marker> {
        Slot::at(self.single(Kind::Run, format!("SLOT#{run}")))
    }

    /// An object's watermark.
    #[must_use]
    pub fn watermark(&self, object: SObject) -> Slot<Watermark> {
        Slot::at(self.single(Kind::Run, format!("WATERMARK#{object}")))
    }

    /// The org's pipeline stages.
    #[must_use]
    pub fn pipeline(&self) -> Slot<Pipeline> {
        Slot::at(self.single(Kind::Run, "PIPELINE".to_owned()))
    }

    /// An import run.
    #[must_use]
    pub fn run(&self, run: ImportRunId) -> Slot<ImportRun> {
        Slot::at(self.single(Kind::Run, format!("RUN#{run}")))
    }

    /// The import runs, newest last.
    #[must_use]
    pub fn runs(&self) -> Series<ImportRun> {
        Series::under(self.partition(Kind::Run, 0), "RUN#".to_owned())
    }

    /// One object's progress in a run.
    #[must_use]
    pub fn object_import(&self, run: ImportRunId, object: SObject) -> Slot<ObjectImport> {
        Slot::at(self.single(Kind::Run, format!("OBJECT#{run}#{object}")))
    }

    /// The progress of every object of a run.
    #[must_use]
    pub fn object_imports(&self, run: ImportRunId) -> Series<ObjectImport> {
        Series::under(self.partition(Kind::Run, 0), format!("OBJECT#{run}#"))
    }

    /// The fields of an object that the org shows its integration user.
    #[must_use]
    pub fn org_fields(&self, object: SObject) -> Slot<ShownFields> {
        Slot::at(self.single(Kind::Grant, format!("FIELDS#{object}")))
    }

    /// A look at one record through a mapping that is not made yet.
    #[must_use]
    pub fn mapping_preview(&self) -> Slot<MappingPreview> {
        Slot::at(self.single(Kind::Grant, "PREVIEW".to_owned()))
    }
}
