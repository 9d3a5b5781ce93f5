//! Ends an authorization: Salesforce sends the person's browser here.

mod handler;
mod page;

pub use handler::router;
