//! The keys of exports: of their items, and of their objects in the bucket.

use super::{ExportJob, ExportOrder};
use crate::kernel::{Asked, ExportId, Scope};
use crate::store::Slot;
use crate::store::keys::{GenerationKeys, Kind};

impl GenerationKeys {
    /// An export.
    #[must_use]
    pub fn export(&self, export: ExportId) -> Slot<ExportJob> {
        Slot::at(self.single(Kind::Export, format!("JOB#{export}")))
    }

    /// The export of this order that was asked for last.
    #[must_use]
    pub fn asked_export(&self, order: &ExportOrder) -> Slot<Asked<ExportId>> {
        Slot::at(self.single(Kind::Export, format!("ASKED#{}", order.name())))
    }
}

/// The folder of all objects of an export.
pub(crate) fn export_folder(scope: Scope, export: ExportId) -> String {
    format!("{}{export}/", scope.export_prefix())
}

/// The object of some rows that wait for their file, sealed.
pub(crate) fn rows_object(scope: Scope, export: ExportId, rows: &str) -> String {
    format!("{}rows/{rows}", export_folder(scope, export))
}

/// The object of a finished file, in the clear.
pub(crate) fn file_object(scope: Scope, export: ExportId, (hash, name): (&str, &str)) -> String {
    format!("{}files/{hash}/{name}", export_folder(scope, export))
}
