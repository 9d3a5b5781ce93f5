//! Who may do what through which app: apps, authorizations, grants and sessions, without HTTP.

mod authorization;
mod grant;
mod issue;
mod policy;
mod state;

pub(crate) use authorization::{AuthorizeRequest, Code, Ticket};
pub use grant::GrantView;
pub(crate) use grant::{Grantee, Issued, Refusal};
pub use policy::{App, AppPolicy, RefreshTokenPolicy};
pub(crate) use state::OAuth;
