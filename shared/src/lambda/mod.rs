//! What surrounds every handler: configuration, logs, metrics, the queue and schedule events, and
//! the shard files of a sandbox.

mod bootstrap;
pub mod config;
mod emf;
mod mapping;
mod sqs;
mod tick;

pub use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
pub use lambda_runtime::Error;

pub use bootstrap::{bootstrap, run, run_queue};
pub use mapping::MappedFiles;
pub use sqs::each_message;
pub use tick::{ScheduledEvent, Trigger, tick};
