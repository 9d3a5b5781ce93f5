//! An account's team as a group of the product: who works on the account together, as the last
//! import has it. An org need not have account teams; then there is nobody.

use futures::stream::{self, StreamExt, TryStreamExt};

use super::{CrmUser, CrmUserError, CrmUsers, SeatsByEmail, keys, seat_of_user};
use crate::kernel::{SObject, SeatId, TenantEnvironment};
use crate::salesforce::SalesforceId;
use crate::store::Stored;
use crate::store::keys::Relation;
use crate::work::{WorkError, boxed};

/// No team that people work in has as many members.
const MOST_MEMBERS: usize = 500;

/// How many members' seats are looked for at once.
const AT_ONCE: usize = 16;

/// A member of an account's team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamMember {
    /// The CRM user.
    pub user: CrmUser,
    /// The role on the team, by the org's own list.
    pub role: Option<String>,
    /// The seat that the user is.
    pub seat: Option<SeatId>,
}

/// The team of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTeam {
    /// The members, by name.
    pub members: Vec<TeamMember>,
    /// The team has more than were looked at.
    pub more: bool,
}

impl CrmUsers {
    /// The team of an account.
    ///
    /// # Errors
    /// When there is no connection.
    #[must_use]
    #[boxed]
    pub async fn team(
        &self,
        at: TenantEnvironment,
        account: SalesforceId,
    ) -> Result<AccountTeam, CrmUserError> {
        let opened = &self.generation(at).await?;
        let records = &opened.records;
        let known = records.some_children(account, Relation::AccountTeamMember, MOST_MEMBERS);
        let (known, more) = known.await?;
        let members = records.get(SObject::AccountTeamMember, &known).await?;
        let of_account =
            members.iter().filter(|of| of.fields.reference("AccountId") == Some(account));
        let roles: Vec<(SalesforceId, Option<String>)> = of_account
            .filter_map(|of| {
                let role = of.fields.get("TeamMemberRole").map(str::to_owned);
                Some((of.fields.reference("UserId")?, role))
            })
            .collect();
        let users: Vec<SalesforceId> = roles.iter().map(|(user, _)| *user).collect();
        let users = records.get(SObject::User, &users).await?;
        let seats = self.store.all(&keys::seats(at.tenant)).await?;
        let seats: &SeatsByEmail = &seats.into_iter().map(Stored::into_inner).collect();
        let found = stream::iter(users)
            .map(|user| async move {
                let seat = seat_of_user(opened, seats, &user).await?;
                Ok::<_, WorkError>((CrmUser::of(&user), seat))
            })
            .buffered(AT_ONCE)
            .try_collect::<Vec<_>>();
        let mut members: Vec<TeamMember> = found
            .await?
            .into_iter()
            .map(|(user, seat)| {
                let role = roles.iter().find(|(id, _)| *id == user.id);
                TeamMember { role: role.and_then(|(_, role)| role.clone()), user, seat }
            })
            .collect();
        members.sort_by(|a, b| (&a.user.name, a.user.id).cmp(&(&b.user.name, b.user.id)));
        Ok(AccountTeam { members, more })
    }
}
