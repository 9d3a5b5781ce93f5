#![doc = include_str!("../README.md")]

pub mod domain;
pub mod ports;
pub mod salesforce;
pub mod seal;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod usecases;
pub mod work;

pub use matching;
