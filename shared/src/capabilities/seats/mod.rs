//! Customer contracts, their seats, and the CRM users that these are.

mod assign;
mod change_seat;
mod crm_users;
pub mod keys;
mod model;
mod org_users;
mod roll;
mod teams;
mod tenants;
mod votes;

pub use crate::kernel::{folded_email, folded_user_email};
pub use assign::{Assigned, MOST_ASSIGNED};
pub use change_seat::{MOST_ALIASES, SeatPatch};
pub use crm_users::{CrmUserError, CrmUsers};
pub(crate) use crm_users::{crm_user_of, seat_of_user};
pub use model::*;
pub use org_users::{OrgRole, OrgUser, OrgUserPage, OrgUserQuery};
pub use roll::{TenantPage, TenantWithConnections};
pub use teams::{AccountTeam, TeamMember};
pub(crate) use tenants::free_addresses;
pub use tenants::{Licences, NewSeat, TenantError, Tenants};
pub use votes::{CrmVotes, VoteError, Voted};
