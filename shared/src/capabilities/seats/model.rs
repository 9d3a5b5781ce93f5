//! A customer contract and its seats.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::{Record, SeatId, Signature, TenantId, federation_address, folded_email};
use crate::salesforce::SalesforceId;

/// A customer contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// The customer's name.
    pub name: String,
    /// True if the contract includes CRM sync at all.
    pub entitled: bool,
    /// The most seats that the contract has; none for as many as are added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licences: Option<u32>,
    /// Counts the seats that were added under a bound, so that two at once do not pass it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seats_added: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Tenant {
    /// A contract that includes CRM sync, with as many seats as are added.
    #[must_use]
    pub fn new(id: TenantId, name: String, created_at: Timestamp) -> Self {
        Self { id, name, entitled: true, licences: None, seats_added: 0, created_at }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A role of a caller or a seat. Each may have several: an admin without `Seat` configures, and
/// does not sell.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Role {
    /// Configures the connection and sees its reports.
    Admin,
    /// Sells.
    Seat,
    /// Sees reports.
    Reporting,
    /// The vendor's representative: percentages only.
    VendorRep,
    /// The product's own back end.
    Service,
    /// Somebody who runs the product, and may break the glass to look at a tenant's record.
    Operator,
}

/// A licensed user of the product. The seat joins the CRM user of one of its e-mail addresses.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Its id.
    pub id: SeatId,
    /// The customer whose contract it belongs to.
    pub tenant: TenantId,
    /// The e-mail address, compared without case.
    pub email: String,
    /// Other addresses under which the CRM may know the user.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub aliases: BTreeSet<String>,
    /// The id by which the user logs in everywhere, which the CRM knows them by: it goes before
    /// addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federation_id: Option<String>,
    /// The user's name.
    pub name: String,
    /// The user's time zone, an IANA name: it says on which day an activity was.
    pub time_zone: String,
    /// The user's roles.
    pub roles: BTreeSet<Role>,
}

impl Seat {
    /// All addresses by which the seat's CRM user is found, as they are compared, and its
    /// federation id among them.
    #[must_use]
    pub fn addresses(&self) -> BTreeSet<String> {
        let all = std::iter::once(&self.email).chain(&self.aliases);
        let all = all.map(|address| folded_email(address));
        all.chain(self.federation_id.as_deref().map(federation_address)).collect()
    }
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The claim of a seat to its e-mail address: no two seats of a tenant have one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailClaim {
    /// The seat.
    pub seat: SeatId,
}

/// The CRM user that an admin chose for a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatMapping {
    /// The user.
    pub user: SalesforceId,
    /// Who chose, and when.
    pub signed: Signature,
}

/// The seat that an admin chose a CRM user for: no user is chosen for two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserMapping {
    /// The seat.
    pub seat: SeatId,
}

/// How a seat and its CRM user were found for each other, if they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CrmUserStatus {
    /// One active user has the seat's e-mail address.
    Matched,
    /// An admin chose the user.
    MappedByHand,
    /// No user has the address, or the chosen one is gone.
    NotMatched,
    /// Several active users have the address: an admin has to choose.
    Ambiguous,
    /// The user may not log in any more.
    Inactive,
}

/// A CRM user, as an import brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmUser {
    /// The user.
    pub id: SalesforceId,
    /// The user's name.
    pub name: Option<String>,
    /// True if the user may log in.
    pub is_active: bool,
}

/// A seat and the CRM user that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmUserLink {
    /// The seat.
    pub seat: SeatId,
    /// How that was found.
    pub status: CrmUserStatus,
    /// The user; none unless the seat is one user's, who is active.
    pub user: Option<SalesforceId>,
    /// The users of the seat's e-mail address, among whom an admin may choose.
    pub candidates: Vec<CrmUser>,
}

impl CrmUser {
    /// The user of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let name = record.fields.get("Name").map(str::to_owned);
        Self { id: record.id, name, is_active: record.fields.is_true("IsActive") }
    }
}

impl CrmUserStatus {
    /// The state of a seat for which an admin chose this user, if the user is still there.
    #[must_use]
    pub fn chosen(user: Option<&CrmUser>) -> (Self, Option<SalesforceId>) {
        match user {
            Some(user) if user.is_active => (Self::MappedByHand, Some(user.id)),
            Some(_) => (Self::Inactive, None),
            None => (Self::NotMatched, None),
        }
    }

    /// The state of a seat whose e-mail address these users have, who are nobody else's.
    #[must_use]
    pub fn by_email<'a>(users: impl Iterator<Item = &'a CrmUser>) -> (Self, Option<SalesforceId>) {
        let users: Vec<&CrmUser> = users.collect();
        let active: Vec<SalesforceId> =
            users.iter().filter(|user| user.is_active).map(|user| user.id).collect();
        match active[..] {
            [user] => (Self::Matched, Some(user)),
            [] if users.is_empty() => (Self::NotMatched, None),
            [] => (Self::Inactive, None),
            _ => (Self::Ambiguous, None),
        }
    }
}

/// A tenant's seats by folded e-mail. Where two seats share one, either may be meant: it names none
/// of them.
#[derive(Debug, Clone, Default)]
pub struct SeatsByEmail(BTreeMap<String, Option<Seat>>, BTreeSet<SeatId>);

impl SeatsByEmail {
    /// The seat of an e-mail address, however that is written.
    #[must_use]
    pub fn get(&self, email: &str) -> Option<&Seat> {
        self.0.get(&folded_email(email))?.as_ref()
    }

    /// True if this is one of the seats.
    #[must_use]
    pub fn has(&self, seat: SeatId) -> bool {
        self.1.contains(&seat)
    }
}

impl FromIterator<Seat> for SeatsByEmail {
    fn from_iter<I: IntoIterator<Item = Seat>>(seats: I) -> Self {
        let mut all = Self::default();
        for seat in seats {
            all.1.insert(seat.id);
            for address in seat.addresses() {
                let by_email = all.0.entry(address);
                by_email.and_modify(|known| *known = None).or_insert_with(|| Some(seat.clone()));
            }
        }
        all
    }
}

/// A vote for another CRM than Salesforce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrmVote {
    /// The other CRM.
    pub crm: String,
    /// When the tenant asked for it first.
    pub voted_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record_id;

    fn user(n: u64, is_active: bool) -> CrmUser {
        CrmUser { id: record_id("005", n), name: None, is_active }
    }

    fn seat(name: &str, email: &str) -> Seat {
        Seat {
            id: SeatId::derived(name),
            tenant: TenantId::derived("acme"),
            email: email.to_owned(),
            aliases: BTreeSet::new(),
            federation_id: None,
            name: name.to_owned(),
            time_zone: "UTC".to_owned(),
            roles: BTreeSet::new(),
        }
    }

    #[test]
    fn a_seat_is_the_one_active_user_of_its_address() {
        let of = |users: &[CrmUser]| CrmUserStatus::by_email(users.iter());
        let (one, two, gone) = (user(1, true), user(2, true), user(3, false));
        let matched = (CrmUserStatus::Matched, Some(one.id));
        assert_eq!(of(&[one.clone(), gone.clone()]), matched);
        assert_eq!(of(&[one, two, gone.clone()]), (CrmUserStatus::Ambiguous, None));
        assert_eq!(of(&[gone]), (CrmUserStatus::Inactive, None));
        assert_eq!(of(&[]), (CrmUserStatus::NotMatched, None));
    }

    #[test]
    fn a_chosen_user_counts_while_active() {
        let one = user(1, true);
        let mapped = (CrmUserStatus::MappedByHand, Some(one.id));
        assert_eq!(CrmUserStatus::chosen(Some(&one)), mapped);
        assert_eq!(CrmUserStatus::chosen(Some(&user(2, false))), (CrmUserStatus::Inactive, None));
        assert_eq!(CrmUserStatus::chosen(None), (CrmUserStatus::NotMatched, None));
    }

    #[test]
    fn an_address_in_any_case_is_its_seats() {
        let seats: SeatsByEmail = [seat("jane", "Jane@Acme.example")].into_iter().collect();
        assert_eq!(seats.get(" jane@acme.EXAMPLE ").unwrap().id, SeatId::derived("jane"));
        assert!(seats.get("joe@acme.example").is_none() && !seats.has(SeatId::derived("joe")));
    }

    #[test]
    fn a_seat_is_found_by_each_of_its_addresses() {
        let aliases = BTreeSet::from(["J.Doe@Acme.example".to_owned()]);
        let jane = Seat { aliases, ..seat("jane", "jane@acme.example") };
        let seats: SeatsByEmail = [jane].into_iter().collect();
        for address in ["jane@acme.example", "j.doe@acme.example"] {
            assert_eq!(seats.get(address).unwrap().id, SeatId::derived("jane"), "{address}");
        }
    }

    #[test]
    fn an_email_that_seats_share_names_none_of_them() {
        for shared in 2..=3 {
            let seats = ["a", "b", "c"].map(|name| seat(name, "desk@acme.example"));
            let seats: SeatsByEmail = seats.into_iter().take(shared).collect();
            assert!(seats.get("desk@acme.example").is_none());
        }
    }
}
