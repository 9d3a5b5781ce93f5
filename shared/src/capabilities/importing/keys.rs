//! The keys of importing, in the table and in the object store.

use super::{
    ActiveRun, ImportRun, ImportSettings, MappingPreview, ObjectImport, Pipeline, Selection,
    ShownFields, Watermark,
};
use crate::kernel::{Asked, ImportRunId, SObject, Scope, TenantEnvironment};
use crate::ports::Key;
use crate::store::keys::{GenerationKeys, Kind, environment_partition};
use crate::store::{Marker, Series, Slot};

/// The settings of an environment's imports.
#[must_use]
pub fn import_settings(at: TenantEnvironment) -> Slot<ImportSettings> {
    Slot::at(Key::new(environment_partition(at), "IMPORT".to_owned()))
}

/// The choice of what an environment's imports read.
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

    /// The run that somebody asked for last.
    #[must_use]
    pub fn asked_run(&self, full: bool) -> Slot<Asked<ImportRunId>> {
        let kind = if full { "full" } else { "changed" };
        Slot::at(self.single(Kind::Run, format!("ASKED#{kind}")))
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

/// The folder of all objects of a run.
pub(crate) fn run_folder(scope: Scope, run: ImportRunId) -> String {
    format!("{}import/{run}/", scope.run_prefix())
}

/// A part of a page of rows.
pub(crate) fn page_part_object(
    scope: Scope,
    run: ImportRunId,
    object: SObject,
    page: u32,
    part: u32,
) -> String {
    format!("{}pages/{object}/{page:06}/{part:04}", run_folder(scope, run))
}

/// The number of a page's parts, written after them.
pub(crate) fn page_object(scope: Scope, run: ImportRunId, object: SObject, page: u32) -> String {
    format!("{}pages/{object}/{page:06}/whole", run_folder(scope, run))
}

/// The rows that went without a trace.
pub(crate) fn deleted_object(scope: Scope, run: ImportRunId, object: SObject) -> String {
    format!("{}pages/{object}/deleted", run_folder(scope, run))
}

/// A page of all ids that the org shows.
pub(crate) fn ids_object(scope: Scope, run: ImportRunId, object: SObject, page: u32) -> String {
    format!("{}ids/{object}/{page:06}", run_folder(scope, run))
}

/// The ids of a page of rows.
pub(crate) fn read_object(scope: Scope, run: ImportRunId, object: SObject, page: u32) -> String {
    format!("{}ids/{object}/read/{page:06}", run_folder(scope, run))
}

/// The folder of a run's lists of changed records of one object.
pub(crate) fn changed_folder(scope: Scope, run: ImportRunId, object: SObject) -> String {
    format!("{}changed/{object}/", run_folder(scope, run))
}

/// One list of changed records; the list of a step comes in parts.
pub(crate) fn changed_object(
    scope: Scope,
    run: ImportRunId,
    object: SObject,
    name: &str,
    part: usize,
) -> String {
    format!("{}{name}-{part:04}", changed_folder(scope, run, object))
}
