//! The users of an org as the last import brought them, among whom an admin chooses who gets a
//! seat: by role, with the roles below it, and by words.

use std::collections::{BTreeMap, BTreeSet};

use super::{CrmUser, CrmUserError, CrmUsers, SeatsByEmail, keys, seat_of_user};
use crate::capabilities::custody::{CursorError, OpenGeneration};
use crate::kernel::{Record, SObject, SeatId, TenantEnvironment};
use crate::ports::PortError;
use crate::salesforce::SalesforceId;
use crate::store::Stored;
use crate::work::boxed;

/// How many users one page looks at.
const LOOKED_AT: usize = 100;

/// Words to search by are no longer, in characters.
const LONGEST_WORDS: usize = 200;

/// Salesforce allows 500 roles in an org, and more on request.
const MOST_ROLES: usize = 10_000;

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct OrgUserQuery {
    /// Those in this role and in the roles below it.
    pub role: Option<SalesforceId>,
    /// Those in whose name or address all these words are, whatever the case.
    pub words: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A user of the org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgUser {
    /// Who it is.
    pub user: CrmUser,
    /// The e-mail address, as the org has it.
    pub email: Option<String>,
    /// The role.
    pub role: Option<SalesforceId>,
    /// The seat that the user is.
    pub seat: Option<SeatId>,
}

/// A page of users.
#[derive(Debug)]
pub struct OrgUserPage {
    /// The users, by name within the page; there may be none while more pages follow.
    pub items: Vec<OrgUser>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// A role of the org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgRole {
    /// The role.
    pub id: SalesforceId,
    /// Its name.
    pub name: Option<String>,
    /// The role above it; none at the top.
    pub parent: Option<SalesforceId>,
}

impl CrmUsers {
    /// A page of the org's users. It looks at so many users, however many there are.
    ///
    /// # Errors
    /// When there is no connection, or the cursor is none of this list's.
    #[must_use]
    #[boxed]
    pub async fn page(
        &self,
        at: TenantEnvironment,
        query: &OrgUserQuery,
    ) -> Result<OrgUserPage, CrmUserError> {
        let opened = self.generation(at).await?;
        let now = self.ports.clock.now();
        let words = query.words.as_deref().unwrap_or_default().to_lowercase();
        if words.chars().nth(LONGEST_WORDS).is_some() {
            return Err(CrmUserError::Words);
        }
        let role = query.role.map(|role| role.to_string()).unwrap_or_default();
        let list = format!("crm-users|{role}|{words}");
        let cursor = query.cursor.as_deref();
        let place = cursor.map(|cursor| opened.position(&list, cursor, now)).transpose()?;
        let (bucket, after) = place.as_deref().map_or(Ok((0, None)), position)?;
        let (users, next) = opened.records.page(SObject::User, bucket, after, LOOKED_AT).await?;
        let within = match query.role {
            Some(role) => Some(subtree(role, &roles(&opened).await?)),
            None => None,
        };
        let is_asked_for = |user: &Record| {
            let role = user.fields.reference("UserRoleId");
            within.as_ref().is_none_or(|within| role.is_some_and(|role| within.contains(&role)))
                && has_words(user, &words)
        };
        let seats = self.store.all(&keys::seats(at.tenant)).await?;
        let seats: SeatsByEmail = seats.into_iter().map(Stored::into_inner).collect();
        let mut items = Vec::new();
        for user in users.iter().filter(|user| is_asked_for(user)) {
            let seat = seat_of_user(&opened, &seats, user).await?;
            items.push(OrgUser {
                user: CrmUser::of(user),
                email: user.fields.get("Email").map(str::to_owned),
                role: user.fields.reference("UserRoleId"),
                seat,
            });
        }
        items.sort_by(|a, b| (&a.user.name, a.user.id).cmp(&(&b.user.name, b.user.id)));
        let goes_on = match next {
            Some(after) => Some(format!("{bucket}|{after}")),
            None => Some(bucket + 1)
                .filter(|next| *next < opened.keys.buckets())
                .map(|next| format!("{next}|")),
        };
        let next = goes_on.map(|place| opened.cursor(&list, &place, now));
        Ok(OrgUserPage { items, next })
    }

    /// The roles of the org, by name; there are a few hundred at most.
    ///
    /// # Errors
    /// When there is no connection.
    #[must_use]
    #[boxed]
    pub async fn roles(&self, at: TenantEnvironment) -> Result<Vec<OrgRole>, CrmUserError> {
        let opened = self.generation(at).await?;
        let mut roles = roles(&opened).await?;
        roles.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(roles)
    }
}

/// The bucket of a place, and the key to go on after.
fn position(place: &str) -> Result<(u32, Option<&str>), CursorError> {
    let (bucket, after) = place.split_once('|').ok_or(CursorError)?;
    let bucket = bucket.parse().map_err(|_| CursorError)?;
    Ok((bucket, Some(after).filter(|after| !after.is_empty())))
}

/// True if each of the words, in small letters, is in the user's name or address.
fn has_words(user: &Record, words: &str) -> bool {
    let of = |field| user.fields.get(field).unwrap_or_default();
    let text = format!("{} {}", of("Name"), of("Email")).to_lowercase();
    words.split_whitespace().all(|word| text.contains(word))
}

async fn roles(opened: &OpenGeneration) -> Result<Vec<OrgRole>, PortError> {
    let mut roles = Vec::new();
    for bucket in 0..opened.keys.buckets() {
        let page = opened.records.page(SObject::UserRole, bucket, None, MOST_ROLES).await?;
        roles.extend(page.0.iter().map(|role| OrgRole {
            id: role.id,
            name: role.fields.get("Name").map(str::to_owned),
            parent: role.fields.reference("ParentRoleId"),
        }));
    }
    Ok(roles)
}

/// A role and all below it.
fn subtree(top: SalesforceId, roles: &[OrgRole]) -> BTreeSet<SalesforceId> {
    let mut below: BTreeMap<SalesforceId, Vec<SalesforceId>> = BTreeMap::new();
    for role in roles {
        if let Some(parent) = role.parent {
            below.entry(parent).or_default().push(role.id);
        }
    }
    let (mut within, mut found) = (BTreeSet::new(), vec![top]);
    while let Some(role) = found.pop() {
        // What an org has in a circle is looked at once.
        if within.insert(role) {
            found.extend(below.get(&role).into_iter().flatten());
        }
    }
    within
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record_id;

    #[test]
    fn a_role_has_those_below_it_though_they_stand_in_a_circle() {
        let id = |n| record_id("00E", n);
        let role =
            |n, parent: Option<u64>| OrgRole { id: id(n), name: None, parent: parent.map(id) };
        let roles = [role(1, None), role(2, Some(1)), role(3, Some(2)), role(4, Some(1))];
        assert_eq!(subtree(id(2), &roles), BTreeSet::from([id(2), id(3)]));
        assert_eq!(subtree(id(1), &roles).len(), 4);
        let circle = [role(1, Some(2)), role(2, Some(1)), role(3, None)];
        assert_eq!(subtree(id(1), &circle), BTreeSet::from([id(1), id(2)]));
    }
}
