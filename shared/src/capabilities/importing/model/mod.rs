//! The words and decisions of importing. Pure.

mod import_run;
mod import_settings;
mod mapping_preview;
mod object_import;
mod object_phase;
mod org_field;
mod pipeline;
mod row_condition;
mod selection;
mod span;
mod watermark;

pub use import_run::*;
pub use import_settings::*;
pub use mapping_preview::*;
pub use object_import::*;
pub use object_phase::*;
pub use org_field::*;
pub use pipeline::*;
pub use row_condition::*;
pub use selection::*;
pub use span::Span;
pub use watermark::*;
