//! Work that outlives the call that began it: open queries and bulk jobs, without HTTP.

mod cursor;
pub(crate) mod ingest;
mod ingest_rows;
pub(crate) mod query;
mod state;

pub(crate) use cursor::Cursor;
pub(crate) use ingest::IngestJob;
pub(crate) use query::QueryJob;
pub(crate) use state::State;
