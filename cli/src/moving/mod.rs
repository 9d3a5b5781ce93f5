//! Moving a tenant: the file that it moves in, written from one home and read into another.

mod read;
mod write;

pub use read::{Batch, TenantFile};
pub use write::TenantFileWriter;

#[cfg(test)]
mod tests;
