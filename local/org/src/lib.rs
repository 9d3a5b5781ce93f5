#![doc = include_str!("../README.md")]

mod activities;
mod base;
mod changes;
mod conversion;
mod delta;
mod error;
mod expectations;
mod files;
mod id;
mod org;
mod pipeline;
mod random;
mod records;
mod rows;
mod scene;
mod slice;
mod staff;
mod tables;
mod time;

pub use base::Base;
pub use error::Error;
pub use id::{checksum, is_valid};
pub use org::{Options, Org};
