//! The HTTP API: what the product's back end, its front end and the customer's admin ask for.

#![expect(clippy::struct_field_names, reason = "fields are named as they are on the wire")]

mod admin;
mod callers;
mod extract;
mod openapi;
mod operator;
mod problem;
mod router;
mod security_txt;
mod seller;
mod state;
#[cfg(test)]
mod tests;
mod wire;

pub use callers::Issuer;
pub use router::{api_router, ask_router, router};
pub use state::Api;
