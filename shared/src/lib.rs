#![doc = include_str!("../README.md")]

#[cfg(feature = "aws")]
pub mod aws;
pub mod capabilities;
pub mod edge;
pub mod host;
pub mod kernel;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod metrics;
pub mod ports;
pub mod product;
pub mod seal;
pub mod store;
#[cfg(test)]
mod stored_forms_tests;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod work;

pub use matching;
pub use salesforce;
